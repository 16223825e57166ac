//go:build ignore

// Program self trains the self-supervised judge of MNIST that is part of the program:
//
//	go run pipeline/judge/mnist/self.go
//
// It is run in the repository's root. The same bytes come out each time, on every CPU with AVX2.
package main

import (
	"context"
	"io"
	"log"
	"runtime"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/safetensors"
)

const (
	out   = "pipeline/judge/mnist/self.safetensors"
	steps = 400
)

func main() {
	if err := train(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// train trains the judge on the training images of MNIST, and writes its weights in float16.
func train(ctx context.Context) error {
	set, err := dataset.Open(ctx, "mnist", dataset.Options{})
	if err != nil {
		return err
	}
	isa, err := kernels.Parse("avx2")
	if err != nil {
		return err
	}
	on := crew.New(runtime.GOMAXPROCS(0))
	defer on.Close()
	s, err := judge.TrainSelf(ctx, on, set.Train, judge.SelfOptions{ISA: isa, Steps: steps, OnEvent: report})
	if err != nil {
		return err
	}
	return atomicfile.Write(out, func(w io.Writer) error {
		return safetensors.Write(w, s.Network.File(s.Network.Params().Values, safetensors.F16, nil, nil))
	})
}

// report logs one step in fifty.
func report(e pipeline.Event) {
	if e.Step%50 == 0 {
		log.Printf("step %d of %d: loss %.3f, %.0f s", e.Step, e.Total, e.Loss, e.Seconds)
	}
}
