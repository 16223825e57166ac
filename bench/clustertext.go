package bench

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes the result as tables: what was measured, and what the model says of more ranks.
func (r *ClusterResult) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "train %v, %s\n%d ranks with %s each, %s\n", r.Workload, r.Optimizer, r.Ranks, spellThreads(r.Threads),
		r.Connection)
	if r.Link.Bandwidth > 0 {
		fmt.Fprintf(&b, "exchange of two ranks: %.1f µs, %.2f GB/s each way\n", 1e6*r.Link.Latency, r.Link.Bandwidth/1e9)
	}
	c := r.Costs
	fmt.Fprintf(&b, "a rank: %.2f ms for %d images a thread, %.2f ms at the end of a step (%.2f of it not cut), %.1f µs to pair an image\n",
		1e3*c.Wave, c.MicroBatch, 1e3*c.Tail, 1e3*c.Repack, 1e6*c.Pair)
	fmt.Fprintf(&b, "\nmeasured, medians\n%5s %6s %10s %10s %11s %12s %11s\n", "ranks", "batch", "step, ms", "model, ms",
		"1 rank, ms", "1 process", "efficiency")
	for _, p := range r.Points {
		fmt.Fprintf(&b, "%5d %6d %10.2f %10.2f %11.2f %12s %10.0f%%\n", p.Ranks, p.Batch, 1e3*p.Step, 1e3*p.Model,
			1e3*p.Alone, unless0(1e3*p.OneProcess, "%.2f"), 100*p.Efficiency())
	}
	b.WriteString("\nmodel: machines like a rank, on a network\n")
	fmt.Fprintf(&b, "%8s %5s %6s %10s %12s %8s %11s\n", "Gbit/s", "ranks", "batch", "step, ms", "passing, ms", "speed", "efficiency")
	for _, p := range r.Projection {
		fmt.Fprintf(&b, "%8.0f %5d %6d %10.2f %12.2f %7.1fx %10.0f%%\n", p.Gbits, p.Ranks, p.Batch, 1e3*p.Step,
			1e3*p.Passing, p.Speed, 100*p.Speed/float64(p.Ranks))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Efficiency is the speed of the ranks over that of one of them, times their number.
func (p ClusterPoint) Efficiency() float64 { return p.Alone / p.Step / float64(p.Ranks) }
