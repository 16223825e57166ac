package cluster

import (
	"fmt"
	"sync"
)

// InProcess connects ranks that are goroutines of this process: element r of the result is for
// rank r. It is for tests, under the race detector too, and for measurements. A Send waits until
// its message is received, so a program that MPI might block blocks here. Abort ends one rank from
// outside, as a machine that fails does: all others get an error that names it.
func InProcess(size int) []Comm {
	if size < 1 {
		panic(fmt.Sprintf("cluster: a run of %d ranks", size))
	}
	w := &world{pipes: make([]pipe, size*size), ended: make(chan struct{})}
	for i := range w.pipes {
		w.pipes[i] = pipe{messages: make(chan message, 1), taken: make(chan struct{}, 1)}
	}
	comms := make([]Comm, size)
	for rank := range comms {
		comms[rank] = &local{world: w, rank: rank, size: size}
	}
	return comms
}

// A world is what the ranks of one process share.
type world struct {
	pipes []pipe        // from rank a to rank b: index a·size + b
	ended chan struct{} // closed when the ranks have lost each other

	mu  sync.Mutex
	err error // why
}

// A pipe leads from one rank to another. It holds one message at most: the receiver copies it and
// says so, and the sender waits for that. The memory is the pipe's, as a sender that returns with
// an error may change its own while the receiver still copies.
type pipe struct {
	memory   []byte
	messages chan message
	taken    chan struct{}
}

// A message is what a sender put into a pipe.
type message struct {
	call string // of Send and Exchange, Broadcast, Barrier
	data []byte
}

// The calls that messages belong to. A receiver expects one of them.
const (
	pairwise   = "a message"
	broadcasts = "a broadcast"
	barriers   = "a barrier"
)

// fail ends the world. The first reason stays.
func (w *world) fail(rank int, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = &Error{Rank: rank, Err: err}
		close(w.ended)
	}
	return w.err
}

// reason returns why the world ended, or nil.
func (w *world) reason() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// A local is one rank of a world.
type local struct {
	world      *world
	rank, size int
	closed     bool
}

// Rank implements [Comm].
func (l *local) Rank() int { return l.rank }

// Size implements [Comm].
func (l *local) Size() int { return l.size }

// Send implements [Comm].
func (l *local) Send(to int, data []byte) error {
	checkPeer(l, to)
	if err := l.usable(); err != nil {
		return err
	}
	l.put(to, pairwise, data)
	return l.wait(to)
}

// Receive implements [Comm].
func (l *local) Receive(from int, data []byte) error {
	checkPeer(l, from)
	if err := l.usable(); err != nil {
		return err
	}
	return l.take(from, pairwise, data)
}

// Exchange implements [Comm].
func (l *local) Exchange(peer int, send, receive []byte) error {
	checkPeer(l, peer)
	if err := l.usable(); err != nil {
		return err
	}
	l.put(peer, pairwise, send)
	if err := l.take(peer, pairwise, receive); err != nil {
		return err
	}
	return l.wait(peer)
}

// Broadcast implements [Comm].
func (l *local) Broadcast(root int, data []byte) error {
	checkRoot(l, root)
	if err := l.usable(); err != nil {
		return err
	}
	if l.rank != root {
		return l.take(root, broadcasts, data)
	}
	return l.putAll(broadcasts, data)
}

// Barrier implements [Comm].
func (l *local) Barrier() error {
	if err := l.usable(); err != nil {
		return err
	}
	if l.rank != 0 {
		l.put(0, barriers, nil)
		if err := l.wait(0); err != nil {
			return err
		}
		return l.take(0, barriers, nil)
	}
	for from := 1; from < l.size; from++ {
		if err := l.take(from, barriers, nil); err != nil {
			return err
		}
	}
	return l.putAll(barriers, nil)
}

// Abort implements [Comm].
func (l *local) Abort(code int) {
	_ = l.world.fail(l.rank, fmt.Errorf("aborted with code %d", code))
}

// Close implements [Comm].
func (l *local) Close() error {
	if l.closed {
		return nil
	}
	err := l.Barrier()
	l.closed = true
	return err
}

func (l *local) describe() string {
	if l.size == 1 {
		return "alone"
	}
	return "in one process"
}

// usable returns why the rank can make no call, if so.
func (l *local) usable() error {
	if err := l.world.reason(); err != nil {
		return err
	}
	if l.closed {
		return &Error{Rank: l.rank, Err: ErrClosed}
	}
	return nil
}

// putAll gives the same message to all other ranks and waits until all have it.
func (l *local) putAll(call string, data []byte) error {
	for to := range l.size {
		if to != l.rank {
			l.put(to, call, data)
		}
	}
	for to := range l.size {
		if to == l.rank {
			continue
		}
		if err := l.wait(to); err != nil {
			return err
		}
	}
	return nil
}

func (l *local) pipe(from, to int) *pipe { return &l.world.pipes[from*l.size+to] }

// put gives a message to another rank. The pipe is empty, as wait followed the message before.
func (l *local) put(to int, call string, data []byte) {
	p := l.pipe(l.rank, to)
	p.memory = append(p.memory[:0], data...)
	p.messages <- message{call, p.memory}
}

// wait returns when the other rank has copied the message that put gave to it.
func (l *local) wait(to int) error {
	select {
	case <-l.pipe(l.rank, to).taken:
		return nil
	case <-l.world.ended:
		return l.world.reason()
	}
}

// take copies the next message of another rank.
func (l *local) take(from int, call string, data []byte) error {
	p := l.pipe(from, l.rank)
	select {
	case m := <-p.messages:
		if m.call != call {
			return l.world.fail(l.rank, fmt.Errorf("expects %s of rank %d, which is in %s", call, from, m.call))
		}
		if len(m.data) != len(data) {
			return l.world.fail(l.rank, lengthError(from, len(m.data), len(data)))
		}
		copy(data, m.data)
		p.taken <- struct{}{}
		return nil
	case <-l.world.ended:
		return l.world.reason()
	}
}

// lengthError says that a message was longer or shorter than its receiver expects.
func lengthError(from, got, want int) error {
	return fmt.Errorf("rank %d sent %d bytes, not %d", from, got, want)
}
