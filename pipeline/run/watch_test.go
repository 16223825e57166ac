package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
)

// watchedRun is a run of which rank 0 waits for rank 1, that hangs.
func watchedRun(notes chan string) (*Run, *watched) {
	o := &Options{Ranks: cluster.InProcess(2)[0]}
	o.settleRanks()
	o.OnEvent = func(e pipeline.Event) { notes <- e.Message.String() }
	r := &Run{Settings: o, Job: &idleJob{}, Dir: &Folder{Path: "runs/x"}, Saved: 7}
	w := o.Ranks.(*watched)
	w.saved.Store(int64(r.Saved))
	return r, w
}

// An idleJob is a job of which no more than the command is asked.
type idleJob struct{ Job }

func (*idleJob) Command() Command { return TrainCommand }

// Rank 0 says for whom it waits. When the run is to end meanwhile, it says how to go on, and ends.
func TestWatch(t *testing.T) {
	roomtest.NoLeaks(t)
	notes := make(chan string, 100)
	r, w := watchedRun(notes)
	ctx, cancel := context.WithCancel(t.Context())
	done, waiting := make(chan struct{}), make(chan error)
	go func() { waiting <- w.Receive(1, make([]byte, 1)) }()
	go func() { defer close(done); r.look(ctx, w, nil, 20*time.Millisecond, 30*time.Millisecond) }()
	roomtest.Within(t, 30*time.Second, func() {
		if note := <-notes; !strings.Contains(note, "has waited for rank 1 for") {
			t.Errorf("note %q", note)
		}
		cancel()
		<-done
		var last string
		for len(notes) > 0 {
			last = <-notes
		}
		for _, want := range []string{"rank 1 does not answer", "the checkpoint of step 7 is kept in runs/x", "go on with"} {
			if !strings.Contains(last, want) {
				t.Errorf("last note %q, want %q in it", last, want)
			}
		}
		if _, lost := errors.AsType[*cluster.Error](<-waiting); !lost {
			t.Error("the ranks were not aborted")
		}
	})
}

// A rank that answers is not told of, and the watch ends with the run.
func TestWatchEnds(t *testing.T) {
	roomtest.NoLeaks(t)
	notes := make(chan string, 1)
	r, _ := watchedRun(notes)
	r.watch(t.Context())()
	if len(notes) > 0 {
		t.Errorf("note %q", <-notes)
	}
	alone := &Run{Settings: &Options{}}
	alone.Settings.settleRanks()
	alone.watch(t.Context())()
}
