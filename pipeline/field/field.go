package field

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// A Result says what was evaluated.
type Result struct {
	Path   string // the file that was written
	Images int
	Loss   float64 // with Grad
	Model  string  // the path of the model
}

// Evaluate evaluates v(x, t, y) of a network on tensors from a file, and writes the results to
// another file. A network may predict noise or data: then prediction is its output and v the
// velocity that follows from it. The target and the gradients of Grad belong to the network's
// output. A mistake in the options is an [*pipeline.OptionError].
func Evaluate(ctx context.Context, o Options) (Result, error) {
	if err := o.validate(); err != nil {
		return Result{}, err
	}
	name, err := model.NameOrNewest(o.Model)
	if err != nil {
		return Result{}, err
	}
	ck, u, err := model.OpenUNet(name, o.Arithmetic)
	if err != nil {
		return Result{}, err
	}
	if regular.Same(ck.Path, o.Out) {
		return Result{}, option.Errorf("out", o.Out, "is the model: name another file")
	}
	in, err := o.readInput(u.Config())
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", o.In, err)
	}
	in.predicts = u.Predicts
	out, loss, err := in.evaluate(ctx, u.Model, o.Threads)
	if err != nil {
		return Result{}, err
	}
	if err := atomicfile.Write(o.Out, func(w io.Writer) error { return safetensors.Write(w, out) }); err != nil {
		return Result{}, err
	}
	return Result{Path: o.Out, Images: len(in.t), Loss: loss, Model: ck.Path}, nil
}

// evaluate spreads the images over workers, a few at a time. It returns the tensors to write and
// the loss.
func (in *input) evaluate(ctx context.Context, m *unet.Model, threads int) (*safetensors.File, float64, error) {
	n, size := len(in.t), min(len(in.t), sample.ReplicaImages)
	chunks := (n + size - 1) / size
	out, length := &output{v: make([]float32, len(in.x))}, 0
	if out.prediction = out.v; in.predicts.Objective != flow.PredictVelocity {
		out.prediction = make([]float32, len(in.x))
	}
	if in.target != nil {
		out.dx, length = make([]float32, len(in.x)), m.Params().Len()
	}
	c := crew.New(min(threads, chunks))
	defer c.Close()
	sums := engine.NewReducer(chunks, c.Size(), length, m.ISA().Add)
	c.OnPanic = sums.Abort
	err := c.Run(func(int) {
		net := m.NewReplica(size, in.target != nil)
		for ctx.Err() == nil {
			p, index, ok := sums.Take()
			if !ok {
				return
			}
			from := index * size
			in.chunk(net, out, p, from, min(n, from+size))
			sums.Deliver(p, index)
		}
	})
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, 0, err
	}
	out.grad = sums.Root()
	return in.file(m, out), out.grad.Loss, nil
}

// chunk evaluates the images from..to-1. Its loss and gradients are the share of these images in
// the mean over all images.
func (in *input) chunk(net model.Replica, out *output, p *engine.Partial, from, to int) {
	d := in.cfg.ImageLen()
	lo, hi := from*d, to*d
	var y []int32
	if in.y != nil {
		y = in.y[from:to]
	}
	var w []float32
	if in.w != nil {
		w = in.w[from:to]
	}
	answer := out.prediction[lo:hi]
	field := ode.FieldFunc(func(v, x, t []float32, _ []int) {
		if in.d != nil {
			net.Jump(answer, x, t, in.d[from:to], w, y)
		} else {
			net.Forward(answer, x, t, y)
		}
		copy(v, answer)
	})
	in.predicts.Velocity(field).Velocity(out.v[lo:hi], in.x[lo:hi], in.t[from:to], nil)
	if in.target == nil {
		return
	}
	clear(p.Grad)
	share := float64(to-from) / float64(len(in.t))
	dv := make([]float32, hi-lo)
	p.Loss = flow.MSE(dv, answer, in.target[lo:hi]) * share
	for i := range dv {
		dv[i] *= float32(share)
	}
	net.Backward(out.dx[lo:hi], dv, p.Grad)
}
