package draw

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A fakeNet doubles x, notes the sizes of its batches, and panics over class 13. Each batch waits
// for the gate.
type fakeNet struct {
	model.Replica
	mu    sync.Mutex
	sizes []int
	gate  chan struct{}
	begun atomic.Int32 // batches
}

func (f *fakeNet) Forward(v, x, t []float32, y []int32) {
	f.begun.Add(1)
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sizes = append(f.sizes, len(t))
	if slices.Contains(y, 13) {
		panic("unlucky")
	}
	for i := range x {
		v[i] = 2 * x[i]
	}
}

// fakeNetwork returns a network of states of 2 numbers.
func fakeNetwork(f *fakeNet) *network {
	return &network{size: 2, create: func() *bench { return &bench{net: f} }}
}

// callOf returns a call of n rows that begin with a number.
func callOf(ctx context.Context, net *network, n int, first float32, class int32) *call {
	r := rows{n: n, t: make([]float32, n), v: make([]float32, 2*n), y: slices.Repeat([]int32{class}, n)}
	for i := range 2 * n {
		r.x = append(r.x, first+float32(i))
	}
	return &call{key: key{net: net, kind: forward, classes: true}, rows: r, ctx: ctx}
}

// checkDoubled checks the results of a call.
func checkDoubled(t *testing.T, c *call) {
	t.Helper()
	for i, v := range c.v {
		if v != 2*c.x[i] {
			t.Fatalf("number %d of %d rows is %v, want %v", i, c.n, v, 2*c.x[i])
		}
	}
}

// Rows of many callers are evaluated together, and calls of any number of rows get their results.
// They come while the worker evaluates a batch, so that none of them goes before the others.
func TestEvaluatorBatches(t *testing.T) {
	roomtest.NoLeaks(t)
	e, f := newEvaluator(1), &fakeNet{gate: make(chan struct{})}
	net := fakeNetwork(f)
	var all sync.WaitGroup
	counts := []int{1, 1, 3, 1, 17, 1, 2, 8}
	waiting := func() int {
		e.mu.Lock()
		defer e.mu.Unlock()
		n := 0
		for _, c := range e.queue {
			n += c.n - c.taken
		}
		return n
	}
	call := func(i, n int) {
		e.enter()
		all.Go(func() {
			defer e.leave()
			c := callOf(t.Context(), net, n, float32(100*i), 1)
			if err := e.evaluate(c); err != nil {
				t.Error(err)
			}
			checkDoubled(t, c)
		})
	}
	call(len(counts), batchRows)
	eventually(t, "the worker evaluates", func() bool { return f.begun.Load() == 1 })
	for i, n := range counts {
		call(i, n)
	}
	eventually(t, "all wait", func() bool { return waiting() == 34 })
	close(f.gate)
	all.Wait()
	e.close()
	if want := []int{8, 8, 8, 8, 8, 2}; !slices.Equal(f.sizes, want) {
		t.Errorf("batches of %v rows, want %v", f.sizes, want)
	}
	if got := e.done(); got.rows != 34+batchRows || got.busy <= 0 {
		t.Errorf("%+v", got)
	}
}

// A panic is the error of the call whose rows are to blame.
func TestEvaluatorPanic(t *testing.T) {
	roomtest.NoLeaks(t)
	e := newEvaluator(2)
	defer e.close()
	net := fakeNetwork(&fakeNet{})
	var all sync.WaitGroup
	for i := range 20 {
		e.enter()
		all.Go(func() {
			defer e.leave()
			class := int32(i % 5)
			if class == 4 {
				class = 13
			}
			c := callOf(t.Context(), net, 1+i%3, float32(i), class)
			err := e.evaluate(c)
			if _, is := errors.AsType[*PanicError](err); is != (class == 13) {
				t.Errorf("class %d: %v", class, err)
			}
			if class != 13 {
				checkDoubled(t, c)
			}
		})
	}
	all.Wait()
}

// Rows that wait when their context ends are dropped; those that a worker has are waited for.
func TestEvaluatorDrops(t *testing.T) {
	roomtest.NoLeaks(t)
	e, f := newEvaluator(1), &fakeNet{gate: make(chan struct{})}
	net := fakeNetwork(f)
	ctx, cancel := context.WithCancel(t.Context())
	taken, waits := make(chan error), make(chan error)
	e.enter()
	go func() { taken <- e.evaluate(callOf(t.Context(), net, batchRows, 0, 1)) }()
	eventually(t, "the queue is empty", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.queue) == 0 && e.between == 0
	})
	e.enter()
	go func() { waits <- e.evaluate(callOf(ctx, net, 3, 0, 1)) }()
	eventually(t, "3 rows wait", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.queue) == 1
	})
	cancel()
	select {
	case err := <-waits:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the rows wait on")
	}
	close(f.gate)
	if err := <-taken; err != nil {
		t.Error(err)
	}
	e.leave()
	e.leave()
	e.close()
	if got := e.done().rows; got != batchRows {
		t.Errorf("%d rows were evaluated, want %d", got, batchRows)
	}
}

// Few rows are shared among the workers that are idle.
func TestGatherShares(t *testing.T) {
	net := fakeNetwork(&fakeNet{})
	for _, c := range []struct{ waiting, idle, want int }{{1, 2, 1}, {4, 2, 2}, {5, 2, 3}, {16, 2, 8}, {40, 2, 8}, {7, 1, 7}} {
		e := &evaluator{idle: c.idle}
		for range c.waiting {
			e.queue = append(e.queue, callOf(t.Context(), net, 1, 0, 1))
		}
		e.queue = append(e.queue, callOf(t.Context(), fakeNetwork(nil), 1, 0, 1))
		if b := e.gather(); b.rows() != c.want || len(e.queue) != c.waiting+1-c.want {
			t.Errorf("%+v: %d rows, %d calls left", c, b.rows(), len(e.queue))
		}
	}
}
