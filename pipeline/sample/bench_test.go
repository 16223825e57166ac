package sample

import (
	"context"
	"fmt"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// BenchmarkSample draws 64 images with the model mnist, by 8 guided evaluations, which run the
// network twice each.
func BenchmarkSample(b *testing.B) {
	ck, err := model.Open("mnist", pipeline.Arithmetic{})
	if err != nil {
		b.Fatal(err)
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			s, err := NewSampler(ck, Options{Count: 64, Threads: threads})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			before := roomtest.Peak(kernels.Best(), threads)
			for b.Loop() {
				if _, err := s.Draw(context.Background(), 0, 64); err != nil {
					b.Fatal(err)
				}
			}
			roomtest.ReportShare(b, 64, 2*8*roomtest.EvaluationFLOPs, before, threads)
		})
	}
}
