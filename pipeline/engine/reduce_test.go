package engine

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/roomtest"
)

// sumTree sums as a reducer promises, written recursively from its picture.
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

// The sum is the same, to the bit, for any number of workers, however long each of them takes.
func TestReducerSumsOneTree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 40; n++ {
		leaves := make([]float32, n)
		for i := range leaves {
			leaves[i] = float32(rng.NormFloat64()) // another order of sums gives other last bits
		}
		for _, workers := range []int{1, 2, 3, 7, 50} {
			r := NewReducer(n, workers, 1, func(dst, src []float32) { dst[0] += src[0] })
			for range 3 {
				roomtest.Within(t, 10*time.Second, func() { reduceAll(r, leaves, workers) })
				if got, want := r.Root().Grad[0], sumTree(leaves); got != want || float32(r.Root().Loss) != float32(n) {
					t.Fatalf("%d leaves, %d workers: sum %v, want %v; loss %v", n, workers, got, want, r.Root().Loss)
				}
			}
		}
	}
}

// reduceAll runs a step on workers that pause at random.
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

// While the first micro-batch takes longer than all others together, the others run out of buffers.
// They must wait for the first, and then go on.
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
		for starved := false; !starved; { // the sums of 1, 2-3, 4-7, … wait for their siblings
			time.Sleep(time.Millisecond)
			r.mu.Lock()
			starved = len(r.pool) == 0
			r.mu.Unlock()
		}
		r.Deliver(slow, i)
		others.Wait()
	})
	if r.Root() == nil || r.Root().Grad[0] != n {
		t.Fatalf("root %v, want a sum of %d", r.Root(), n)
	}
}

// Abort wakes a worker that waits for a buffer.
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
