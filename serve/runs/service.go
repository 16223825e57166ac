package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// Options say which runs there are, and what trains. The zero value of each option is its default.
type Options struct {
	// Runs is the folder of runs; empty: runs. It need not exist before the first training.
	Runs string
	// Data is a folder whose entries can be trained on; empty: none, known data sets alone.
	Data string
	// Compute is what trainings compute with.
	pipeline.Compute
	// Words name commands and options in the files of a run; nil: they go by their names.
	Words pipeline.Words
	// Joined is a training of the program itself; nil: none.
	Joined *Joined
	// OnEvent is told of the progress of the training of this service; may be nil.
	OnEvent func(run string, e pipeline.Event)
}

// WithDefaults fills in the folder of runs and the number of threads.
func (o Options) WithDefaults() Options {
	o.Runs = cmp.Or(o.Runs, model.RunsFolder)
	o.Compute = o.Compute.WithDefaults()
	return o
}

// A Service shows the runs of a folder, and trains one at a time. Its methods may be called at the
// same time.
type Service struct {
	options Options
	poll    time.Duration // between two looks of a watcher
	closing chan struct{} // closed by Close: watchers end
	looks   chan struct{} // has a value for each watcher

	seen   *memory // of what was read of the folders
	curves *curves

	mu       sync.Mutex
	closed   bool
	active   *training           // nil: none
	failures map[string]*failure // of runs whose folder does not say why they failed
}

const (
	pollEvery   = time.Second
	maxWatchers = 64
)

// New returns a service. It finishes what a process that was killed had begun to delete. A mistake
// in the options is a [*pipeline.OptionError].
func New(o Options) (*Service, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := checkFolder("runs", o.Runs); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if o.Data != "" {
		if err := checkFolder("data", o.Data); err != nil {
			return nil, err
		}
	}
	s := &Service{
		options: o, poll: pollEvery, closing: make(chan struct{}), looks: make(chan struct{}, maxWatchers),
		seen: newMemory(), curves: newCurves(), failures: map[string]*failure{},
	}
	s.finishDeleting()
	return s, nil
}

// checkFolder returns an error unless an option names a folder.
func checkFolder(option, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("the folder of %s: %w", option, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the folder of %s: %s is a file", option, path)
	}
	return nil
}

// Close ends the watchers, and the training of this service, which it saves. It waits for that
// until ctx ends; then it is an error, and the last checkpoint is what stays.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	t := s.active
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	t.stop()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("run %s was not saved in time, its last checkpoint stays: %w", t.name, ctx.Err())
	}
}
