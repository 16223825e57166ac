package runs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/serve/problem"
)

// A training is the one that this process does.
type training struct {
	name    string
	job     run.Command
	data    string
	teacher string // the name of the run that is distilled; empty: none
	started time.Time
	cancel  context.CancelFunc
	reads   chan struct{} // closed when pictures are read
	begun   chan struct{} // closed when the checks are over, and steps begin
	done    chan struct{} // closed at the end
	err     error         // what ended it; read it when done is closed
	tell    func(run string, e pipeline.Event)

	mu       sync.Mutex
	stopping bool
	reading  string         // what is read before the first step; empty: nothing
	step     pipeline.Event // the latest step
	notes    []string
	begin    sync.Once // closes begun
	read     sync.Once // closes reads
}

// maxNotes is how many notes of a training are kept.
const maxNotes = 200

// event takes an event of the training.
func (t *training) event(e pipeline.Event) {
	t.mu.Lock()
	switch e.Kind {
	case pipeline.Reading:
		t.reading = fmt.Sprintf("reads %d of %s", e.Images, text.Count(e.Total, "picture", "pictures"))
		t.read.Do(func() { close(t.reads) })
	case pipeline.Started:
		t.reading = ""
		t.begin.Do(func() { close(t.begun) })
	case pipeline.Stepped:
		t.step = e
	case pipeline.Noted:
		if len(t.notes) < maxNotes {
			t.notes = append(t.notes, e.Text)
		}
	}
	t.mu.Unlock()
	if t.tell != nil {
		t.tell(t.name, e)
	}
}

// stop asks the training to end, saved.
func (t *training) stop() {
	t.mu.Lock()
	t.stopping = true
	t.mu.Unlock()
	t.cancel()
}

// notesFrom returns the notes from the i-th on.
func (t *training) notesFrom(i int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.notes[min(i, len(t.notes)):]...)
}

// describe adds what only the training process knows.
func (t *training) describe(r *Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Status, r.Error = Training, nil
	if t.stopping {
		r.Status = Stopping
	}
	if t.reading != "" {
		what := t.reading
		r.Activity = &what
	}
	if e := t.step; e.Step > 0 {
		r.Step, r.Seconds = max(r.Step, e.Step), max(r.Seconds, e.Seconds)
		r.Rate, r.Left = &e.Rate, &e.Left
		if e.Total > 0 {
			r.Steps = &e.Total
		}
	}
}

// folderless describes a training whose folder is not there yet.
func (t *training) folderless() Run {
	r := Run{
		Name: t.name, Job: t.job, Data: t.data, Classes: []string{}, Created: t.started, Changed: t.started,
		Can: Can{Stop: true},
	}
	t.describe(&r)
	r.Can.Stop = r.Status == Training
	return r
}

// A failure says why a run failed whose folder does not.
type failure struct {
	run  Run // as it is where it has no folder
	text string
}

// maxFailures is how many failures are kept.
const maxFailures = 64

// state returns the training of a run, if that is what this service does; its failure, if its
// folder does not have it; and whether the service trains anything.
func (s *Service) state(name string) (t *training, failed *failure, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.trains(); now != nil {
		if busy = true; now.name == name {
			t = now
		}
	}
	return t, s.failures[name], busy
}

// trains returns the training under way: that of the service, or the one that it was joined with;
// nil: none. The caller has the lock.
func (s *Service) trains() *training {
	if s.active != nil {
		return s.active
	}
	return s.options.Joined.training()
}

// folderless describes what has no folder: a training that reads its data, and those that failed
// before they had one.
func (s *Service) folderless() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Run
	if s.active != nil {
		all = append(all, s.active.folderless())
	}
	for _, f := range s.failures {
		all = append(all, f.run)
	}
	return all
}

// readTime is how long a request waits for pictures that are read.
const readTime = 5 * time.Second

// start begins a training in the background, one at a time, and waits until its checks are over, or
// the reading of pictures takes long. A mistake that is found by then is the error, and leaves
// nothing behind.
func (s *Service) start(ctx context.Context, t *training, work func(ctx context.Context) error) error {
	background, cancel := context.WithCancel(context.Background())
	t.cancel, t.reads, t.begun, t.done = cancel, make(chan struct{}), make(chan struct{}), make(chan struct{})
	t.started, t.tell = time.Now().UTC(), s.options.OnEvent
	s.mu.Lock()
	if err := s.mayStart(); err != nil {
		s.mu.Unlock()
		cancel()
		return err
	}
	s.active = t
	delete(s.failures, t.name)
	s.mu.Unlock()
	go s.run(background, t, work)
	if !t.endsBeforeItBegins(ctx) {
		return nil
	}
	s.mu.Lock()
	delete(s.failures, t.name)
	s.mu.Unlock()
	if t.err == nil {
		return conflict("run %s was stopped before it began", t.name)
	}
	return t.err
}

// endsBeforeItBegins waits until the checks are over or readTime has passed, and reports whether
// the training has ended without a step. When ctx ends, the client has gone, and the training goes
// on.
func (t *training) endsBeforeItBegins(ctx context.Context) bool {
	var late <-chan time.Time
	reads := t.reads
	for {
		select {
		case <-t.begun:
			return false
		case <-reads:
			late, reads = time.After(readTime), nil
		case <-late:
			return false
		case <-ctx.Done():
			return false
		case <-t.done:
			select {
			case <-t.begun:
				return false // it began, and has ended since
			default:
				return true
			}
		}
	}
}

// mayStart returns an error where a training may not start now. The caller has the lock.
func (s *Service) mayStart() error {
	if s.closed {
		return &problem.Problem{
			Status: http.StatusServiceUnavailable, Type: problem.ServerSide, Code: "shutting_down",
			Message: "the server is shutting down",
		}
	}
	if t := s.trains(); t != nil {
		return conflict("run %s trains now, and this server trains one at a time: stop it, or wait for it", t.name)
	}
	return nil
}

// run does the work of a training, and notes how it ended.
func (s *Service) run(ctx context.Context, t *training, work func(ctx context.Context) error) {
	defer t.cancel()
	err := protected(ctx, work)
	if _, stopped := errors.AsType[*run.InterruptedError](err); stopped || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	s.mu.Lock()
	s.active, t.err = nil, err
	if err != nil && len(s.failures) < maxFailures && !s.saysWhy(t.name) {
		s.failures[t.name] = t.failure(err)
	}
	s.mu.Unlock()
	close(t.done)
}

// protected does the work of a training. A panic, which is a bug, ends the training alone.
func protected(ctx context.Context, work func(ctx context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: %v\n%s", v, debug.Stack())
		}
	}()
	return work(ctx)
}

// saysWhy reports whether the folder of a run says why it failed.
func (s *Service) saysWhy(name string) bool {
	v, err := s.view(name)
	if err != nil {
		return false
	}
	defer v.Close()
	c, err := v.Config()
	return err == nil && c.Error != ""
}

// failure returns what is kept of a training that failed.
func (t *training) failure(err error) *failure {
	why, _, _ := strings.Cut(pipeline.ErrorIn(err, pipeline.Plain), "\n")
	why += " (nothing on disk says so: a new start of the server forgets it)"
	r := t.folderless()
	r.Status, r.Activity, r.Can = Failed, nil, Can{Delete: true}
	r.Error = &why
	return &failure{r, why}
}

// Stop asks the training of a run to end, saved. It does not wait for that.
func (s *Service) Stop(name string) error {
	t, _, _ := s.state(name)
	if t != nil {
		t.stop()
		return nil
	}
	r, err := s.Describe(name)
	if err != nil {
		return err
	}
	if r.Status == Elsewhere {
		return conflict("run %s trains in another process: stop it there", name)
	}
	return conflict("run %s does not train", name)
}
