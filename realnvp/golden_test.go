package realnvp

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/golden"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// readGolden reads a file that bench/peer/golden.py made.
func readGolden(t *testing.T, name string) *safetensors.File {
	t.Helper()
	file, err := os.Open("testdata/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The noise, the log-densities and all gradients are those of an independent network in PyTorch, on
// every instruction set.
func TestGolden(t *testing.T) {
	weights, io := readGolden(t, "realnvp"), readGolden(t, "realnvp_io")
	for _, isa := range kernels.Built() {
		t.Run(isa.String(), func(t *testing.T) {
			if _, err := kernels.Parse(isa.String()); err != nil {
				t.Skip(err)
			}
			m, err := FromFile(weights, isa)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, m, io)
		})
	}
}

func checkGolden(t *testing.T, m *Model, io *safetensors.File) {
	want := func(name string) []float32 { return io.Tensor(name).F32 }
	images := golden.ChannelsLast(want("x"), io.Tensor("x").Shape)
	n := len(want("logp"))
	r := m.NewReplica(n, true)

	z, densities := slices.Clone(images), make([]float64, n)
	r.LogProb(densities, z)
	golden.Check(t, "z", z, want("z"), 0)
	for i, got := range densities {
		if want := float64(want("logp")[i]); !(math.Abs(got-want) <= 1e-5*math.Abs(want)) {
			t.Errorf("log-density %d is %v, want %v", i, got, want)
		}
	}

	grad := make([]float32, m.Params().Len())
	sum := r.Gradient(grad, images, n, 1/float64(n))
	golden.Check(t, "loss", []float32{float32(sum / float64(n))}, want("loss"), 0)
	largest := 0.0
	for _, g := range io.Tensors {
		if strings.HasPrefix(g.Name, "grad.") {
			largest = max(largest, golden.Norm(g.F32))
		}
	}
	for _, p := range m.Params().List {
		golden.Check(t, "grad."+p.Name, p.Export(grad), want("grad."+p.Name), largest)
	}
}
