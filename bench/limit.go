package bench

import (
	"time"

	"github.com/fmimg/fmimg/kernels"
)

// A Limit is what the hardware allows an instruction set on a number of threads.
type Limit struct {
	ISA     string `json:"isa"`
	Threads int    `json:"threads"`
	// GFLOPs is the rate of fused multiply-adds over registers alone. Each counts as two
	// operations.
	GFLOPs float64 `json:"fma_gflops"`
	// BF16 is the rate of products of bfloat16 that are summed up in float32, by instructions for
	// them. It is 0 for an instruction set that has none.
	BF16 float64 `json:"bf16_gflops,omitempty"`
	// Bandwidth is that of dst += src over arrays beyond the caches: two reads and a write count.
	Bandwidth float64 `json:"memory_gb_per_s"`
}

// peak returns the rate that bounds a network in a precision.
func (l Limit) peak(precision string) float64 {
	if inPrecision(precision) == kernels.BF16.String() && l.BF16 > 0 {
		return l.BF16
	}
	return l.GFLOPs
}

// atLeast returns the limit with the higher peaks of two measurements.
func (l Limit) atLeast(o Limit) Limit {
	l.GFLOPs, l.BF16 = max(l.GFLOPs, o.GFLOPs), max(l.BF16, o.BF16)
	return l
}

// measureLimit measures a limit in about the given time. bytes is the size of all arrays together.
func measureLimit(isa kernels.ISA, threads, bytes int, budget time.Duration) Limit {
	l := measurePeaks(isa, threads, budget/2)
	l.Bandwidth = bandwidth(isa, threads, bytes, budget/2) / 1e9
	return l
}

// measurePeaks measures a limit but for the bandwidth.
func measurePeaks(isa kernels.ISA, threads int, budget time.Duration) Limit {
	return Limit{
		ISA: isa.String(), Threads: threads,
		GFLOPs: sum(threads, func() float64 { return isa.Peak(budget / 2) }) / 1e9,
		BF16:   sum(threads, func() float64 { return isa.PeakBF16(budget / 2) }) / 1e9,
	}
}

// sum returns the sum of the rates that several threads measure at once.
func sum(threads int, measure func() float64) float64 {
	rates := make([]float64, threads)
	together(threads, func(i int) { rates[i] = measure() })
	total := 0.0
	for _, r := range rates {
		total += r
	}
	return total
}

// bandwidth returns the bytes a second that all threads together move between memory and registers:
// the best of several passes.
func bandwidth(isa kernels.ISA, threads, bytes int, budget time.Duration) float64 {
	n := max(bytes/(2*4*threads), 1024) // two arrays of float32 a thread
	rates := make([]float64, threads)
	together(threads, func(i int) {
		dst, src := make([]float32, n), make([]float32, n)
		isa.Add(dst, src) // touches the pages on the thread that uses them
		for deadline := time.Now().Add(budget); ; {
			start := time.Now()
			isa.Add(dst, src)
			now := time.Now()
			rates[i] = max(rates[i], 3*4*float64(n)/now.Sub(start).Seconds())
			if now.After(deadline) {
				return
			}
		}
	})
	total := 0.0
	for _, r := range rates {
		total += r
	}
	return total
}

// beyondCaches returns a size, in bytes, of which the caches of a CPU cannot hold a useful part:
// four times the last level, within what any machine has.
func beyondCaches(cpu kernels.Processor) int {
	const least, most = 64 << 20, 1 << 30
	return min(max(4*cpu.L3, least), most)
}
