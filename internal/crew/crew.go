package crew

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
)

// A Crew is a fixed set of goroutines, its workers, that run one phase of work at a time together.
// Running a phase allocates nothing. One goroutine may use a crew at a time.
type Crew struct {
	work []chan func(worker int)
	busy sync.WaitGroup // the workers of the running phase
	ends sync.WaitGroup // the goroutines

	// OnPanic is called when a worker panics. It wakes workers that wait for that one; may be nil.
	OnPanic func()

	mu  sync.Mutex
	err error // the first panic
}

// A PanicError is a panic of a worker: a bug, or memory that ran out.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // where
}

// Error returns one line.
func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error: %s", strings.ReplaceAll(fmt.Sprint(e.Value), "\n", " "))
}

// New starts the goroutines, which Close ends.
func New(workers int) *Crew {
	c := &Crew{work: make([]chan func(int), workers)}
	for i := range c.work {
		c.work[i] = make(chan func(int), 1)
		c.ends.Go(func() {
			for phase := range c.work[i] {
				c.call(phase, i)
				c.busy.Done()
			}
		})
	}
	return c
}

// Size returns the number of workers.
func (c *Crew) Size() int { return len(c.work) }

// Run calls phase once on each worker and waits for all of them. The first panic of a worker is
// returned as a [*PanicError], in this call and in all later ones, because the work is half done.
func (c *Crew) Run(phase func(worker int)) error {
	c.busy.Add(len(c.work))
	for _, w := range c.work {
		w <- phase
	}
	c.busy.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Each calls do once for each index from 0 to n-1, in any order, on at most the given number of
// workers. When ctx ends, it calls do no more and returns ctx.Err().
func (c *Crew) Each(ctx context.Context, workers, n int, do func(worker, i int)) error {
	var next atomic.Int64
	err := c.Run(func(worker int) {
		for worker < workers && ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			do(worker, i)
		}
	})
	if err != nil {
		return err
	}
	return ctx.Err()
}

// call runs a phase on a worker.
func (c *Crew) call(phase func(int), worker int) {
	defer func() {
		if v := recover(); v != nil {
			c.fail(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	phase(worker)
}

// fail records a panic and wakes those that wait.
func (c *Crew) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	if c.OnPanic != nil {
		c.OnPanic()
	}
}

// Close ends the goroutines and waits until they are gone.
func (c *Crew) Close() {
	for _, w := range c.work {
		close(w)
	}
	c.ends.Wait()
}
