package draw

import (
	"sync"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// benchImages is the number of images of a benchmark's turn.
const benchImages = 64

// BenchmarkClients draws 64 images of the model mnist for 64 clients at the same time, an image for
// each, beside 64 images of one call without a service.
func BenchmarkClients(b *testing.B) {
	const threads = 2
	b.Run("service", func(b *testing.B) {
		s := newService(b, Options{Compute: pipeline.Compute{Threads: threads}})
		if _, err := s.Do(b.Context(), one("mnist")); err != nil { // loads it
			b.Fatal(err)
		}
		for b.Loop() {
			var all sync.WaitGroup
			for client := range benchImages {
				all.Go(func() {
					r := Request{Model: "mnist", Sample: sample.Options{Seed: uint64(client)}}
					if _, err := s.Do(b.Context(), r); err != nil {
						b.Error(err)
					}
				})
			}
			all.Wait()
		}
		b.ReportMetric(benchImages*float64(b.N)/b.Elapsed().Seconds(), "images/s")
	})
	b.Run("alone", func(b *testing.B) {
		sampler, err := sample.NewSampler(aloneModel(b, "", "mnist"), sample.Options{Count: benchImages, Threads: threads})
		if err != nil {
			b.Fatal(err)
		}
		defer sampler.Close()
		for b.Loop() {
			if _, err := sampler.Draw(b.Context(), 0, benchImages); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(benchImages*float64(b.N)/b.Elapsed().Seconds(), "images/s")
	})
}
