package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/kernels"
)

// An evaluation of the base preset at 28x28 takes 378 MFLOP with direct convolutions, a training step
// three times that for each image.
const (
	evaluationFLOPs = 378e6
	stepFLOPs       = 3 * evaluationFLOPs
)

// peak measures the multiply-add limit of the machine in FLOP/s, with as many threads busy as the
// benchmark has: cores may share clocks and caches.
func peak(isa kernels.ISA, threads int) float64 {
	c := newCrew(threads)
	defer c.close()
	rates := make([]float64, threads)
	_ = c.run(func(worker int) { rates[worker] = isa.Peak(300 * time.Millisecond) })
	return inorder.Sum(rates)
}

// reportShare reports images/s and the share of the direct convolution's limit, which was before when
// the benchmark started; what else runs on the machine can only lower it.
func reportShare(b *testing.B, images, flops, before float64, threads int) {
	rate := images * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "images/s")
	b.ReportMetric(100*rate*flops/max(before, peak(kernels.Best(), threads)), "%peak")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTrain runs whole steps of the base preset at batch 128 on MNIST.
func BenchmarkTrain(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			o := DefaultTrainOptions()
			o.Data, o.Threads, o.Steps, o.Out = "mnist", threads, maxSteps, filepath.Join(b.TempDir(), "run")
			r, err := openTraining(context.Background(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer r.close()
			if err := r.start(); err != nil {
				b.Fatal(err)
			}
			if err := r.step(b.Context()); err != nil {
				b.Fatal(err)
			}
			before := peak(kernels.Best(), threads)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.step(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			reportShare(b, float64(o.Batch), stepFLOPs, before, threads)
		})
	}
}

// BenchmarkSample draws a grid of 8x8 by 8 evaluations, each twice for guidance, with the model of the program.
func BenchmarkSample(b *testing.B) {
	ck, err := OpenCheckpoint("mnist", "")
	if err != nil {
		b.Fatal(err)
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			s, err := NewSampler(ck, SampleOptions{Count: 64, Threads: threads})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			before := peak(kernels.Best(), threads)
			for b.Loop() {
				if _, err := s.Draw(context.Background(), 0, 64); err != nil {
					b.Fatal(err)
				}
			}
			reportShare(b, 64, 2*8*evaluationFLOPs, before, threads)
		})
	}
}
