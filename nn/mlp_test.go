package nn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// mlpCase is a perceptron with random weights in every layer, and inputs with tangents.
type mlpCase struct {
	net  *nn.MLP
	p    *nn.Params
	tape *nn.MLPTape
	x, g []float32 // [1 + tangents][n][inputs], and the gradient of the outputs
	n    int
}

func newMLPCase(isa kernels.ISA, n, tangents int, widths ...int) *mlpCase {
	random := rand.New(rand.NewPCG(1, 2))
	c := &mlpCase{p: &nn.Params{}, n: n}
	c.net = nn.NewMLP(&nn.Builder{ISA: isa, Params: c.p, Rand: random}, "net", widths...)
	c.tape = c.net.NewTape(n, tangents)
	for i := range c.p.Values {
		c.p.Values[i] = float32(random.NormFloat64()) / 2
	}
	c.x, c.g = make([]float32, (1+tangents)*n*widths[0]), make([]float32, (1+tangents)*n*widths[len(widths)-1])
	for _, v := range [][]float32{c.x, c.g} {
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
	}
	return c
}

// loss is the inner product of the outputs and g.
func (c *mlpCase) loss() float64 {
	y := make([]float32, len(c.g))
	c.net.Forward(c.tape, y, c.x, c.n)
	sum := 0.0
	for i, v := range y {
		sum += float64(v) * float64(c.g[i])
	}
	return sum
}

// slopeOf is the central difference of the loss by one number. With h = 2⁻⁶ it errs by h²/6 of a
// third derivative, about 1e-4. Rounding of sums of 50 terms adds 50·2⁻²⁴/2h, about 1e-4 too.
func (c *mlpCase) slopeOf(v *float32) float64 {
	const h = 1. / 64
	was := *v
	*v = was + h
	high := c.loss()
	*v = was - h
	low := c.loss()
	*v = was
	return (high - low) / (2 * h)
}

// TestMLPGradients compares all gradients with differences. The case with tangents has second
// derivatives.
func TestMLPGradients(t *testing.T) {
	for _, isa := range kernels.Available() {
		for _, tangents := range []int{0, 2} {
			c := newMLPCase(isa, 5, tangents, 3, 9, 6, 2)
			grad, dx := make([]float32, c.p.Len()), make([]float32, len(c.x))
			c.loss()
			c.net.Backward(c.tape, grad, dx, c.g)
			compare := func(what string, values, got []float32) {
				for i := range values {
					if want := c.slopeOf(&values[i]); math.Abs(want-float64(got[i])) > 2e-3*(1+math.Abs(want)) {
						t.Errorf("%v, %d tangents: gradient of %s %d is %v, differences give %v",
							isa, tangents, what, i, got[i], want)
					}
				}
			}
			compare("parameter", c.p.Values, grad)
			compare("input", c.x, dx)
		}
	}
}

// TestMLPTangents compares tangents with differences of outputs, as slopeOf does.
func TestMLPTangents(t *testing.T) {
	c := newMLPCase(kernels.Best(), 4, 1, 3, 8, 8, 2)
	y, high, low := make([]float32, len(c.g)), make([]float32, len(c.g)), make([]float32, len(c.g))
	c.net.Forward(c.tape, y, c.x, c.n)
	const h = 1. / 64
	move := func(h float32) {
		for i := range c.n * 3 {
			c.x[i] += h * c.x[c.n*3+i]
		}
	}
	move(h)
	c.net.Forward(c.tape, high, c.x, c.n)
	move(-2 * h)
	c.net.Forward(c.tape, low, c.x, c.n)
	for i := range c.n * 2 {
		want, got := (high[i]-low[i])/(2*h), y[c.n*2+i]
		if math.Abs(float64(want-got)) > 2e-3*(1+math.Abs(float64(want))) {
			t.Errorf("tangent %d is %v, differences give %v", i, got, want)
		}
	}
}

// TestMLPFewerRows evaluates fewer rows than the tape has room for: the blocks move together.
func TestMLPFewerRows(t *testing.T) {
	c := newMLPCase(kernels.Best(), 4, 1, 3, 8, 2)
	y, few := make([]float32, len(c.g)), make([]float32, 2*2*2)
	c.net.Forward(c.tape, y, c.x, 4)
	x := append(append([]float32(nil), c.x[:6]...), c.x[12:18]...)
	c.net.Forward(c.tape, few, x, 2)
	for i, want := range append(append([]float32(nil), y[:4]...), y[8:12]...) {
		if math.Abs(float64(few[i]-want)) > 1e-5 {
			t.Errorf("output %d is %v in a batch of 2, %v in one of 4", i, few[i], want)
		}
	}
}

// TestMLPStartsAtZero checks that the last layer alone starts at zero.
func TestMLPStartsAtZero(t *testing.T) {
	p := &nn.Params{}
	net := nn.NewMLP(&nn.Builder{ISA: kernels.Best(), Params: p, Rand: rand.New(rand.NewPCG(1, 1))}, "net", 2, 4, 2)
	y := []float32{1, 1}
	net.Forward(net.NewTape(1, 0), y, []float32{1, 2}, 1)
	if y[0] != 0 || y[1] != 0 || p.Lookup("net.0.weight").Of(p.Values)[0] == 0 {
		t.Errorf("outputs %v", y)
	}
}
