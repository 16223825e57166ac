package crew_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/roomtest"
)

// A phase runs once on each worker, at the same time: a phase in which each waits for all others
// ends.
func TestRunCallsEachWorkerOnce(t *testing.T) {
	roomtest.NoLeaks(t)
	const workers = 5
	c := crew.New(workers)
	defer c.Close()
	if c.Size() != workers {
		t.Errorf("%d workers, want %d", c.Size(), workers)
	}
	for range 3 {
		var calls [workers]int
		var here atomic.Int32
		all := make(chan struct{})
		err := c.Run(func(worker int) {
			calls[worker]++
			if here.Add(1) == workers {
				close(all)
			}
			<-all
		})
		if err != nil || calls != [workers]int{1, 1, 1, 1, 1} {
			t.Fatalf("calls %v, %v", calls, err)
		}
	}
}

// Each calls do once for each index, on the first workers alone.
func TestEach(t *testing.T) {
	const n = 100
	c := crew.New(4)
	defer c.Close()
	for _, workers := range []int{1, 3, 4, 9} {
		calls, most := make([]int, n), make([]int, c.Size())
		err := c.Each(t.Context(), workers, n, func(worker, i int) {
			calls[i]++
			most[worker]++
		})
		if err != nil || slices.Min(calls) != 1 || slices.Max(calls) != 1 {
			t.Errorf("%d workers: calls %v, %v", workers, calls, err)
		}
		if workers < c.Size() && slices.Max(most[workers:]) > 0 {
			t.Errorf("%d workers: more of them worked: %v", workers, most)
		}
	}
}

// When its context ends, Each stops early and returns the error of the context.
func TestEachInterrupted(t *testing.T) {
	c := crew.New(2)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int32
	err := c.Each(ctx, 2, 1000, func(_, _ int) {
		calls.Add(1)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || calls.Load() > 2 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

// A panic of a worker is an error of one line with the stack of the culprit, and the crew does not
// go on.
func TestRunTurnsPanicIntoError(t *testing.T) {
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
	if !strings.Contains(string(panicked.Stack), "TestRunTurnsPanicIntoError") {
		t.Errorf("the stack does not show the culprit:\n%s", panicked.Stack)
	}
	if again := c.Run(func(int) {}); again == nil {
		t.Error("a crew whose work is half done went on")
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	c := crew.New(4)
	defer c.Close()
	phase := func(int) {}
	if n := testing.AllocsPerRun(100, func() { _ = c.Run(phase) }); n != 0 {
		t.Errorf("%v allocations a phase", n)
	}
}
