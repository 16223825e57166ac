package draw

import (
	"slices"
	"sync"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
)

// wayImages is how many images interpolate draws for each pair, both ends counted.
const wayImages = 8

// A job is a request under way.
type job struct {
	caller
	service *Service
	entry   *entry
	request Request
	images  int  // that it asks for
	load    load // what is still to be done of it; the service is locked
	watch   watcher

	ck *model.Checkpoint // which evaluates through the caller

	mu    sync.Mutex
	notes []pipeline.Message
}

// measure checks what needs no model in memory, and finds how large the request is.
func (j *job) measure() error {
	r := &j.request
	if err := r.check(); err != nil {
		return err
	}
	r.Sample.Threads, r.Sample.OnEvent, r.Sample.Guide = 1, j.note, nil
	if r.Kind == Interpolate {
		option.SetDefault(&r.Sample.Count, wayImages)
	}
	option.SetDefault(&r.Sample.Count, 1)
	if err := r.Sample.Validate(); err != nil {
		return err
	}
	inputs := len(r.Inputs)
	switch r.Kind {
	case Generate:
		inputs = 1
	case Interpolate:
		inputs /= 2
	}
	j.images = inputs * r.Sample.Count
	images := int64(inputs) * int64(r.Sample.Count)
	j.load = load{images, images * int64(j.entry.outline.Shape().Len())}
	return nil
}

// check reports what does not go with the kind of a request.
func (r *Request) check() error {
	if err := option.OneOf("kind", r.Kind, Generate, Vary, Interpolate, Inpaint, Likelihood); err != nil {
		return err
	}
	if err := r.misplaced(); err != nil {
		return err
	}
	switch inputs := len(r.Inputs); {
	case r.Kind != Generate && inputs == 0:
		return option.Errorf("images", nil, "%s needs at least one", r.Kind)
	case r.Kind == Interpolate && inputs%2 != 0:
		return option.Errorf("images", nil, "interpolate takes pairs: send an even number of images")
	case r.Kind == Inpaint && len(r.Mask) == 0:
		return option.Errorf("mask", nil, "is needed: a picture that is white where to draw")
	case r.Fit != "":
		return feed.ValidateFit(r.Fit)
	}
	return nil
}

// misplaced reports the first field that requests of this kind do not take.
func (r *Request) misplaced() error {
	s, drawn := &r.Sample, []Kind{Generate, Vary, Interpolate, Inpaint}
	for _, f := range []struct {
		option string
		value  any
		given  bool
		kinds  []Kind // that take it
	}{
		{"images", nil, len(r.Inputs) > 0, []Kind{Vary, Interpolate, Inpaint, Likelihood}},
		{"mask", nil, len(r.Mask) > 0, []Kind{Inpaint}},
		{"times", r.Times, r.Times != 0, []Kind{Inpaint}},
		{"level", r.Level, r.Level != 0, []Kind{Vary}},
		// Inpaint has a solver of its own.
		{"solver", s.Solver, s.Solver != "", []Kind{Generate, Vary, Interpolate, Likelihood}},
		{"tol", s.Tol, s.Tol != 0, []Kind{Generate, Vary, Interpolate, Likelihood}},
		{"time-shift", s.TimeShift, s.TimeShift != 0, []Kind{Generate}},
		{"guidance-every", s.GuidanceEvery, s.GuidanceEvery != 0, []Kind{Generate}},
		{"noise-level", s.NoiseLevel, s.NoiseLevel != 0, []Kind{Generate}},
		{"per-class", s.PerClass, s.PerClass > 1, []Kind{Generate}},
		{"count", s.Count, s.Count > 1, drawn},
		{"guidance", s.Guidance, s.Guidance != 0 && s.Guidance != 1, drawn},
		{"guidance-interval", s.Interval, !s.Interval.Whole(), drawn},
		{"guide", r.Guide, r.Guide != "", drawn},
	} {
		if f.given && !slices.Contains(f.kinds, r.Kind) {
			return option.Errorf(f.option, f.value, "%s takes none: leave it out", r.Kind)
		}
	}
	return nil
}

// run does what the request asks for.
func (j *job) run() (*Result, error) {
	m, err := j.service.library.open(j.ctx, j.entry, j.request.Kind == Likelihood)
	if err != nil {
		return nil, err
	}
	defer m.close()
	j.ck = j.through(m)
	if j.request.Kind == Generate && j.request.Guide == "" && j.ck.UsuallyGuided(j.request.Sample.Method) &&
		j.service.catalogue.keptGuide(j.entry) {
		j.request.Guide = model.AutoGuide
		j.note(pipeline.Note("guidance leads away from the guide that the model's run has kept too; a weight of guidance does without"))
	}
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
	// These belong to the job: a result that is kept must keep neither its pictures nor a model.
	result.Sample.Threads, result.Sample.OnEvent, result.Sample.Guide = 0, nil, nil
	result.Evaluations, result.Notes = float64(j.evaluated.Load())/float64(j.images), j.notes
	return result, nil
}

// do does what the kind of the request asks for.
func (j *job) do() (*Result, error) {
	switch j.request.Kind {
	case Vary, Interpolate, Inpaint:
		return j.edit()
	case Likelihood:
		return j.likelihood()
	}
	return j.generate()
}

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
	m, err := j.service.library.open(j.ctx, e, false)
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

// each calls do for each of n states, many at once and in turn with other requests. An error or a
// panic ends the request.
func (j *job) each(n int, do func(i int) error) error { return j.inTurn(&j.service.turns, n, do) }

// inTurn is each by given turns.
func (j *job) inTurn(t *turns, n int, do func(i int) error) error {
	err := t.run(j.ctx, n, func(i int) {
		j.watch.begin()
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
