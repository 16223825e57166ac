package roomtest

import (
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
)

// An evaluation of the base preset at 28x28 takes 378 MFLOP with direct convolutions, a training step
// three times that for each image.
const (
	EvaluationFLOPs = 378e6
	StepFLOPs       = 3 * EvaluationFLOPs
)

// Peak measures the multiply-add limit of the machine in FLOP/s, with as many threads busy as the
// benchmark has: cores may share clocks and caches.
func Peak(isa kernels.ISA, threads int) float64 {
	c := crew.New(threads)
	defer c.Close()
	rates := make([]float64, threads)
	_ = c.Run(func(worker int) { rates[worker] = isa.Peak(300 * time.Millisecond) })
	return inorder.Sum(rates)
}

// ReportShare reports images/s and the share of the direct convolution's limit, which was before when
// the benchmark started; what else runs on the machine can only lower it.
func ReportShare(b *testing.B, images, flops, before float64, threads int) {
	rate := images * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "images/s")
	b.ReportMetric(100*rate*flops/max(before, Peak(kernels.Best(), threads)), "%peak")
	b.ReportMetric(0, "ns/op")
}
