package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/distill"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/train"
	"github.com/fmimg/fmimg/serve/problem"
)

// A Budget is what a training may take: one of Minutes and Steps, or neither for the default.
type Budget struct {
	Minutes *float64 `json:"minutes"`
	Steps   *int     `json:"steps"`
}

// maxMinutes is that of two years.
const maxMinutes = 1 << 20

// apply checks the budget and puts it into options.
func (b Budget) apply(o *run.Options) error {
	if b.Minutes != nil && b.Steps != nil {
		return problem.BadField("minutes", " %v: give minutes or steps, not both", *b.Minutes)
	}
	if b.Minutes != nil {
		if err := option.Between("minutes", *b.Minutes, 0.001, maxMinutes); err != nil {
			return err
		}
		o.Time = run.Duration(*b.Minutes * float64(time.Minute))
	}
	if b.Steps != nil {
		o.Steps = *b.Steps
		return option.Between("steps", o.Steps, 1, engine.MaxSteps)
	}
	return nil
}

// given reports whether the budget says anything.
func (b Budget) given() bool { return b.Minutes != nil || b.Steps != nil }

// A StartRequest says what to train. What is left out has the default of package train.
type StartRequest struct {
	Data string `json:"data"` // a name that [Service.Data] lists
	// Name is that of the run; empty: that of the data, with a number where there is one.
	Name string `json:"name"`
	Budget
	Preset string        `json:"preset"`
	Init   string        `json:"init"` // none, or empty: what suits the data
	Size   pipeline.Size `json:"size"`
	// Labels are folders, none or clusters, as in [feed.DataOptions], but no file.
	Labels string  `json:"labels"`
	Flip   *bool   `json:"flip"`
	Seed   *uint64 `json:"seed"` // nil: 1
	Batch  *int    `json:"batch"`
}

// defaultSeed is that of every command, too.
const defaultSeed = 1

// options returns what package train is told, but for the data and the folder.
func (q *StartRequest) options() (o train.Options, err error) {
	if err := q.apply(&o.Options); err != nil {
		return o, err
	}
	o.Preset, o.Size, o.Labels, o.Seed = q.Preset, q.Size, q.Labels, defaultSeed
	if o.Init = q.Init; o.Init != "" && o.Init != train.NoInit {
		return o, problem.BadField("init", " %q: choose %s, or leave it out", q.Init, train.NoInit)
	}
	if o.LabelsFile() {
		return o, problem.BadField("labels", " %q: choose folders, none, or clusters such as clusters:32", q.Labels)
	}
	if q.Flip != nil {
		o.Flip, o.Given = *q.Flip, append(o.Given, "flip")
	}
	if q.Seed != nil {
		o.Seed = *q.Seed
	}
	if q.Batch != nil {
		if o.Batch = *q.Batch; o.Batch < 1 {
			return o, option.Between("batch", o.Batch, 1, pipeline.MaxBatch)
		}
	}
	return o, nil
}

// Start begins a training. It returns when the options and, as far as they need no reading of
// pictures, the data are checked.
func (s *Service) Start(ctx context.Context, q StartRequest) (Run, error) {
	o, err := q.options()
	if err != nil {
		return Run{}, err
	}
	data, err := s.findData(q.Data)
	if err != nil {
		return Run{}, err
	}
	o.Data = data.path
	if err := o.Validate(); err != nil {
		return Run{}, err
	}
	name, err := s.newName(q.Name, run.FolderName(data.Name))
	if err != nil {
		return Run{}, err
	}
	t := &training{name: name, job: run.TrainCommand, data: data.Name}
	s.equip(&o.Options, t)
	err = s.start(ctx, t, func(ctx context.Context) error {
		_, err := train.Train(ctx, o)
		return err
	})
	if err != nil {
		return Run{}, mistaken(err, http.StatusBadRequest, problem.Invalid)
	}
	return s.Describe(name)
}

// equip sets the options that are the same for all trainings.
func (s *Service) equip(o *run.Options, t *training) {
	o.Out, o.Compute, o.Words, o.Bounded, o.OnEvent = s.path(t.name), s.options.Compute, s.options.Words, true, t.event
}

// mistaken returns an error that a training found before it began. It is the fault of the request,
// which status and kind are for, unless the server has one of its own.
func mistaken(err error, status int, kind problem.Type) error {
	err = option.Rename(option.Rename(err, "time", "minutes"), "out", "name")
	if p := problem.Of(err); p.Status != http.StatusInternalServerError {
		return p
	}
	text, _, _ := strings.Cut(pipeline.ErrorIn(err, pipeline.Plain), "\n")
	if strings.HasPrefix(text, "internal error") {
		return errors.New(text)
	}
	return &problem.Problem{Status: status, Type: kind, Message: text}
}

// newName returns the name of a new run: what is asked for, or the first of base, base-2, … that no
// run has.
func (s *Service) newName(asked, base string) (string, error) {
	if asked != "" {
		if !newNames.MatchString(asked) || !isEntry(asked) {
			return "", problem.BadField("name", " %q: letters, digits, -, _ and dots are allowed, 64 at most, no dot in front", asked)
		}
		if s.taken(asked) {
			return "", conflict("there is a folder %s in the folder of runs: choose another name", asked)
		}
		return asked, nil
	}
	if !newNames.MatchString(base) {
		base = run.FolderName(base)
	}
	base = base[:min(len(base), 56)] // room for a number
	name := base
	for i := 2; s.taken(name); i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name, nil
}

// taken reports whether a name is that of a file, or of a training without a folder.
func (s *Service) taken(name string) bool {
	if t, _, _ := s.state(name); t != nil {
		return true
	}
	_, err := os.Lstat(s.path(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// Resume goes on with a run, with a larger budget if there is one.
func (s *Service) Resume(ctx context.Context, name string, b Budget) (Run, error) {
	r, err := s.idle(name)
	if err != nil {
		return Run{}, err
	}
	switch {
	case !r.Can.Resume && !r.Can.Extend:
		return Run{}, conflict("run %s has no checkpoint to go on from: start it anew", name)
	case r.Can.Extend && !b.given():
		return Run{}, conflict("run %s has used up its budget: give minutes or steps for the whole run, more than it had", name)
	}
	var o run.Options
	if err := b.apply(&o); err != nil {
		return Run{}, err
	}
	if o.Steps > 0 && o.Steps <= r.Step {
		return Run{}, problem.BadField("steps", " %d: the run has done %d: give the steps of the whole run", o.Steps, r.Step)
	}
	if limit := time.Duration(o.Time).Seconds(); limit > 0 && limit <= r.Seconds {
		return Run{}, problem.BadField("minutes", " %v: the run has trained for %.1f: give the minutes of the whole run",
			*b.Minutes, r.Seconds/60)
	}
	t := &training{name: name, job: r.Job, data: r.Data}
	s.equip(&o, t)
	o.Resume = true
	err = s.start(ctx, t, func(ctx context.Context) (err error) {
		if r.Job == run.DistillCommand {
			_, err = distill.Distill(ctx, distill.Options{Options: o})
		} else {
			_, err = train.Train(ctx, train.Options{Options: o})
		}
		return err
	})
	if err != nil {
		return Run{}, mistaken(err, http.StatusConflict, problem.Conflict)
	}
	return s.Describe(name)
}

// idle describes a run that can be worked on: nobody trains in it.
func (s *Service) idle(name string) (Run, error) {
	r, err := s.Describe(name)
	if err != nil {
		return r, err
	}
	switch r.Status {
	case Training:
		return r, conflict("run %s trains: stop it first", name)
	case Stopping:
		return r, conflict("run %s is being saved: wait a moment", name)
	case Elsewhere:
		return r, conflict("run %s trains in another process: stop it there", name)
	}
	return r, nil
}

// A DistilRequest says how a run is distilled. What is left out has the default of package distill.
type DistilRequest struct {
	Budget
	Guidance *model.GuidanceRange `json:"guidance"` // a number, or a text such as "1-1.3"
	Name     string               `json:"name"`     // of the new run; empty: NAME-fast
}

// Distil begins to distil the model of a run into a new run.
func (s *Service) Distil(ctx context.Context, teacher string, q DistilRequest) (Run, error) {
	r, err := s.Describe(teacher)
	if err != nil {
		return Run{}, err
	}
	if r.Model == nil {
		return Run{}, conflict("run %s has no model yet", teacher)
	}
	var o distill.Options
	if err := q.apply(&o.Options); err != nil {
		return Run{}, err
	}
	if q.Guidance != nil {
		o.Guidance = *q.Guidance
	}
	o.Model, o.Seed = s.path(teacher), defaultSeed
	if err := o.Validate(); err != nil {
		return Run{}, err
	}
	name, err := s.newName(q.Name, teacher+"-fast")
	if err != nil {
		return Run{}, err
	}
	t := &training{name: name, job: run.DistillCommand, data: r.Data, teacher: teacher}
	s.equip(&o.Options, t)
	err = s.start(ctx, t, func(ctx context.Context) error {
		_, err := distill.Distill(ctx, o)
		return err
	})
	if err != nil {
		return Run{}, mistaken(err, http.StatusConflict, problem.Conflict)
	}
	return s.Describe(name)
}

// isNotFound reports whether an error is that of a name of no run.
func isNotFound(err error) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && p.Status == http.StatusNotFound
}
