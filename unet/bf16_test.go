package unet

import (
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/internal/golden"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// bf16Tolerance bounds relative errors of a network in bfloat16, which has a unit of 2⁻⁸ and
// rounds some twenty times on the way.
const bf16Tolerance = 3e-2

// pairTolerance is the bound where products take pairs of bfloat16: they round the weights, and
// what the steps of a layer pass on to each other.
const pairTolerance = 5e-2

// In bfloat16 too, the velocity and all gradients are PyTorch's of float32, but for rounding.
func TestGoldenBF16(t *testing.T) {
	for _, name := range goldenNetworks {
		t.Run(name, func(t *testing.T) {
			batch := readGolden(t, name)
			kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
				m := goldenModel(t, name, isa)
				m.SetPrecision(kernels.BF16)
				tolerance := bf16Tolerance
				if isa.Working(kernels.BF16) == kernels.BF16 {
					tolerance = pairTolerance
				}
				batch.checkBF16(t, m, tolerance)
			})
		})
	}
}

func (b goldenBatch) checkBF16(t *testing.T, m *Model, tolerance float64) {
	x, times := b.images("x"), b.floats("t")
	r := m.NewReplica(len(times)+1, true)
	v, dx, grad := make([]float32, len(x)), make([]float32, len(x)), make([]float32, m.Params().Len())
	r.Forward(v, x, times, b.y)
	_, dv := squaredError(v, b.images("target"))
	r.Backward(dx, dv, grad)
	check := func(name string, got, want []float32, size float64) {
		diff := make([]float32, len(got))
		for i := range got {
			diff[i] = got[i] - want[i]
		}
		if e := golden.Norm(diff) / max(golden.Norm(want), size); !(e <= tolerance) {
			t.Errorf("%s: relative error %.2g, at most %g", name, e, tolerance)
		} else {
			t.Logf("%s: relative error %.2g", name, e)
		}
	}
	check("v", v, b.images("v"), 0)
	check("grad.x", dx, b.images("grad.x"), 0)
	for _, p := range m.Params().List {
		check("grad."+p.Name, p.Export(grad), b.floats("grad."+p.Name), 0.01*b.largest())
	}
}

// Inference and training compute the same velocity.
func TestBF16Inference(t *testing.T) {
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		m := goldenModel(t, "small", isa)
		m.SetPrecision(kernels.BF16)
		b := readGolden(t, "small")
		x, times := b.images("x"), b.floats("t")
		v, w := make([]float32, len(x)), make([]float32, len(x))
		m.NewReplica(len(times), true).Forward(v, x, times, b.y)
		m.NewReplica(len(times), false).Forward(w, x, times, b.y)
		for i := range v {
			if v[i] != w[i] {
				t.Fatalf("element %d is %g in training, %g in inference", i, v[i], w[i])
			}
		}
	})
}

// SetPrecision gives the same numbers as before after it went there and back.
func TestSetPrecisionBack(t *testing.T) {
	cfg := preset(t, "tiny", nil)
	m, err := New(cfg, kernels.Best(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	x, times := make([]float32, cfg.ImageLen()), []float32{0.5}
	for i := range x {
		x[i] = float32(i%7)/3 - 1
	}
	velocity := func() []float32 {
		v := make([]float32, len(x))
		m.NewReplica(1, false).Forward(v, x, times, nil)
		return v
	}
	before := velocity()
	m.SetPrecision(kernels.BF16)
	m.SetPrecision(kernels.F32)
	for i, v := range velocity() {
		if v != before[i] {
			t.Fatalf("element %d is %g, was %g", i, v, before[i])
		}
	}
}
