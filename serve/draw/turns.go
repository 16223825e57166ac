package draw

import (
	"context"
	"slices"
	"sync"
)

// Turns begin the images of requests. A bounded number is under way, and requests that have images
// left take turns to begin one. A request that has none under way need not wait for the images of
// others, which may take hours: some images may be under way beside the bound for its sake.
type turns struct {
	bound, spare int // images under way, and those beside them

	mu    sync.Mutex
	under int // images under way
	next  []*lot
}

// A lot is a request's images that are drawn in the same way.
type lot struct {
	n, begun, ended int
	do              func(i int)
	done            chan struct{}
}

// run calls do for each image from 0 to n-1, many at once and in turn with those of other callers,
// and waits until all calls have ended. When ctx ends, it begins no more.
func (t *turns) run(ctx context.Context, n int, do func(i int)) error {
	if n == 0 {
		return ctx.Err()
	}
	l := &lot{n: n, do: do, done: make(chan struct{})}
	t.mu.Lock()
	t.next = append(t.next, l)
	t.begin()
	t.mu.Unlock()
	select {
	case <-l.done:
	case <-ctx.Done():
		t.withdraw(l)
		<-l.done
	}
	return ctx.Err()
}

// begin begins images while there is room. The turns are locked.
func (t *turns) begin() {
	for t.under < t.bound+t.spare {
		at := slices.IndexFunc(t.next, func(l *lot) bool { return t.under < t.bound || l.begun == l.ended })
		if at < 0 {
			return
		}
		l := t.next[at]
		t.next = slices.Delete(t.next, at, at+1)
		i := l.begun
		if l.begun++; l.begun < l.n {
			t.next = append(t.next, l)
		}
		t.under++
		go func() {
			defer t.end(l)
			l.do(i)
		}()
	}
}

// end counts an image that has ended.
func (t *turns) end(l *lot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.under--
	l.ended++
	l.check()
	t.begin()
}

// withdraw leaves out the images of a lot that have not begun.
func (t *turns) withdraw(l *lot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.next, l); i >= 0 {
		t.next = slices.Delete(t.next, i, i+1)
		l.n = l.begun
		l.check()
	}
}

// check says when a lot is done. The turns are locked.
func (l *lot) check() {
	if l.ended == l.n {
		close(l.done)
	}
}
