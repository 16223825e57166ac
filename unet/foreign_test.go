package unet

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// fileOf returns a network's tensors as another program saves them.
func fileOf(m *Model) *safetensors.File {
	f := &safetensors.File{}
	m.Params().AppendTensors(f, "", safetensors.F32, m.Params().Values)
	return f
}

// evaluate returns what a network finds at a time of its own: TimeScale is 1.
func evaluate(t *testing.T, f *safetensors.File, cfg Config, at float32) []float32 {
	t.Helper()
	m, err := FromFile(f, cfg, kernels.Generic)
	if err != nil {
		t.Fatal(err)
	}
	x := randoms(rand.New(rand.NewPCG(5, 6)), cfg.ImageLen())
	v := make([]float32, len(x))
	var y []int32
	if cfg.NumClasses > 0 {
		y = []int32{1}
	}
	m.NewReplica(1, false).Forward(v, x, []float32{at}, y)
	return v
}

// A network at its own time is the network that Retime makes of it at t. Float32 leaves an error of
// about 1e-6 for each of a few layers.
func TestRetime(t *testing.T) {
	cfg := small(func(c *Config) { c.TimeScale, c.FreqShift = 1, 1 })
	m := randomModel(t, kernels.Generic, cfg)
	for _, times := range [][2]float64{{0, 10}, {0, 1}, {10, 0}, {9.5, -1}, {3, 4}, {-5, -2}} {
		f := fileOf(m)
		now, err := Retime(f, cfg, times[0], times[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []float64{0, 0.25, 1} {
			own := float32(times[0] + (times[1]-times[0])*at)
			want, got := evaluate(t, fileOf(m), cfg, own), evaluate(t, f, now, float32(at))
			for i := range want {
				if math.Abs(float64(got[i]-want[i])) > 1e-5*(1+math.Abs(float64(want[i]))) {
					t.Fatalf("times %v at %v: %v, want %v", times, at, got[i], want[i])
				}
			}
		}
	}
	for _, times := range [][2]float64{{1, 1}, {0, math.NaN()}, {math.Inf(-1), 0}} {
		if _, err := Retime(fileOf(m), cfg, times[0], times[1]); err == nil {
			t.Errorf("%v are taken", times)
		}
	}
}

func TestNegate(t *testing.T) {
	cfg := small(func(*Config) {})
	m := randomModel(t, kernels.Generic, cfg)
	f := fileOf(m)
	Negate(f)
	got, want := evaluate(t, f, cfg, 0.5), evaluate(t, fileOf(m), cfg, 0.5)
	for i := range want {
		want[i] = -want[i]
	}
	if !slices.Equal(got, want) {
		t.Error("not the opposite")
	}
}

// Variances are cut off, and nothing else is.
func TestCutVariance(t *testing.T) {
	cfg := small(func(c *Config) { c.InChannels = 2 })
	m := randomModel(t, kernels.Generic, cfg)
	f, whole := fileOf(m), fileOf(m)
	for _, name := range []string{"out.2.weight", "out.2.bias"} {
		x := f.Tensor(name)
		x.Shape = append([]int{4}, x.Shape[1:]...)
		x.F32 = append(slices.Clone(x.F32), make([]float32, len(x.F32))...)
	}
	if cut, err := CutVariance(f); err != nil || !cut || !slices.Equal(evaluate(t, f, cfg, 0.5), evaluate(t, whole, cfg, 0.5)) {
		t.Errorf("cut %v, %v, or another network", cut, err)
	}
	if cut, err := CutVariance(whole); err != nil || cut {
		t.Errorf("cut %v, %v", cut, err)
	}
	for _, change := range []func(f *safetensors.File){
		func(f *safetensors.File) { f.Tensors = nil },
		func(f *safetensors.File) { f.Tensor("out.2.bias").F32 = nil },
		func(f *safetensors.File) { f.Tensor("out.2.weight").Shape = nil },
	} {
		f := fileOf(m)
		change(f)
		if cut, _ := CutVariance(f); cut {
			t.Error("cut")
		}
	}
}

// Of guided diffusion's variants that this network lacks, one error names all, each by a tensor.
func TestVariants(t *testing.T) {
	add := func(f *safetensors.File, name string, shape ...int) {
		f.Tensors = append(f.Tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape})
	}
	for _, c := range []struct {
		change func(f *safetensors.File)
		parts  string
	}{
		{func(f *safetensors.File) { add(f, "output_blocks.1.1.in_layers.0.weight", 8) },
			"output_blocks.1.1.in_layers.0.weight|resblock_updown"},
		{func(f *safetensors.File) {
			f.Tensors = slices.DeleteFunc(f.Tensors, func(t safetensors.Tensor) bool { return strings.Contains(t.Name, ".0.op.") })
			add(f, "label_emb.0.0.weight", 8, 8)
		}, "input_blocks.2 has no tensors|conv_resample|label_emb.0.0.weight"},
		{func(f *safetensors.File) {
			f.Tensors = slices.DeleteFunc(f.Tensors, func(t safetensors.Tensor) bool { return strings.HasPrefix(t.Name, "output_blocks.") })
		}, "output_blocks are missing"},
		{func(f *safetensors.File) { f.Tensor("out.2.weight").Shape[0] = 3 }, "out.2.weight of shape [3"},
		{func(f *safetensors.File) { f.Tensor(StemName).Shape[0] = 4 }, "channel_mult"},
	} {
		f := fileOf(randomModel(t, kernels.Generic, small(func(c *Config) { c.NumResBlocks = 1 })))
		for i := range f.Tensors {
			f.Tensors[i].Shape = slices.Clone(f.Tensors[i].Shape)
		}
		c.change(f)
		_, err := Infer(f)
		mustFail(t, c.parts, err, strings.Split(c.parts, "|")...)
	}
}

// Broken attention is an error, not a panic.
func TestOldAttentionOrderRefuses(t *testing.T) {
	cfg := small(func(c *Config) { c.NumHeads = 2 })
	for _, shape := range [][]int{{}, {0, 8, 1}, {7, 8, 1}, {9, 8, 1}, {12}} {
		f := &safetensors.File{Tensors: []safetensors.Tensor{{Name: "a.qkv.weight", DType: safetensors.F32, Shape: shape, F32: make([]float32, 7)}}}
		if err := OldAttentionOrder(f, cfg); err == nil {
			t.Errorf("shape %v is taken", shape)
		}
	}
}
