package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Rate is work per second: the median of repeated measurements, with the quartiles around it.
type Rate struct {
	Median  float64 `json:"median"`
	Low     float64 `json:"low"`  // lower quartile
	High    float64 `json:"high"` // upper quartile
	Samples int     `json:"samples"`
}

// quartiles turns the seconds of each call into a rate, where a call does the given work.
func quartiles(seconds []float64, work float64) Rate {
	if len(seconds) == 0 {
		return Rate{}
	}
	sorted := slices.Sorted(slices.Values(seconds))
	return Rate{
		Median: work / quantile(sorted, 0.5), Low: work / quantile(sorted, 0.75), High: work / quantile(sorted, 0.25),
		Samples: len(seconds),
	}
}

// quantile returns the value at position q·(n−1) of n ≥ 1 sorted values, interpolated between the
// values around it.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// plus adds the rate of another thread.
func (r Rate) plus(o Rate) Rate {
	return Rate{r.Median + o.Median, r.Low + o.Low, r.High + o.High, r.Samples + o.Samples}
}

const (
	// leastSample is the least time of a sample. Shorter calls are timed in groups: the clock
	// itself takes some 50 ns, which must not count.
	leastSample = 20 * time.Microsecond
	// leastSamples is the least number of samples, even where they take more than the time.
	leastSamples = 3
	// warmUpShare is the share of the time for calls that do not count.
	warmUpShare = 0.15
)

// A stopwatch repeats a call and notes its times.
type stopwatch struct {
	budget  time.Duration // for warm-up and samples together
	samples int           // least number of samples
}

// measure returns the seconds of a call in each sample. It stops early when ctx ends.
func (s stopwatch) measure(ctx context.Context, call func()) []float64 {
	begin := time.Now()
	group := groupOf(call)
	for time.Since(begin) < time.Duration(warmUpShare*float64(s.budget)) && ctx.Err() == nil {
		call()
	}
	var seconds []float64
	for ctx.Err() == nil && (len(seconds) < s.samples || time.Since(begin) < s.budget) {
		start := time.Now()
		for range group {
			call()
		}
		seconds = append(seconds, time.Since(start).Seconds()/float64(group))
	}
	return seconds
}

// groupOf repeats a call to find out how many calls fill a sample.
func groupOf(call func()) int {
	call() // the first call allocates its memory
	for group := 1; ; {
		start := time.Now()
		for range group {
			call()
		}
		took := time.Since(start)
		if took >= leastSample {
			return group
		}
		group = max(2*group, int(float64(group)*float64(leastSample)/float64(max(took, 1))))
	}
}

// together runs f in n goroutines that begin at the same time, and waits for all.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

// parallelRate measures n threads at once and adds up their rates. prepare makes the call of each
// thread, which does the given work.
func parallelRate(ctx context.Context, n int, s stopwatch, work float64, prepare func(thread int) func()) Rate {
	calls := make([]func(), n)
	for i := range calls {
		calls[i] = prepare(i)
	}
	rates := make([]Rate, n)
	together(n, func(i int) { rates[i] = quartiles(s.measure(ctx, calls[i]), work) })
	total := Rate{}
	for _, r := range rates {
		total = total.plus(r)
	}
	return total
}
