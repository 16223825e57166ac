package bench

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"time"
)

// For times of 1, 2, 3, 4 and 5 s the quartiles are 2, 3 and 4 s. The quartiles of the rates have
// the opposite order.
func TestQuartiles(t *testing.T) {
	got := quartiles([]float64{5, 1, 4, 2, 3}, 10)
	want := Rate{Median: 10.0 / 3, Low: 10.0 / 4, High: 10.0 / 2, Samples: 5}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := quartiles(nil, 10); got != (Rate{}) {
		t.Errorf("without samples: got %+v", got)
	}
	if got := quartiles([]float64{2}, 10); got != (Rate{5, 5, 5, 1}) {
		t.Errorf("one sample: got %+v", got)
	}
}

// Between two values the quantile is linear.
func TestQuantileInterpolates(t *testing.T) {
	if got := quantile([]float64{1, 2, 4, 8}, 0.5); got != 3 {
		t.Errorf("median %v, want 3", got)
	}
	if got := quantile([]float64{1, 2, 4, 8}, 0.75); got != 5 {
		t.Errorf("upper quartile %v, want 5", got)
	}
}

// The stopwatch measures the time of a call that sleeps, and stops soon after its budget. A busy
// machine sleeps too long, so the bounds are one-sided.
func TestMeasure(t *testing.T) {
	const nap = 2 * time.Millisecond
	calls := 0
	seconds := stopwatch{budget: 40 * time.Millisecond, samples: 3}.measure(t.Context(), func() {
		calls++
		time.Sleep(nap)
	})
	if len(seconds) < 3 || calls < len(seconds) {
		t.Errorf("%d samples of %d calls", len(seconds), calls)
	}
	for _, s := range seconds {
		if s < nap.Seconds() {
			t.Errorf("a sample of %v s, less than the call sleeps", s)
		}
	}
	if calls > 21 {
		t.Errorf("%d calls of %v in 40 ms", calls, nap)
	}
}

// Calls that are too short for the clock are timed in groups, and the time is divided by their
// number. A call of 0.1 µs must not seem to take the 20 µs of a sample.
func TestShortCallsAreGrouped(t *testing.T) {
	var calls atomic.Int64
	seconds := stopwatch{budget: 5 * time.Millisecond, samples: 3}.measure(t.Context(), func() { calls.Add(1) })
	if s := quartiles(seconds, 1).Median; s < 1/leastSample.Seconds() {
		t.Errorf("a call that counts takes %v s", 1/s)
	}
	if per := calls.Load() / int64(len(seconds)); per < 10 {
		t.Errorf("%d calls a sample, want many", per)
	}
}

func TestMeasureStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	stopwatch{budget: time.Hour, samples: 3}.measure(ctx, func() {
		if calls++; calls == 10 {
			cancel()
		}
		time.Sleep(50 * time.Microsecond)
	})
	if calls > 20 { // a group may be under way
		t.Errorf("%d calls after the context ended with the tenth", calls)
	}
}

// All threads run at once: each waits for the others.
func TestTogether(t *testing.T) {
	const n = 4
	meet := make(chan struct{})
	var inside atomic.Int64
	together(n, func(int) {
		if inside.Add(1) == n {
			close(meet)
		}
		<-meet
	})
	if inside.Load() != n {
		t.Errorf("%d ran, want %d", inside.Load(), n)
	}
}

// The rates of threads add up, and every thread has a call of its own.
func TestParallelRate(t *testing.T) {
	var calls [3]int
	rate := parallelRate(t.Context(), 3, stopwatch{budget: time.Millisecond, samples: 3}, 1, func(i int) func() {
		return func() {
			calls[i]++
			time.Sleep(100 * time.Microsecond)
		}
	})
	if most := 3 / 100e-6; rate.Median <= 0 || rate.Median > most || math.IsInf(rate.High, 0) {
		t.Errorf("rate %+v, want at most %v", rate, most)
	}
	for i, n := range calls {
		if n == 0 {
			t.Errorf("thread %d made no call", i)
		}
	}
	if rate.Samples < 9 {
		t.Errorf("%d samples of 3 threads, want 3 each", rate.Samples)
	}
}
