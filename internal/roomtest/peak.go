package roomtest

import (
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
)

// The work of the base preset at 28x28 with direct convolutions, for one image: an evaluation, and
// a training step, which takes three times as much.
const (
	EvaluationFLOPs = 378e6
	StepFLOPs       = 3 * EvaluationFLOPs
)

// Peak measures the machine's limit of multiply-adds in FLOP/s on the given number of threads. A
// benchmark takes its own number, because cores may share clocks and caches.
func Peak(isa kernels.ISA, threads int) float64 {
	c := crew.New(threads)
	defer c.Close()
	rates := make([]float64, threads)
	_ = c.Run(func(worker int) { rates[worker] = isa.Peak(300 * time.Millisecond) })
	return inorder.Sum(rates)
}

// ReportShare reports images per second, and their share of the limit of direct convolutions.
// before is the limit as measured before the benchmark. ReportShare measures it again and takes the
// higher one, as other programs on the machine can only lower it.
func ReportShare(b *testing.B, images, flops, before float64, threads int) {
	rate := images * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "images/s")
	b.ReportMetric(100*rate*flops/max(before, Peak(kernels.Best(), threads)), "%peak")
	b.ReportMetric(0, "ns/op")
}
