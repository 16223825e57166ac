package field

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/safetensors"
)

const (
	goldenModel = "../../unet/testdata/unet_small.safetensors"
	goldenIO    = "../../unet/testdata/unet_small_io.safetensors"
)

// Evaluate gives PyTorch's velocity, loss and gradients, which were computed in float64. The bound
// is the same as everywhere in the project: 1e-4 of a tensor's norm, or 1e-7 of the largest norm of
// a gradient, for gradients that should be 0.
func TestFieldGolden(t *testing.T) {
	want := roomtest.Tensors(t, goldenIO)
	for _, isa := range kernels.Available() {
		t.Run(isa.String(), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "v.safetensors")
			o := Options{
				Model: goldenModel, In: goldenIO, Out: out, Grad: true,
				Compute: pipeline.Compute{Arithmetic: pipeline.Arithmetic{ISA: isa.String()}},
			}
			if _, err := Evaluate(context.Background(), o); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, roomtest.Tensors(t, out), want)
		})
	}
}

// compareGolden compares the tensors of a result with PyTorch's.
func compareGolden(t *testing.T, got, want []safetensors.Tensor) {
	t.Helper()
	largest, compared := 0.0, 0
	for _, w := range want {
		if strings.HasPrefix(w.Name, "grad.") {
			largest = max(largest, roomtest.Norm(w.F32, nil))
		}
	}
	for _, w := range want {
		if slices.Contains([]string{"x", "t", "y", "target"}, w.Name) {
			continue
		}
		compared++
		i := slices.IndexFunc(got, func(g safetensors.Tensor) bool { return g.Name == w.Name })
		if i < 0 || !slices.Equal(got[i].Shape, w.Shape) {
			t.Fatalf("tensor %s is missing or has another shape", w.Name)
		}
		bound := 1e-4 * max(roomtest.Norm(w.F32, nil), 1e-3*largest)
		if d := roomtest.Norm(got[i].F32, w.F32); !(d <= bound) {
			t.Errorf("tensor %s is off by %.3g, allowed are %.3g", w.Name, d, bound)
		}
	}
	if compared < 10 || compared != len(got) {
		t.Errorf("compared %d tensors of %d", compared, len(got))
	}
}

// The gradient belongs to the mean over all images, for any number of images and threads.
func TestFieldManyImages(t *testing.T) {
	model, dir := roomtest.NamedModel(t), t.TempDir()
	in := roomtest.FieldFile(19, 3)
	first := roomtest.WriteTensors(t, dir, "in.safetensors", in)
	outputs := map[int][]safetensors.Tensor{}
	for _, threads := range []int{1, 3} {
		out := filepath.Join(dir, "out.safetensors")
		o := Options{Model: model, In: first, Out: out, Grad: true, Compute: pipeline.Compute{Threads: threads}}
		if _, err := Evaluate(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		outputs[threads] = roomtest.Tensors(t, out)
	}
	for i, a := range outputs[1] {
		if !slices.Equal(a.F32, outputs[3][i].F32) {
			t.Errorf("%s depends on the number of threads", a.Name)
		}
	}
	v, target := outputs[1][0].F32, in.Tensor("target").F32
	loss := roomtest.Norm(v, target) * roomtest.Norm(v, target) / float64(len(v))
	if got := float64(outputs[1][1].F32[0]); math.Abs(got-loss) > 1e-5*loss {
		t.Errorf("loss %v, want %v", got, loss)
	}
	// The loss is a mean, so the gradient of x for image 0 is 1/19 of the gradient for this image
	// alone.
	alone := roomtest.FieldFile(19, 3)
	for i := range alone.Tensors {
		alone.Tensors[i] = firstImage(alone.Tensors[i])
	}
	out := filepath.Join(dir, "alone.safetensors")
	single := roomtest.WriteTensors(t, dir, "one.safetensors", alone)
	o := Options{Model: model, In: single, Out: out, Grad: true}
	if _, err := Evaluate(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	one, all := roomtest.Tensors(t, out)[2].F32, outputs[1][2].F32[:64]
	for i := range one {
		if math.Abs(float64(one[i]-19*all[i])) > 1e-5*roomtest.Norm(one, nil) {
			t.Fatalf("grad.x[%d] of one image is %v, of 19 %v", i, one[i], all[i])
		}
	}
}

// firstImage cuts a tensor down to its first image.
func firstImage(t safetensors.Tensor) safetensors.Tensor {
	n := t.Shape[0]
	t.Shape = append([]int{1}, t.Shape[1:]...)
	t.F32, t.I64 = t.F32[:len(t.F32)/n], t.I64[:len(t.I64)/n]
	return t
}

// Each mistake in the tensors is named in one line.
func TestFieldInputErrors(t *testing.T) {
	model, dir := roomtest.NamedModel(t), t.TempDir()
	out := filepath.Join(dir, "out.safetensors")
	for name, spoil := range map[string]func(f *safetensors.File){
		"tensor x is missing":      func(f *safetensors.File) { f.Tensor("x").Name = "X" },
		"tensor t":                 func(f *safetensors.File) { f.Tensor("t").Name = "T" },
		"tensor y is missing":      func(f *safetensors.File) { f.Tensor("y").Name = "Y" },
		"tensor target is missing": func(f *safetensors.File) { f.Tensor("target").Name = "u" },
		"takes floats of shape [3 1 8 8]": func(f *safetensors.File) {
			f.Tensor("x").Shape = []int{3, 8, 8, 1}
		},
		// Class 3 means "no class".
		"class 4 of image 1": func(f *safetensors.File) { f.Tensor("y").I64[1] = 4 },
		"int64 of shape [3]": func(f *safetensors.File) {
			y := f.Tensor("y")
			y.Shape, y.I64 = []int{2}, y.I64[:2]
		},
	} {
		f := roomtest.FieldFile(3, 3)
		spoil(f)
		in := roomtest.WriteTensors(t, dir, "in.safetensors", f)
		_, err := Evaluate(context.Background(), Options{Model: model, In: in, Out: out, Grad: true})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), in) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	_, err := Evaluate(context.Background(), Options{Model: model, In: dir, Out: out})
	if err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("tensors in a folder: error %v", err)
	}
	_, err = Evaluate(context.Background(), Options{Model: model, In: "nowhere", Out: out})
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v", err)
	}
}

// Images of several channels change their layout to NHWC and back.
func TestFieldLayout(t *testing.T) {
	in := &input{t: make([]float32, 2)}
	in.cfg.ImageSize, in.cfg.InChannels = [2]int{2, 3}, 3
	nchw := make([]float32, 2*3*2*3)
	for i := range nchw {
		nchw[i] = float32(i)
	}
	nhwc, back := make([]float32, len(nchw)), make([]float32, len(nchw))
	in.permute(nhwc, nchw, toNHWC)
	// Image 1, channel 2, row 1, column 0.
	if got, want := nhwc[((1*2+1)*3+0)*3+2], nchw[((1*3+2)*2+1)*3+0]; got != want {
		t.Errorf("element is %v, want %v", got, want)
	}
	in.permute(back, nhwc, toNCHW)
	if !slices.Equal(back, nchw) {
		t.Error("there and back is not the identity")
	}
}

// Evaluate overwrites neither its input nor its model.
func TestFieldKeepsItsOperands(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{In: mine, Out: mine}
	if err := o.validate(); err == nil || !strings.Contains(err.Error(), "is the input") {
		t.Errorf("field onto its input: %v", err)
	}
	model := roomtest.NamedModel(t)
	before := roomtest.Tensors(t, model)
	_, err := Evaluate(context.Background(), Options{Model: model, In: mine, Out: model})
	if err == nil || !strings.Contains(err.Error(), "is the model") {
		t.Errorf("field onto its model: %v", err)
	}
	if after := roomtest.Tensors(t, model); len(after) != len(before) {
		t.Errorf("the model has %d tensors, had %d", len(after), len(before))
	}
	if text, _ := os.ReadFile(mine); string(text) != "mine" {
		t.Errorf("the file became %q", text)
	}
}
