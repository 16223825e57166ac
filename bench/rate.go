package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Rate is the median of repeated measurements, work per second, with the quartiles around it.
type Rate struct {
	Median  float64 `json:"median"`
	Low     float64 `json:"low"`  // lower quartile
	High    float64 `json:"high"` // upper quartile
	Samples int     `json:"samples"`
}

// quartiles turns seconds per call into the rate of work a call.
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

// quantile interpolates between the values around position q·(n-1) of sorted values, n ≥ 1.
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
	// leastSample is the least time of a sample: shorter calls are timed in groups, against which the
	// clock's own time of some 50 ns does not count.
	leastSample = 20 * time.Microsecond
	// leastSamples are taken even where they exceed the time.
	leastSamples = 3
	// warmUpShare of the time goes into calls that do not count.
	warmUpShare = 0.15
)

// A stopwatch repeats a call and notes how long it takes.
type stopwatch struct {
	budget  time.Duration // for warm-up and samples together
	samples int           // at least so many
}

// measure returns the seconds of each call, or of each call's share where several are timed together.
// It stops early when ctx ends.
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

// groupOf runs a call until it knows how many of them fill a sample.
func groupOf(call func()) int {
	call() // the first one makes room
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

// parallelRate measures n threads at once, each with a call of its own that prepare makes, and adds
// up their rates of work a call.
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
