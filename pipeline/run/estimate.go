package run

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/unet"
)

// The memory of training, in numbers, measured on the presets at 28x28 to 128x128. A number that a
// convolution computes takes actsKept in maps and their gradients. A parameter takes weightsKept in
// the forms that kernels read, beside the optimiser's vectors and the gradients. Maps have the
// precision of the run, the rest float32.
const (
	actsKept    = 1.8
	weightsKept = 9
	programSize = 64 << 20
)

// LayerShapes are the layers of a network that take memory.
type LayerShapes struct {
	Convs      []kernels.ConvShape
	attentions []unet.AttentionShape
}

// LayersOf returns the layers of a U-Net that take memory.
func LayersOf(cfg unet.Config) LayerShapes { return LayerShapes{cfg.Convs(), cfg.Attentions()} }

// estimateMemory returns about how many bytes the run will take.
func (r *Run) estimateMemory() float64 {
	o, l := r.Settings, r.layers
	image, params := 0.0, 0.0
	for _, s := range l.Convs {
		image += actsKept * float64(r.precision.Bytes()*s.H*s.W*s.OC)
		params += 4 * float64(s.Kind.Side()*s.Kind.Side()*s.IC*s.OC)
	}
	for _, s := range l.attentions {
		op := kernels.Attention{ISA: kernels.Best(), Heads: s.Heads}
		image += 4 * float64(op.KeptLen(1, s.H*s.W))
	}
	micros := (o.Batch + o.MicroBatch - 1) / o.MicroBatch
	workers := min(o.Threads, max(micros/r.ranks().Size(), 1))
	gradients := min(micros, workers+bits.Len(uint(micros))+1)
	return programSize + r.DataMemory + float64(workers*o.MicroBatch)*image + params*float64(weightsKept+4+gradients)
}

// CheckMemory sends a note when the run needs more memory than is free, or than its container may
// take. With the option Bounded that is an error. A job calls it before it makes workers.
func (r *Run) CheckMemory(layers LayerShapes) error {
	r.layers = layers
	return r.checkMemory(memoryBound())
}

// checkMemory is CheckMemory for a bound.
func (r *Run) checkMemory(b bound) error {
	need := r.estimateMemory()
	if b.bytes == 0 || need <= b.bytes {
		return nil
	}
	much := option.Say("this needs about %s of memory and %s", text.Bytes(need), b.String())
	less := option.Say("fewer %v, a smaller %v, %v or images need less", option.Setting{Option: "threads"},
		option.Setting{Option: "micro-batch"}, option.Setting{Option: "preset"})
	if r.Settings.Bounded {
		return option.Faultf("%v", much).Cured("%v", less)
	}
	r.Settings.Note("%v: %v", much, less)
	return nil
}

// probeRuns is how often a micro-batch is timed. The last time counts: the first run maps the
// memory.
const probeRuns = 2

// estimateStep returns about how long a step will take, by timing one micro-batch.
func (r *Run) estimateStep() time.Duration {
	grad := r.Trainer.Scratch()
	var took time.Duration
	for range probeRuns {
		begin := time.Now()
		r.Tasks[0].Probe(grad)
		took = time.Since(begin)
	}
	turns := (r.microBatches() + r.Trainer.Workers() - 1) / r.Trainer.Workers()
	took *= time.Duration(turns)
	// Forward and backward take the time of three evaluations.
	return took + time.Duration(float64(took)*r.ExtraWork/3)
}

// describeCost says how much memory and time the run will take.
func (r *Run) describeCost() string {
	cost := "about " + text.Bytes(r.estimateMemory())
	step := r.estimateStep()
	if r.clock != nil {
		left := max(r.clock.limit-r.clock.used, 0)
		return fmt.Sprintf("%s and, in %v, %s", cost, left.Round(time.Second),
			text.Count(int(min(max(left/max(step, 1), 1), engine.MaxSteps)), "step", "steps"))
	}
	left := max(r.Progress.Schedule.Total()-r.Progress.Step, 0)
	return fmt.Sprintf("%s and %v for %s", cost, roundTime(time.Duration(left)*step), text.Count(left, "step", "steps"))
}

// roundTime rounds a time to the precision of an estimate.
func roundTime(d time.Duration) time.Duration {
	switch {
	case d > time.Hour:
		return d.Round(time.Minute)
	case d > time.Minute:
		return d.Round(10 * time.Second)
	}
	return max(d.Round(time.Second), time.Second)
}
