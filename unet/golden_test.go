package unet

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/race"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// eachISA runs a test once per instruction set of the build; those that the machine lacks are visibly skipped.
func eachISA(t *testing.T, f func(t *testing.T, isa kernels.ISA)) {
	for _, isa := range kernels.Built() {
		t.Run(isa.String(), func(t *testing.T) {
			if _, err := kernels.Parse(isa.String()); err != nil {
				t.Skip(err)
			}
			if race.Enabled && isa != kernels.Best() {
				t.Skip("slow under the race detector, and kernels start no goroutines")
			}
			f(t, isa)
		})
	}
}

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func goldenModel(t testing.TB, isa kernels.ISA) *Model {
	t.Helper()
	m, _, err := Load(open(t, "testdata/unet_small.safetensors"), isa)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func norm(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// The golden tensors are PyTorch's, in float64 (see testdata/README.md). float32 rounding accumulates
// over some 60 layers: PyTorch's own float32 stays ten times below the bound of 1e-4. A gradient that
// is zero in exact arithmetic (a bias before a norm of one channel) is compared with the largest.
func TestGolden(t *testing.T) {
	eachISA(t, func(t *testing.T, isa kernels.ISA) {
		m := goldenModel(t, isa)
		io, err := nn.ReadSafetensors(open(t, "testdata/unet_small_io.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		tensor := func(name string) []float32 { return io.Tensor(name).F32 }
		n := len(tensor("t"))
		var y []int32
		for _, class := range io.Tensor("y").I64 {
			y = append(y, int32(class))
		}
		// One channel: [N, C, H, W] and [N, H, W, C] are the same.
		v, dv, dx := make([]float32, len(tensor("x"))), make([]float32, len(tensor("x"))), make([]float32, len(tensor("x")))
		r := m.NewReplica(n+1, true)
		r.Forward(v, tensor("x"), tensor("t"), y)
		var loss float64
		for i, target := range tensor("target") {
			e := float64(v[i]) - float64(target)
			loss += e * e / float64(len(v))
			dv[i] = float32(2 * e / float64(len(v)))
		}
		grad := make([]float32, m.Params().Len())
		r.Backward(dx, dv, grad)

		largest := 0.0
		for _, g := range io.Tensors {
			if strings.HasPrefix(g.Name, "grad.") {
				largest = max(largest, norm(g.F32))
			}
		}
		check := func(name string, got []float32, floor float64) {
			want := tensor(name)
			diff := make([]float32, len(want))
			for i := range want {
				diff[i] = got[i] - want[i]
			}
			if e, bound := norm(diff), 1e-4*max(norm(want), floor); !(e <= bound) {
				t.Errorf("%s: difference %.3g, want at most %.3g", name, e, bound)
			}
		}
		check("v", v, 0)
		check("loss", []float32{float32(loss)}, 0)
		check("grad.x", dx, 1e-3*largest)
		for _, p := range m.Params().List {
			check("grad."+p.Name, p.Export(grad), 1e-3*largest)
		}
	})
}
