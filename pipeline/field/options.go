package field

import (
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/pipeline"
)

// Options says which tensors to evaluate a network's velocity on.
type Options struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/.
	Model string
	// In is a safetensors file of x [N,C,H,W] and t [N]. Networks with classes also take y [N]
	// (int64), flow maps d [N], the lengths of jumps, 0 where there is no d, and some of them w
	// [N], the weights of guidance, 1 where there is no w. Grad takes target [N,C,H,W].
	In string
	// Out is the safetensors file to write: v [N,C,H,W], with Grad also loss [1], grad.x [N,C,H,W]
	// and grad.PARAMETER. Of a network that predicts noise or data it holds prediction too.
	Out string
	// Grad also finds the mean of (prediction-target)² over all numbers, and its gradients.
	Grad bool
	pipeline.Compute
}

// validate fills in defaults, reports the first option that cannot be used, and checks that Out can
// be written.
func (o *Options) validate() error {
	o.Compute = o.Compute.WithDefaults()
	switch {
	case o.In == "":
		return option.Errorf("in", nil, "is needed: name a safetensors file with x and t")
	case o.Out == "":
		return option.Errorf("out", nil, "is needed: name the safetensors file to write")
	}
	if err := o.Compute.Validate(); err != nil {
		return err
	}
	if regular.Same(o.In, o.Out) {
		return option.Errorf("out", o.Out, "is the input: name another file")
	}
	return atomicfile.Probe(o.Out)
}
