package draw

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// batchRows is the number of rows that a worker evaluates together. More take no less time each.
const batchRows = 8

// patience is how long a worker waits for the rows of images that are between two evaluations
// before it takes a batch that is not full.
const patience = time.Millisecond

// An evaluator evaluates networks for many goroutines, its callers, with a fixed number of workers.
// The calls wait in a queue, in order of arrival.
type evaluator struct {
	mu      sync.Mutex
	changed *sync.Cond // of what follows
	queue   []*call    // those with rows that no worker has taken
	idle    int        // workers that wait for calls
	between int        // callers under way that are not in a call
	closed  bool
	stats   work
	ends    sync.WaitGroup // the workers
}

// work counts what the workers did.
type work struct {
	rows int64
	busy time.Duration
}

// A key says which rows can be evaluated together.
type key struct {
	net               *network
	kind              evaluation
	classes, weighted bool
}

// An evaluation is what is evaluated of a network.
type evaluation int

const (
	forward evaluation = iota // the velocity, or what else the network predicts
	jump                      // the mean velocity of a flow map
	pass                      // from noise to image, of a normalizing flow
	alone                     // a function of the caller's, which no other call is part of
)

// A call is an evaluation of rows that a caller waits for.
type call struct {
	key
	rows
	do    func() // of alone
	ctx   context.Context
	taken int // rows that workers have taken
	left  int // rows that are not evaluated
	err   error
	done  chan struct{}
}

// newEvaluator starts workers, which close ends.
func newEvaluator(workers int) *evaluator {
	e := &evaluator{}
	e.changed = sync.NewCond(&e.mu)
	for range workers {
		e.ends.Go(e.work)
	}
	return e
}

// close ends the workers and waits for them. No caller may be under way.
func (e *evaluator) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.changed.Broadcast()
	e.ends.Wait()
}

// enter says that a caller is under way, until it calls leave.
func (e *evaluator) enter() { e.move(1) }

func (e *evaluator) leave() { e.move(-1) }

// move adds to the number of callers that are between two calls.
func (e *evaluator) move(callers int) {
	e.mu.Lock()
	e.between += callers
	e.mu.Unlock()
	e.changed.Broadcast()
}

// evaluate puts a call into the queue and waits until it is done, or until its context ends. Then
// rows that no worker has taken are dropped.
func (e *evaluator) evaluate(c *call) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	c.left, c.done = c.n, make(chan struct{})
	e.mu.Lock()
	e.queue = append(e.queue, c)
	e.between--
	e.mu.Unlock()
	e.changed.Broadcast()
	select {
	case <-c.done:
	case <-c.ctx.Done():
		e.drop(c)
		<-c.done
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.err == nil {
		c.err = c.ctx.Err()
	}
	return c.err
}

// drop takes rows that wait out of the queue.
func (e *evaluator) drop(c *call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(e.queue, c); i >= 0 {
		e.queue = slices.Delete(e.queue, i, i+1)
		e.finish(c, c.n-c.taken, nil)
	}
}

// finish counts rows of a call that nobody waits for any more. The evaluator is locked.
func (e *evaluator) finish(c *call, rows int, err error) {
	if c.err == nil {
		c.err = err
	}
	if c.left -= rows; c.left == 0 {
		e.between++
		close(c.done)
	}
}

// A share is what a batch has of a call: its rows from..to-1.
type share struct {
	*call
	from, to int
}

// A batch has shares of calls of one key.
type batch []share

// rows returns the number of rows of a batch.
func (b batch) rows() int {
	n := 0
	for _, s := range b {
		n += s.to - s.from
	}
	return n
}

// work evaluates batches until the evaluator is closed.
func (e *evaluator) work() {
	for {
		b := e.take()
		if b == nil {
			return
		}
		begin := time.Now()
		errs := b.evaluate()
		e.give(b, errs, time.Since(begin))
		runtime.Gosched() // the callers go on, and bring their next rows
	}
}

// take waits for a batch. It is nil when the evaluator is closed.
func (e *evaluator) take() batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle++
	defer func() { e.idle-- }()
	var timer *time.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	late := false
	for {
		switch {
		case len(e.queue) == 0 && e.closed:
			return nil
		case len(e.queue) == 0:
		case e.between == 0 || late || e.queue[0].kind == alone || e.like(e.queue[0].key) >= batchRows*e.idle:
			return e.gather()
		case timer == nil:
			timer = time.AfterFunc(patience, func() {
				e.mu.Lock()
				late = true
				e.mu.Unlock()
				e.changed.Broadcast()
			})
		}
		e.changed.Wait()
	}
}

// like returns the number of rows of a key that wait.
func (e *evaluator) like(k key) int {
	n := 0
	for _, c := range e.queue {
		if c.key == k {
			n += c.n - c.taken
		}
	}
	return n
}

// gather takes the rows that came first, with others of the same key. Where few wait, the workers
// that are idle share them.
func (e *evaluator) gather() batch {
	k := e.queue[0].key
	room := min(batchRows, (e.like(k)+e.idle-1)/e.idle)
	if k.kind == alone {
		room = 1
	}
	var b batch
	kept := e.queue[:0]
	for _, c := range e.queue {
		if n := min(room, c.n-c.taken); n > 0 && c.key == k {
			b = append(b, share{c, c.taken, c.taken + n})
			c.taken += n
			room -= n
		}
		if c.taken < c.n {
			kept = append(kept, c)
		}
	}
	clear(e.queue[len(kept):])
	e.queue = kept
	return b
}

// give hands the results of a batch to its callers. errs has an error for each share, or is nil.
func (e *evaluator) give(b batch, errs []error, took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.rows += int64(b.rows())
	e.stats.busy += took
	for i, s := range b {
		var err error
		if errs != nil {
			err = errs[i]
		}
		e.finish(s.call, s.to-s.from, err)
	}
}

// done returns what the workers did.
func (e *evaluator) done() work {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// evaluate evaluates a batch. A panic is an error of the share that panics alone.
func (b batch) evaluate() []error {
	err := b.try()
	if err == nil {
		return nil
	}
	errs := make([]error, len(b))
	if len(b) == 1 {
		errs[0] = err
		return errs
	}
	for i := range b {
		errs[i] = b[i : i+1].try()
	}
	return errs
}

// try evaluates a batch. A panic becomes an error.
func (b batch) try() (err error) {
	defer catch(&err)
	if b[0].kind == alone {
		b[0].do()
		return nil
	}
	b[0].net.evaluate(b)
	return nil
}

// catch sets err to a panic of the function that defers it.
func catch(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}
