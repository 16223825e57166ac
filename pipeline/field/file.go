package field

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// An input holds the tensors of the file, with images as [N, H, W, C].
type input struct {
	cfg       unet.Config
	predicts  model.Prediction
	x, target []float32 // [N, H, W, C]; target is nil without gradients
	t         []float32 // [N]
	d         []float32 // [N]; nil for a network of velocities
	w         []float32 // [N]; nil for no guidance
	y         []int32   // [N]; nil for a network without classes
}

// readInput reads the file In and checks its tensors against the network.
func (o *Options) readInput(cfg unet.Config) (*input, error) {
	file, err := regular.Open(o.In)
	if errors.Is(err, regular.ErrURL) {
		return nil, regular.Reason(err)
	}
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
		return nil, fmt.Errorf("tensor t is %s of shape %v: "+
			"the times of N images as floats [N], N at least 1, are needed", t.DType, t.Shape)
	}
	in := &input{cfg: cfg, t: t.F32}
	if in.x, err = in.images(f, "x"); err != nil {
		return nil, err
	}
	if o.Grad {
		if in.target, err = in.images(f, "target"); err != nil {
			return nil, err
		}
	}
	if err := option.First(in.readJumps(f), in.readWeights(f)); err != nil {
		return nil, err
	}
	err = in.readClasses(f)
	return in, err
}

// images returns the tensor [N, C, H, W] with the given name as [N, H, W, C].
func (in *input) images(f *safetensors.File, name string) ([]float32, error) {
	want := in.shape()
	x := f.Tensor(name)
	switch {
	case x == nil:
		return nil, fmt.Errorf("tensor %s is missing: floats of shape %v are needed", name, want)
	case x.DType == safetensors.I64 || !slices.Equal(x.Shape, want):
		return nil, fmt.Errorf("tensor %s is %s of shape %v: with %s, the network takes floats of shape %v",
			name, x.DType, x.Shape, text.Count(len(in.t), "time", "times"), want)
	}
	out := make([]float32, len(x.F32))
	in.permute(out, x.F32, toNHWC)
	return out, nil
}

// readJumps reads the lengths of the jumps of a flow map. A file without them means 0, for which
// the flow map is a velocity.
func (in *input) readJumps(f *safetensors.File) error {
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
		return fmt.Errorf("tensor d is %s of shape %v: the lengths of jumps as floats of shape [%d] are needed",
			d.DType, d.Shape, n)
	}
	in.d = d.F32
	return nil
}

// readWeights reads the weights of guidance for a flow map that takes them. A file without them
// means 1, no guidance.
func (in *input) readWeights(f *safetensors.File) error {
	w, n := f.Tensor("w"), len(in.t)
	switch {
	case w == nil:
		return nil
	case !in.cfg.GuidanceEmbed:
		return errors.New("tensor w: the network takes no weight of guidance: leave w out")
	case w.DType == safetensors.I64 || !slices.Equal(w.Shape, []int{n}):
		return fmt.Errorf("tensor w is %s of shape %v: the weights of guidance as floats of shape [%d] are needed",
			w.DType, w.Shape, n)
	}
	in.w = w.F32
	return nil
}

// readClasses reads the classes for a network that takes them.
func (in *input) readClasses(f *safetensors.File) error {
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
			return fmt.Errorf("tensor y: class %d of image %d: the network has classes 0-%d",
				class, i, in.cfg.NumClasses-1)
		}
		in.y[i] = int32(class)
	}
	return nil
}

// shape returns the shape of the images in PyTorch's layout.
func (in *input) shape() []int {
	return []int{len(in.t), in.cfg.InChannels, in.cfg.ImageSize[0], in.cfg.ImageSize[1]}
}

// A direction says which way [input.permute] goes.
type direction bool

const (
	toNHWC direction = true
	toNCHW direction = false
)

// permute copies images between the layouts [N, C, H, W] and [N, H, W, C].
func (in *input) permute(dst, src []float32, to direction) {
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

// An output collects the results of the workers.
type output struct {
	v, dx      []float32       // [N, H, W, C]; dx is nil without gradients
	prediction []float32       // [N, H, W, C]; v itself for a network of velocities
	grad       *engine.Partial // the gradient of the parameters, and the loss
}

// file returns the results as tensors.
func (in *input) file(m *unet.Model, out *output) *safetensors.File {
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
