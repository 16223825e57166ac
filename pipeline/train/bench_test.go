package train

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/engine"
)

// BenchmarkTrain runs whole steps of the base preset at batch 128 on MNIST.
func BenchmarkTrain(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			var o Options
			o.Seed, o.Data, o.Threads, o.Steps, o.Out = 1, "mnist", threads, engine.MaxSteps,
				filepath.Join(b.TempDir(), "run")
			r, err := openTraining(context.Background(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			if err := r.Start(); err != nil {
				b.Fatal(err)
			}
			if err := r.Step(b.Context()); err != nil {
				b.Fatal(err)
			}
			before := roomtest.Peak(kernels.Best(), threads)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Step(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			roomtest.ReportShare(b, float64(o.Batch), roomtest.StepFLOPs, before, threads)
		})
	}
}
