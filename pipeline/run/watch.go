package run

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/pipeline"
)

// A rank that hangs (its machine swaps, somebody stopped it) keeps all others waiting, and may go
// on: the run waits with it, and rank 0 says so after patience. When the run is to end meanwhile,
// it does so after grace, without a checkpoint: rank 0 has not the whole state. Both are longer
// where a step takes longer: a rank that got no signal finishes its part of the step.
const (
	patience = 30 * time.Second
	grace    = 30 * time.Second
	// slowSteps is patience and grace at least, in times of the slowest step.
	slowSteps = 3
)

// A watched is the connection of rank 0, and notes for which rank it waits.
type watched struct {
	cluster.Comm
	since atomic.Int64 // when the running call began, in nanoseconds since 1970; 0: none runs
	peer  atomic.Int64 // with which rank; -1: with all

	slowest atomic.Int64 // time of the slowest step, in nanoseconds
	saved   atomic.Int64 // step of the last checkpoint, as Saved of the run
}

// stepped notes the time that a step took.
func (w *watched) stepped(took time.Duration) {
	w.slowest.Store(max(w.slowest.Load(), int64(took)))
}

// during does a call.
func (w *watched) during(peer int, call func() error) error {
	w.peer.Store(int64(peer))
	w.since.Store(time.Now().UnixNano())
	defer w.since.Store(0)
	return call()
}

// Send implements [cluster.Comm].
func (w *watched) Send(to int, data []byte) error {
	return w.during(to, func() error { return w.Comm.Send(to, data) })
}

// Receive implements [cluster.Comm].
func (w *watched) Receive(from int, data []byte) error {
	return w.during(from, func() error { return w.Comm.Receive(from, data) })
}

// Exchange implements [cluster.Comm].
func (w *watched) Exchange(peer int, send, receive []byte) error {
	return w.during(peer, func() error { return w.Comm.Exchange(peer, send, receive) })
}

// Broadcast implements [cluster.Comm].
func (w *watched) Broadcast(root int, data []byte) error {
	return w.during(-1, func() error { return w.Comm.Broadcast(root, data) })
}

// waits returns for how long the call that began at since, as in watched, has waited, and for whom.
func (w *watched) waits(since int64) (time.Duration, string) {
	if since == 0 {
		return 0, ""
	}
	who := "the other ranks"
	if peer := w.peer.Load(); peer >= 0 {
		who = fmt.Sprintf("rank %d", peer)
	}
	return time.Since(time.Unix(0, since)), who
}

// watch looks after the other ranks while the run trains, on rank 0. The function that it returns
// ends that.
func (r *Run) watch(ctx context.Context) (end func()) {
	w, ok := r.Settings.Ranks.(*watched)
	if !ok {
		return func() {}
	}
	if next := r.Settings.OnEvent; next != nil { // notes come from another goroutine
		var mu sync.Mutex
		r.Settings.OnEvent = func(e pipeline.Event) {
			mu.Lock()
			defer mu.Unlock()
			next(e)
		}
	}
	w.saved.Store(int64(r.Saved))
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		r.look(ctx, w, done, patience, grace)
	}()
	return func() {
		close(done)
		<-gone
	}
}

// look is watch until done, with its bounds.
func (r *Run) look(ctx context.Context, w *watched, done <-chan struct{}, patience, grace time.Duration) {
	tick := time.NewTicker(max(grace/10, time.Millisecond))
	defer tick.Stop()
	told := patience / 2
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		since := w.since.Load()
		waited, who := w.waits(since)
		slow := slowSteps * time.Duration(w.slowest.Load())
		switch {
		case waited < max(patience, slow):
			told = max(patience, slow) / 2
		case waited >= 2*told:
			told = waited
			r.note("rank 0 has waited for %s for %v: it, or a rank that it waits for, is stopped or overloaded",
				who, waited.Round(time.Second))
		}
		if ctx.Err() != nil && waited >= max(grace, slow) && w.since.Load() == since { // still
			r.note("%s does not answer, so the run ends without saving%s%s", who, r.kept(int(w.saved.Load())), r.howToGoOn())
			w.Abort(1)
			return
		}
	}
}

// note sends a note from any goroutine.
func (r *Run) note(format string, args ...any) {
	if r.Settings.OnEvent != nil {
		r.Settings.OnEvent(pipeline.Note(format, args...))
	}
}

// howToGoOn says, for the end of a note, which command goes on with the run.
func (r *Run) howToGoOn() string {
	return ": go on with " + r.words().Action(goOn(r.Job.Command(), r.Dir.Path))
}
