package runs

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// A Status says what becomes of a run.
type Status string

// The statuses. A run with another process is Elsewhere.
const (
	Training  Status = "training"
	Stopping  Status = "stopping"
	Stopped   Status = "stopped"
	Finished  Status = "finished"
	Failed    Status = "failed"
	Elsewhere Status = "elsewhere"
)

// A Run describes a run. What is not known is null in JSON.
type Run struct {
	Name   string      `json:"name"`
	Status Status      `json:"status"`
	Job    run.Command `json:"job"`
	Step   int         `json:"step"` // steps done
	// Steps are those that the run expects to make; nil while only the clock knows.
	Steps *int `json:"steps"`
	// Seconds are those of training.
	Seconds    float64  `json:"seconds"`
	Loss       *float64 `json:"loss"` // running mean
	Validation *float64 `json:"validation"`
	Rate       *float64 `json:"images_per_second"` // lately
	// Left is the seconds of training that are left; nil unless somebody trains.
	Left *float64 `json:"eta"`
	// Data is the name of a data set, or the last part of a path.
	Data    string   `json:"data"`
	Classes []string `json:"classes"`
	Preset  *string  `json:"preset"`
	Teacher *string  `json:"teacher"` // the model that a distillation distils
	// Created is the time of the folder's lock file, and Changed that of the latest change of the
	// files that training writes.
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"`
	Can     Can       `json:"can"`
	Error   *string   `json:"error"`
	// Model is what requests for images call the model; nil: there is none.
	Model   *string `json:"model"`
	Preview *int    `json:"preview"` // the step of the latest preview
	// Activity says what a training of this server does before its first step.
	Activity *string `json:"activity"`
}

// Can says which requests fit the state of a run.
type Can struct {
	Stop   bool `json:"stop"`
	Resume bool `json:"resume"`
	Extend bool `json:"extend"` // resume with a larger budget, as the run has used up its own
	Distil bool `json:"distil"`
	Delete bool `json:"delete"`
}

// facts are what the files of a folder say, without who trains in it.
type facts struct {
	run      Run
	finished bool
	hasState bool
	velocity bool // there is a model that can be distilled
	batch    int
	limit    float64 // seconds of a budget in time; 0: another budget
}

// stamps tell whether the files of a folder are as they were.
type stamps [5]struct {
	size int64
	time time.Time
}

// stamped are the files of stamps. Lock comes last: it says when the run was made.
var stamped = [len(stamps{})]string{
	run.ConfigFile, run.MetricsFile, model.File, run.StateFile, run.LockFile,
}

// stampsOf describes the files of a folder.
func stampsOf(v *run.View) (s stamps) {
	for i, name := range stamped {
		if info, err := v.Stat(name); err == nil {
			s[i].size, s[i].time = info.Size(), info.ModTime()
		}
	}
	return s
}

// has reports whether the i-th file is there.
func (s *stamps) has(i int) bool { return !s[i].time.IsZero() }

// times returns when the run was made and when it changed.
func (s *stamps) times() (created, changed time.Time) {
	for i, f := range s {
		if !s.has(i) || i == len(s)-1 {
			continue
		}
		if created.IsZero() || f.time.Before(created) {
			created = f.time
		}
		if f.time.After(changed) {
			changed = f.time
		}
	}
	if lock := s[len(s)-1].time; !lock.IsZero() {
		created = lock
		if changed.IsZero() {
			changed = lock
		}
	}
	return created.UTC(), changed.UTC()
}

// memory keeps the facts of runs for as long as their files do not change.
type memory struct {
	mu    sync.Mutex
	known map[string]remembered
}

// remembered are facts, and the stamps of the files that they were read from.
type remembered struct {
	stamps stamps
	facts  facts
}

func newMemory() *memory { return &memory{known: map[string]remembered{}} }

// facts returns what a folder says. It reads the files that may have changed since last time.
func (m *memory) facts(name string, v *run.View) facts {
	now := stampsOf(v)
	m.mu.Lock()
	had, ok := m.known[name]
	m.mu.Unlock()
	if ok && had.stamps == now {
		return had.facts
	}
	f := readFacts(name, v, now, had)
	m.mu.Lock()
	m.known[name] = remembered{now, f}
	m.mu.Unlock()
	return f
}

// forget forgets a run.
func (m *memory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, name)
}

// keepOnly forgets the runs that are not among the names.
func (m *memory) keepOnly(names map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.known {
		if !names[name] {
			delete(m.known, name)
		}
	}
}

// The bytes of metrics.jsonl that describe a run: those of some hundred steps, and where what is
// new since the last look is more than these, at most maxTail.
const (
	usualTail = 64 << 10
	maxTail   = 1 << 20
)

// readFacts reads what a folder says. had is what it said before.
func readFacts(name string, v *run.View, now stamps, had remembered) facts {
	f := facts{hasState: now.has(3)}
	r := &f.run
	r.Name, r.Classes = name, []string{}
	r.Created, r.Changed = now.times()
	if now.has(2) {
		of := model.RunsFolder + "/" + name
		r.Model = &of
	}
	f.readConfig(v)
	grown := now[1].size - had.stamps[1].size
	last, err := v.Tail(min(max(usualTail, grown), maxTail))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.fail(err.Error())
	}
	r.Validation = had.facts.run.Validation
	if grown < 0 {
		r.Validation = nil
	}
	f.measure(last)
	return f
}

// fail notes an error, unless there is one.
func (r *Run) fail(text string) {
	if r.Error == nil {
		r.Error = &text
	}
}

// readConfig takes over what config.json says.
func (f *facts) readConfig(v *run.View) {
	r := &f.run
	c, err := v.Config()
	if err != nil {
		r.fail(err.Error())
		return
	}
	o, err := c.RunOptions()
	if err != nil {
		r.fail(err.Error())
		return
	}
	var own struct{ Data, Preset, Model, Objective string }
	text := c.Options
	if r.Job = c.Command(); r.Job == run.DistillCommand {
		text = c.Distill
	}
	_ = json.Unmarshal(text, &own) // RunOptions has read it
	if r.Data = filepath.ToSlash(cmp.Or(own.Data, c.Data.Name)); r.Data != "" {
		r.Data = path.Base(r.Data)
	}
	r.Step, f.finished, f.batch = c.Steps, c.Finished, o.Batch
	if c.Data.Classes != nil {
		r.Classes = c.Data.Classes
	}
	if r.Job == run.DistillCommand {
		r.Teacher = &own.Model
	} else {
		r.Preset = &own.Preset
	}
	f.velocity = r.Job == run.TrainCommand && model.Objective(own.Objective) != model.FlowObjective && r.Model != nil
	if c.Error != "" {
		r.fail(c.Error)
	}
	f.limit = time.Duration(o.Time).Seconds()
	f.setSteps(o.Steps, o.Schedule)
}

// setSteps notes the steps that the run expects to make.
func (f *facts) setSteps(steps int, s engine.RateSchedule) {
	if total := s.Total(); total > 0 {
		steps = total
	}
	if f.finished {
		steps = f.run.Step
	}
	if steps > 0 {
		f.run.Steps = &steps
	}
}

// measure takes over the latest measurements.
func (f *facts) measure(last []run.Metric) {
	if len(last) == 0 {
		return
	}
	r, end := &f.run, last[len(last)-1]
	r.Step, r.Seconds = max(r.Step, end.Step), end.Seconds
	loss := run.SmoothLoss(last)
	r.Loss = &loss
	for _, m := range slices.Backward(last) {
		if m.Validation != 0 {
			held := m.Validation
			r.Validation = &held
			break
		}
	}
	if rate := rateOf(last); rate > 0 {
		r.Rate = &rate
		f.estimate(rate)
	}
}

// rateMemory is how many steps, at most, the rate of a run looks back on.
const rateMemory = 50

// rateOf returns the images a second of the last steps; 0: it is not known.
func rateOf(last []run.Metric) float64 {
	end, from := last[len(last)-1], last[max(0, len(last)-1-rateMemory)]
	if from.Step == end.Step && end.Step == 1 { // the first step alone
		from = run.Metric{}
	}
	if took := end.Seconds - from.Seconds; took > 0 {
		return float64(end.Images-from.Images) / took
	}
	return 0
}

// estimate tells how long the training will go on at a rate.
func (f *facts) estimate(rate float64) {
	r := &f.run
	left := max(f.limit-r.Seconds, 0)
	if f.limit == 0 {
		if r.Steps == nil {
			return
		}
		left = float64(max(*r.Steps-r.Step, 0)*f.batch) / rate
	}
	r.Left = &left
}

// List describes all runs, the newest first. A run that cannot be read has an error, and hides no
// other.
func (s *Service) List() ([]Run, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	all := s.folderless()
	exists := map[string]bool{}
	root, err := s.openRuns()
	if err == nil {
		defer root.Close()
		for _, name := range names {
			if r, ok := s.describeIn(root, name); ok {
				exists[name] = true
				all = slices.DeleteFunc(all, func(other Run) bool { return other.Name == name })
				all = append(all, r)
			}
		}
	}
	s.seen.keepOnly(exists)
	slices.SortFunc(all, func(a, b Run) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(b.Name, a.Name)
	})
	return all, nil
}

// names returns the names of the entries of the folder of runs that may be runs.
func (s *Service) names() ([]string, error) {
	entries, err := os.ReadDir(s.options.Runs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if isEntry(e.Name()) && (e.IsDir() || e.Type()&fs.ModeSymlink != 0) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// describeIn describes the run of a name. ok is false where the folder holds none.
func (s *Service) describeIn(root *os.Root, name string) (r Run, ok bool) {
	v, err := viewIn(root, name)
	if isNotFound(err) {
		return r, false
	}
	if err != nil {
		r = Run{Name: name, Status: Failed, Classes: []string{}}
		if info, err := root.Lstat(name); err == nil {
			r.Created, r.Changed = info.ModTime().UTC(), info.ModTime().UTC()
		}
		r.fail(err.Error())
		return r, true
	}
	defer v.Close()
	return s.describe(name, v), true
}

// Describe describes a run. An unknown name is a [problem.NotFound].
func (s *Service) Describe(name string) (Run, error) {
	v, err := s.view(name)
	if err != nil {
		for _, r := range s.folderless() {
			if r.Name == name {
				return r, nil
			}
		}
		return Run{}, err
	}
	defer v.Close()
	return s.describe(name, v), nil
}

// describe adds to what a folder says who trains in it.
func (s *Service) describe(name string, v *run.View) Run {
	t, failed, busy := s.state(name)
	f := s.seen.facts(name, v)
	r := f.run
	locked := t == nil && v.Locked()
	if steps := v.Previews(); len(steps) > 0 {
		r.Preview = &steps[len(steps)-1]
	}
	switch {
	case t != nil:
		t.describe(&r)
	case locked:
		r.Status = Elsewhere
		if !f.hasState {
			r.Error = nil // it has just begun
		}
	case failed != nil:
		r.Status = Failed
		r.fail(failed.text)
	case r.Error != nil:
		r.Status = Failed
	case f.finished:
		r.Status = Finished
	default:
		r.Status = Stopped
	}
	free := t == nil && !locked
	if free {
		r.Left = nil
	}
	idle := free && !busy && f.hasState && r.Job != ""
	r.Can = Can{
		Stop: t != nil && r.Status == Training, Delete: free,
		Resume: idle && !f.finished, Extend: idle && f.finished,
		Distil: f.velocity && !busy,
	}
	return r
}
