package draw

import (
	"sync"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A job is a request under way.
type job struct {
	caller
	service *Service
	entry   *entry
	request Request
	load    load // what is still to be done of it; the service is locked
	watch   watcher

	ck *model.Checkpoint // which evaluates through the caller

	mu    sync.Mutex
	notes []pipeline.Message
	stats ode.Stats
}

// measure checks what needs no model, and finds how large the request is.
func (j *job) measure() error {
	r := &j.request
	count, inputs := &r.Sample.Count, len(r.Inputs)
	if err := option.OneOf("kind", r.Kind, Generate, Vary, Interpolate, Inpaint, Likelihood); err != nil {
		return err
	}
	if r.Kind == Interpolate {
		option.SetDefault(count, wayImages)
	}
	option.SetDefault(count, 1)
	r.Sample.Threads, r.Sample.OnEvent, r.Sample.Guide = 1, j.note, nil
	if err := r.Sample.Validate(); err != nil {
		return err
	}
	switch {
	case r.Kind == Generate && inputs > 0:
		return option.Errorf("images", nil, "%s takes none: leave them out", r.Kind)
	case r.Kind == Generate:
		inputs = 1
	case inputs == 0:
		return option.Errorf("images", nil, "%s needs at least one", r.Kind)
	case r.Kind == Interpolate && inputs%2 != 0:
		return option.Errorf("images", nil, "interpolate takes pairs: send an even number of images")
	case r.Kind == Interpolate:
		inputs /= 2
	case r.Kind == Likelihood:
		*count = 1
	}
	images := inputs * *count
	j.load = load{images, images * j.entry.outline.Shape().Len()}
	return nil
}

// run does what the request asks for.
func (j *job) run() (*Result, error) {
	m, err := j.service.library.open(j.ctx, j.entry)
	if err != nil {
		return nil, err
	}
	defer m.close()
	j.ck = j.through(m)
	if j.request.Guide != "" {
		g, err := j.openGuide()
		if err != nil {
			return nil, err
		}
		defer g.close()
	}
	var result *Result
	err = attempt(func() (err error) {
		result, err = j.do()
		return err
	})
	if ended := cause(j.ctx); ended != nil {
		err = ended
	}
	if err != nil {
		return nil, err
	}
	result.Model = j.service.describe(j.entry)
	result.Evaluations, result.Notes = j.stats.MeanEvaluations(), j.notes
	return result, nil
}

// do does what the kind of the request asks for.
func (j *job) do() (*Result, error) { return j.generate() }

// openGuide opens the guide of the request. The caller closes it.
func (j *job) openGuide() (*loaded, error) {
	name := j.request.Guide
	e, err := j.service.catalogue.find(name)
	if name == model.AutoGuide {
		e, err = j.service.catalogue.guide(j.entry)
	}
	if err != nil {
		return nil, option.Errorf("guide", name, "%v", err)
	}
	m, err := j.service.library.open(j.ctx, e)
	if err != nil {
		return nil, err
	}
	j.request.Sample.Guide, err = j.ck.GuideBy(j.through(m))
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// note keeps a note for the result. Other events are of no use here.
func (j *job) note(e pipeline.Event) {
	if e.Kind != pipeline.Noted {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = append(j.notes, e.Message)
}

// count adds the work of a state.
func (j *job) count(stats ode.Stats) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats = j.stats.Merge(stats)
}

// each calls do for each of n states, many at once and in turn with other requests. An error or a
// panic ends the request.
const wayImages = 8 // of interpolate, for each pair, both ends counted

func (j *job) each(n int, do func(i int) error) error {
	err := j.service.turns.run(j.ctx, n, func(i int) {
		j.evaluator.enter()
		defer j.evaluator.leave()
		if err := attempt(func() error { return do(i) }); err != nil {
			j.fail(err)
		}
	})
	if ended := cause(j.ctx); ended != nil {
		return ended
	}
	return err
}

// attempt calls a function. A panic is an error.
func attempt(do func() error) (err error) {
	defer catch(&err)
	return do()
}
