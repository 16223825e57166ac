package field

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// Options says which tensors to evaluate a network's velocity on.
type Options struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/.
	Model string
	// In is a safetensors file of x [N,C,H,W] and t [N]. Networks with classes also take y [N]
	// (int64), flow maps d [N], the lengths of jumps, 0 where there is no d, and Grad takes target
	// [N,C,H,W].
	In string
	// Out is the safetensors file to write: v [N,C,H,W], with Grad also loss [1], grad.x [N,C,H,W]
	// and grad.PARAMETER. Of a network that predicts noise or data it holds prediction too.
	Out string
	// Grad also finds the mean of (prediction-target)² over all numbers, and its gradients.
	Grad bool
	pipeline.Compute
}

// A Result says what was evaluated.
type Result struct {
	Path   string
	Images int
	Loss   float64 // with Grad
	Model  string
}

// Evaluate evaluates v(x, t, y) of a network on tensors from a file, for comparing it with another
// implementation. For a network that predicts noise or data, v is the velocity that follows, and prediction what it said,
// which is what the target and the gradients of Grad are about. Layouts are PyTorch's. A mistake in the options is an [*OptionError].
func Evaluate(ctx context.Context, o Options) (Result, error) {
	if err := o.validate(); err != nil {
		return Result{}, err
	}
	modelPath, err := model.NameOrNewest(o.Model)
	if err != nil {
		return Result{}, err
	}
	ck, u, err := model.OpenUNet(modelPath, o.ISA)
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

// fieldInput is what the file holds, with images as [N, H, W, C].
type fieldInput struct {
	cfg       unet.Config
	predicts  model.Prediction
	x, target []float32 // target is nil without gradients
	t         []float32
	d         []float32 // nil for a network of velocities
	y         []int32
}

// readInput reads the file and checks its tensors against the network.
func (o *Options) readInput(cfg unet.Config) (*fieldInput, error) {
	file, err := regular.Open(o.In)
	if err != nil {
		return nil, fmt.Errorf("%w: name a safetensors file", regular.Reason(err))
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		return nil, err
	}
	t := f.Tensor("t")
	switch {
	case t == nil:
		return nil, errors.New("tensor t is missing: the times of N images as floats [N] are needed")
	case t.DType == safetensors.I64 || len(t.Shape) != 1 || t.Shape[0] == 0:
		return nil, fmt.Errorf("tensor t is %s of shape %v: the times of N images as floats [N], N at least 1, are needed", t.DType, t.Shape)
	}
	in := &fieldInput{cfg: cfg, t: t.F32}
	if in.x, err = in.images(f, "x"); err != nil {
		return nil, err
	}
	if o.Grad {
		if in.target, err = in.images(f, "target"); err != nil {
			return nil, err
		}
	}
	if err := in.readJumps(f); err != nil {
		return nil, err
	}
	err = in.readClasses(f)
	return in, err
}

// images returns a tensor [N,C,H,W] of the file as [N,H,W,C].
func (in *fieldInput) images(f *safetensors.File, name string) ([]float32, error) {
	want := in.shape()
	x := f.Tensor(name)
	switch {
	case x == nil:
		return nil, fmt.Errorf("tensor %s is missing: floats of shape %v are needed", name, want)
	case x.DType == safetensors.I64 || !slices.Equal(x.Shape, want):
		return nil, fmt.Errorf("tensor %s is %s of shape %v: with %d times, the network takes floats of shape %v", name, x.DType, x.Shape, len(in.t), want)
	}
	out := make([]float32, len(x.F32))
	in.permute(out, x.F32, toNHWC)
	return out, nil
}

// readJumps reads the lengths of the jumps of a flow map. Where there are none they are 0, and v is a velocity.
func (in *fieldInput) readJumps(f *safetensors.File) error {
	d, n := f.Tensor("d"), len(in.t)
	switch {
	case !in.cfg.FlowMap && d != nil:
		return errors.New("tensor d: the network is no flow map, which jumps: leave d out")
	case !in.cfg.FlowMap:
		return nil
	case d == nil:
		in.d = make([]float32, n)
		return nil
	case d.DType == safetensors.I64 || !slices.Equal(d.Shape, []int{n}):
		return fmt.Errorf("tensor d is %s of shape %v: the lengths of jumps as floats of shape [%d] are needed", d.DType, d.Shape, n)
	}
	in.d = d.F32
	return nil
}

func (in *fieldInput) readClasses(f *safetensors.File) error {
	y, n := f.Tensor("y"), len(in.t)
	switch {
	case in.cfg.NumClasses == 0 && y == nil:
		return nil
	case in.cfg.NumClasses == 0:
		return errors.New("tensor y: the network takes no classes: leave y out")
	case y == nil:
		return fmt.Errorf("tensor y is missing: the network takes classes 0-%d, as int64 [N]", in.cfg.NumClasses-1)
	case y.DType != safetensors.I64 || !slices.Equal(y.Shape, []int{n}):
		return fmt.Errorf("tensor y is %s of shape %v: int64 of shape [%d] is needed", y.DType, y.Shape, n)
	}
	in.y = make([]int32, n)
	for i, class := range y.I64 {
		if class < 0 || class >= int64(in.cfg.NumClasses) {
			return fmt.Errorf("tensor y: class %d of image %d: the network has classes 0-%d", class, i, in.cfg.NumClasses-1)
		}
		in.y[i] = int32(class)
	}
	return nil
}

// shape returns PyTorch's shape of the images.
func (in *fieldInput) shape() []int {
	return []int{len(in.t), in.cfg.InChannels, in.cfg.ImageSize[0], in.cfg.ImageSize[1]}
}

type direction bool

const (
	toNHWC direction = true
	toNCHW direction = false
)

// permute copies images between [N,C,H,W] and [N,H,W,C].
func (in *fieldInput) permute(dst, src []float32, to direction) {
	n, c, pixels := len(in.t), in.cfg.InChannels, in.cfg.ImageSize[0]*in.cfg.ImageSize[1]
	for i := range n {
		for ch := range c {
			for p := range pixels {
				nchw, nhwc := (i*c+ch)*pixels+p, (i*pixels+p)*c+ch
				if to == toNHWC {
					dst[nhwc] = src[nchw]
				} else {
					dst[nchw] = src[nhwc]
				}
			}
		}
	}
}

// fieldOutput collects what the workers compute.
type fieldOutput struct {
	v, dx      []float32       // [N, H, W, C]; dx is nil without gradients
	prediction []float32       // likewise; v itself for velocities
	grad       *engine.Partial // of the parameters, and the loss
}

// evaluate spreads the images over workers, a few at a time, and returns the tensors to write.
func (in *fieldInput) evaluate(ctx context.Context, m *unet.Model, threads int) (*safetensors.File, float64, error) {
	n, size := len(in.t), min(len(in.t), sample.ReplicaImages)
	chunks := (n + size - 1) / size
	out, length := &fieldOutput{v: make([]float32, len(in.x))}, 0
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

// chunk evaluates the images from..to-1; the gradients are those of the mean over all images.
func (in *fieldInput) chunk(net model.Replica, out *fieldOutput, p *engine.Partial, from, to int) {
	d := in.cfg.ImageLen()
	lo, hi := from*d, to*d
	var y []int32
	if in.y != nil {
		y = in.y[from:to]
	}
	answer := out.prediction[lo:hi]
	field := ode.FieldFunc(func(v, x, t []float32, _ []int) {
		if in.d != nil {
			net.Jump(answer, x, t, in.d[from:to], y)
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

// file returns the results as tensors.
func (in *fieldInput) file(m *unet.Model, out *fieldOutput) *safetensors.File {
	f := &safetensors.File{}
	add := func(name string, shape []int, x []float32) {
		f.Tensors = append(f.Tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape, F32: x})
	}
	nchw := func(x []float32) []float32 {
		y := make([]float32, len(x))
		in.permute(y, x, toNCHW)
		return y
	}
	add("v", in.shape(), nchw(out.v))
	if in.predicts.Objective != flow.PredictVelocity {
		add("prediction", in.shape(), nchw(out.prediction))
	}
	if in.target != nil {
		add("loss", []int{1}, []float32{float32(out.grad.Loss)})
		add("grad.x", in.shape(), nchw(out.dx))
		m.Params().AppendTensors(f, "grad.", safetensors.F32, out.grad.Grad)
	}
	return f
}
