package engine

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/roomtest"
)

// sumTree is the sum that a reducer promises, written down recursively from its picture.
func sumTree(leaves []float32) float32 {
	if len(leaves) == 1 {
		return leaves[0]
	}
	var next []float32
	for i := 0; i < len(leaves); i += 2 {
		if i+1 < len(leaves) {
			next = append(next, leaves[i]+leaves[i+1])
		} else {
			next = append(next, leaves[i])
		}
	}
	return sumTree(next)
}

func TestReducerSumsOneTree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 40; n++ {
		leaves := make([]float32, n)
		for i := range leaves {
			leaves[i] = float32(rng.NormFloat64()) // sums of these in another order differ in the last bits
		}
		for _, workers := range []int{1, 2, 3, 7, 50} {
			r := NewReducer(n, workers, 1, func(dst, src []float32) { dst[0] += src[0] })
			for range 3 {
				roomtest.Within(t, 10*time.Second, func() { reduceAll(r, leaves, workers) })
				if got, want := r.root.Grad[0], sumTree(leaves); got != want || float32(r.root.Loss) != float32(n) {
					t.Fatalf("%d leaves, %d workers: sum %v, want %v; loss %v", n, workers, got, want, r.root.Loss)
				}
			}
		}
	}
}

// reduceAll runs a step on goroutines that take their time, each in another way.
func reduceAll(r *Reducer, leaves []float32, workers int) {
	r.reset()
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			for {
				p, i, ok := r.Take()
				if !ok {
					return
				}
				p.Grad[0], p.Loss = leaves[i], 1
				if rng.IntN(4) == 0 {
					time.Sleep(time.Duration(rng.IntN(50)) * time.Microsecond)
				}
				r.Deliver(p, i)
			}
		})
	}
	done.Wait()
}

// While the first micro-batch takes longer than all others together, the others run out of buffers. They
// must wait for it, and go on then.
func TestReducerWaitsForBuffers(t *testing.T) {
	const n, workers = 64, 1
	r := NewReducer(n, workers, 1, func(dst, src []float32) { dst[0] += src[0] })
	r.reset()
	slow, i, _ := r.Take()
	slow.Grad[0] = 1
	roomtest.Within(t, 10*time.Second, func() {
		var others sync.WaitGroup
		others.Go(func() {
			for {
				p, k, ok := r.Take()
				if !ok {
					return
				}
				p.Grad[0] = 1
				r.Deliver(p, k)
			}
		})
		for starved := false; !starved; { // 1, 2-3, 4-7, … wait for their siblings
			time.Sleep(time.Millisecond)
			r.mu.Lock()
			starved = len(r.pool) == 0
			r.mu.Unlock()
		}
		r.Deliver(slow, i)
		others.Wait()
	})
	if r.root == nil || r.root.Grad[0] != n {
		t.Fatalf("root %v, want a sum of %d", r.root, n)
	}
}

func TestReducerAbortWakes(t *testing.T) {
	r := NewReducer(64, 1, 1, nil) // more micro-batches than buffers
	r.reset()
	for range len(r.pool) {
		r.Take()
	}
	roomtest.Within(t, 10*time.Second, func() {
		go r.Abort()
		if _, _, ok := r.Take(); ok {
			t.Error("work was handed out although no buffer is left")
		}
	})
}

func TestCrewTurnsPanicIntoError(t *testing.T) {
	roomtest.NoLeaks(t)
	c := crew.New(3)
	defer c.Close()
	woken := false
	c.OnPanic = func() { woken = true }
	err := c.Run(func(worker int) {
		if worker == 1 {
			panic("first line\nsecond line")
		}
	})
	var panicked *crew.PanicError
	if !errors.As(err, &panicked) || !woken || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v, woken %t", err, woken)
	}
	if !strings.Contains(string(panicked.Stack), "TestCrewTurnsPanicIntoError") {
		t.Errorf("the stack does not show the culprit:\n%s", panicked.Stack)
	}
	if again := c.Run(func(int) {}); again == nil {
		t.Error("a crew whose work is half done went on")
	}
}

func TestCrewRunsAllocateNothing(t *testing.T) {
	c := crew.New(4)
	defer c.Close()
	phase := func(int) {}
	if n := testing.AllocsPerRun(100, func() { _ = c.Run(phase) }); n != 0 {
		t.Errorf("%v allocations a phase", n)
	}
}
