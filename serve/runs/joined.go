package runs

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/run"
)

// A Joined is a training that the program does beside a service of the same process. The service
// shows and stops it as one of its own. Its methods may be called at the same time.
type Joined struct {
	stop func()

	mu      sync.Mutex
	t       *training // nil before it has a folder
	pending []pipeline.Event
	done    chan struct{}
}

// NewJoined returns a training that has not begun. stop asks it to end, saved.
func NewJoined(stop func()) *Joined { return &Joined{stop: stop, done: make(chan struct{})} }

// Event takes an event of the training. The program passes all of them on.
func (j *Joined) Event(e pipeline.Event) {
	j.mu.Lock()
	if j.t == nil && e.Kind != pipeline.Started {
		if len(j.pending) < maxNotes && e.Kind == pipeline.Noted {
			j.pending = append(j.pending, e)
		}
		j.mu.Unlock()
		return
	}
	if j.t == nil {
		j.t = &training{
			name: filepath.Base(e.Path), job: run.TrainCommand, started: time.Now().UTC(), cancel: j.stop,
			reads: make(chan struct{}), begun: make(chan struct{}), done: j.done,
		}
		for _, note := range j.pending {
			j.t.event(note)
		}
	}
	t := j.t
	j.mu.Unlock()
	t.event(e)
}

// End says that the training has ended.
func (j *Joined) End() { close(j.done) }

// training returns what has a folder and has not ended; nil for none, and for no Joined.
func (j *Joined) training() *training {
	if j == nil {
		return nil
	}
	select {
	case <-j.done:
		return nil
	default:
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.t
}
