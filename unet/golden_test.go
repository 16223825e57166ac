package unet

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/golden"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
	"github.com/fmimg/fmimg/safetensors"
)

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// goldenNetworks are the networks of testdata. Each has a file of weights and one of inputs and
// results.
var goldenNetworks = []string{"small", "rgb", "heads", "null_class", "added"}

func goldenModel(t testing.TB, name string, isa kernels.ISA) *Model {
	t.Helper()
	m, _, err := Load(open(t, "testdata/unet_"+name+".safetensors"), isa)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A goldenBatch is the inputs and results of a golden network.
type goldenBatch struct {
	file *safetensors.File
	y    []int32 // nil for an unconditional network
}

func readGolden(t testing.TB, name string) goldenBatch {
	t.Helper()
	file, err := safetensors.Read(open(t, "testdata/unet_"+name+"_io.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	b := goldenBatch{file: file}
	if y := file.Tensor("y"); y != nil {
		for _, class := range y.I64 {
			b.y = append(b.y, int32(class))
		}
	}
	return b
}

func (b goldenBatch) floats(name string) []float32 { return b.file.Tensor(name).F32 }

// images returns a tensor of images with channels last.
func (b goldenBatch) images(name string) []float32 {
	return golden.ChannelsLast(b.floats(name), b.file.Tensor(name).Shape)
}

// largest returns the largest norm of a gradient.
func (b goldenBatch) largest() float64 {
	norm := 0.0
	for _, g := range b.file.Tensors {
		if strings.HasPrefix(g.Name, "grad.") {
			norm = max(norm, golden.Norm(g.F32))
		}
	}
	return norm
}

// squaredError returns the mean squared error of v, and its gradient.
func squaredError(v, target []float32) (loss float32, dv []float32) {
	sum, n := 0.0, float64(len(v))
	for i := range v {
		e := float64(v[i]) - float64(target[i])
		sum += e * e
		dv = append(dv, float32(2*e/n))
	}
	return float32(sum / n), dv
}

// The velocity, the loss and all gradients are PyTorch's on every instruction set.
// testdata/README.md says what each network covers.
func TestGolden(t *testing.T) {
	for _, name := range goldenNetworks {
		t.Run(name, func(t *testing.T) {
			batch := readGolden(t, name)
			kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) { batch.check(t, goldenModel(t, name, isa)) })
		})
	}
}

func (b goldenBatch) check(t *testing.T, m *Model) {
	x, times := b.images("x"), b.floats("t")
	r := m.NewReplica(len(times)+1, true)
	v, dx, grad := make([]float32, len(x)), make([]float32, len(x)), make([]float32, m.Params().Len())
	r.Forward(v, x, times, b.y)
	loss, dv := squaredError(v, b.images("target"))
	r.Backward(dx, dv, grad)

	largest := b.largest()
	golden.Check(t, "v", v, b.images("v"), 0)
	golden.Check(t, "loss", []float32{loss}, b.floats("loss"), 0)
	golden.Check(t, "grad.x", dx, b.images("grad.x"), largest)
	for _, p := range m.Params().List {
		golden.Check(t, "grad."+p.Name, p.Export(grad), b.floats("grad."+p.Name), largest)
	}
}

// A convPass is a pass of a kind of convolution by an algorithm.
type convPass struct {
	kind      kernels.ConvKind
	pass      string
	algorithm kernels.Algorithm
}

// passes lists how a network's convolutions are computed on an instruction set.
func passes(c Config, isa kernels.ISA) []convPass {
	var all []convPass
	for _, s := range c.Convs() {
		p := isa.Plan(s)
		all = append(all, convPass{s.Kind, "forward", p.Forward},
			convPass{s.Kind, "input gradient", p.InputGrad}, convPass{s.Kind, "weight gradient", p.WeightGrad})
	}
	return all
}

// Whatever algorithm the presets use in a pass, some golden network uses it in that pass.
func TestGoldenNetworksUseAllAlgorithms(t *testing.T) {
	for _, isa := range kernels.Built() {
		var used []convPass
		for _, name := range goldenNetworks {
			used = append(used, passes(goldenModel(t, name, kernels.Generic).Config(), isa)...)
		}
		for _, name := range []string{"tiny", "base", "large", "patch"} {
			for _, channels := range []int{1, 3} {
				cfg := preset(t, name, func(c *Config) { c.InChannels = channels })
				for _, p := range passes(cfg, isa) {
					if !slices.Contains(used, p) {
						t.Errorf("%v: %s with %d channels has %+v, no golden network has", isa, name, channels, p)
					}
				}
			}
		}
	}
}
