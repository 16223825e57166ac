package bijection

import (
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
)

// toyNet is a smooth function of masked states for couplings to depend on, y = W·sin(x), with
// parameters W.
type toyNet struct {
	w, dw []float32 // [outputs][inputs]
	x     []float32 // of the last Forward
}

func newToyNet(size int, seed uint64) *toyNet {
	net := &toyNet{w: numtest.Normals(2*size*size, seed), dw: make([]float32, 2*size*size)}
	for i := range net.w {
		net.w[i] *= 0.4 // so that a composition is smooth enough for differences
	}
	return net
}

func (t *toyNet) Forward(y, x []float32, n int) {
	d := len(x) / n
	t.x = append(t.x[:0], x...)
	clear(y)
	for i := range y {
		for k := range d {
			y[i] += t.w[i%(2*d)*d+k] * sine(x[i/(2*d)*d+k])
		}
	}
}

func (t *toyNet) Backward(dx, dy []float32, n int) {
	d := len(dx) / n
	clear(dx)
	for i, g := range dy {
		for k := range d {
			at := i/(2*d)*d + k
			t.dw[i%(2*d)*d+k] += g * sine(t.x[at])
			dx[at] += g * t.w[i%(2*d)*d+k] * float32(math.Cos(float64(t.x[at])))
		}
	}
}

func sine(x float32) float32 { return float32(math.Sin(float64(x))) }

// A layerCase is a layer over states of d numbers with all its parameters.
type layerCase struct {
	name   string
	layer  Bijection
	d      int
	values [][]float32
	grads  [][]float32
	unit   bool // states lie between 0 and 1
}

func weights(n int, seed uint64) *Parameter {
	w := &Parameter{Values: numtest.Normals(n, seed), Grad: make([]float32, n)}
	for i := range w.Values {
		w.Values[i] /= 2
	}
	return w
}

// add appends a layer's parameters.
func (c *layerCase) add(values, grads []float32) {
	c.values, c.grads = append(c.values, values), append(c.grads, grads)
}

func (c *layerCase) coupling(d, channels int, seed uint64, flip int) Bijection {
	mask := make([]bool, d)
	for i := range mask {
		mask[i] = i%2 == flip
	}
	net := newToyNet(d, seed)
	c.add(net.w, net.dw)
	return NewAffineCoupling(mask, channels, 1.5, net)
}

func (c *layerCase) actNorm(channels int, seed uint64) Bijection {
	w, b := weights(channels, seed), weights(channels, seed+1)
	c.add(w.Values, w.Grad)
	c.add(b.Values, b.Grad)
	return NewActNorm(w, b)
}

// layerCases returns a layer of each kind, and a composition of all kinds with two scales.
func layerCases() []*layerCase {
	coupling, norm := &layerCase{name: "coupling", d: 4}, &layerCase{name: "activation norm", d: 6}
	all := &layerCase{name: "all", d: 4, unit: true}
	coupling.layer, norm.layer = coupling.coupling(4, 2, 1, 0), norm.actNorm(2, 2)
	all.layer = Chain{
		Logit{Alpha: 0.05, High: 1}, all.actNorm(2, 3), all.coupling(4, 4, 4, 0), all.coupling(4, 2, 5, 1),
		NewPermute([]int{2, 0, 3, 1}),
		&Leading{Size: 2, Layers: Chain{all.actNorm(1, 6), all.coupling(2, 1, 7, 1), all.coupling(2, 2, 8, 0)}},
	}
	return []*layerCase{coupling, norm, all,
		{name: "logit", layer: Logit{Alpha: 0.05, High: 1}, d: 3, unit: true},
		{name: "logit of pixels", layer: Logit{Alpha: 0.05, Low: -1, High: 1.5}, d: 3, unit: true},
		{name: "permutation", layer: NewPermute([]int{1, 2, 0}), d: 3},
	}
}

func (c *layerCase) states(n int) []float32 {
	x := numtest.Normals(n*c.d, 9)
	if c.unit {
		for i, v := range x {
			x[i] = 0.5 + 0.4*sine(v)
		}
	}
	return x
}

// TestBijectionInverse: Generate undoes Normalise. A layer rounds by about 1e-7, and a coupling
// stretches that by at most e^(2·1.5).
func TestBijectionInverse(t *testing.T) {
	for _, c := range layerCases() {
		x := c.states(20)
		y := append([]float32(nil), x...)
		c.layer.Normalise(y, make([]float64, 20))
		c.layer.Generate(y, 20)
		for i := range x {
			if !numtest.Near(float64(x[i]), float64(y[i]), 1e-4) {
				t.Errorf("%s: number %d was %v and came back as %v", c.name, i, x[i], y[i])
			}
		}
	}
}

// TestBijectionLogDet compares the log-determinant with that of the Jacobian by central
// differences. Elements of the Jacobian are off by h² of third derivatives and by 2⁻²⁴/h of
// rounding, both 2e-4 for h = 2⁻⁷. In the steep composition they are off by more.
func TestBijectionLogDet(t *testing.T) {
	const h = 1. / 128
	for _, c := range layerCases() {
		x := c.states(1)
		logDet := make([]float64, 1)
		c.layer.Normalise(append([]float32(nil), x...), logDet)
		jacobian := make([][]float64, c.d)
		for k := range jacobian {
			high, low := append([]float32(nil), x...), append([]float32(nil), x...)
			high[k] += h
			low[k] -= h
			c.layer.Normalise(high, []float64{0})
			c.layer.Normalise(low, []float64{0})
			for i := range high {
				jacobian[k] = append(jacobian[k], float64(high[i]-low[i])/(2*h))
			}
		}
		if want := numtest.LogDeterminant(jacobian); !numtest.Near(logDet[0], want, 2e-2) {
			t.Errorf("%s: log-determinant %v, of the differences %v", c.name, logDet[0], want)
		}
	}
}

// TestNormalizingFlowGradient compares the gradient of the negative log-likelihood, by parameters
// and by states, with differences. h² of a third derivative and 1e-6/h of rounding of the sum are
// below 1 % for h = 2⁻⁸.
func TestNormalizingFlowGradient(t *testing.T) {
	const n, h, share = 3, 1. / 256, 0.5
	for _, c := range layerCases() {
		f := &NormalizingFlow{Layers: Chain{c.layer}}
		x := c.states(n)
		loss := func() float64 {
			logp, sum := make([]float64, n), 0.0
			f.LogProb(logp, append([]float32(nil), x...))
			for _, v := range logp {
				sum -= share * v
			}
			return sum
		}
		moved := append([]float32(nil), x...)
		if sum := f.Gradient(moved, n, share); !numtest.Near(share*sum, loss(), 1e-9) {
			t.Errorf("%s: loss %v, its parts say %v", c.name, share*sum, loss())
		}
		for i := range x {
			if !numtest.Near(float64(x[i]), float64(moved[i]), 1e-4) {
				t.Errorf("%s: number %d was %v, and is %v after the gradient", c.name, i, x[i], moved[i])
			}
		}
		values, grads := slices.Concat(c.values, [][]float32{x}), slices.Concat(c.grads, [][]float32{f.dx})
		for p, v := range values {
			for i := range v {
				was := v[i]
				v[i] = was + h
				high := loss()
				v[i] = was - h
				low := loss()
				v[i] = was
				want := (high - low) / (2 * h)
				if got := float64(grads[p][i]); math.Abs(got-want) > 1e-2*(1+math.Abs(want)) {
					t.Errorf("%s: gradient %d of parameter %d is %v, differences give %v", c.name, i, p, got, want)
				}
			}
		}
	}
}

// TestActNormInitialise: the layer gives its first batch mean 0 and deviation 1 in each channel,
// also behind other layers. A constant channel stays finite.
func TestActNormInitialise(t *testing.T) {
	const n = 50
	x := numtest.Normals(2*n, 1)
	for i := range x {
		x[i] = 3 + 2*x[i]
	}
	first, second := NewActNorm(weights(2, 1), weights(2, 2)), NewActNorm(weights(1, 3), weights(1, 4))
	layers := Chain{first, &Leading{Size: 1, Layers: Chain{second}}}
	y := append([]float32(nil), x...)
	layers.Initialise(y, n)
	layers.Normalise(x, make([]float64, n))
	for c := range 2 {
		var sum, squares float64
		for i := c; i < len(x); i += 2 {
			sum += float64(x[i])
			squares += float64(x[i]) * float64(x[i])
		}
		if !numtest.Near(sum/n, 0, 1e-5) || !numtest.Near(squares/n, 1, 1e-4) {
			t.Errorf("channel %d: mean %v, square %v", c, sum/n, squares/n)
		}
	}
	if !numtest.SameBits(x, y) {
		t.Error("Initialise moves states otherwise than Normalise")
	}
	flat := []float32{5, 5, 5}
	first = NewActNorm(weights(1, 1), weights(1, 1))
	first.Initialise(flat, 3)
	if v := float64(flat[0]); math.IsNaN(v) || math.Abs(v) > 1e-3 {
		t.Errorf("a constant becomes %v", v)
	}
}

func TestBijectionPanics(t *testing.T) {
	numtest.MustPanic(t, "not a permutation", func() { NewPermute([]int{0, 0}) })
	numtest.MustPanic(t, "pixels that do not fit", func() { NewAffineCoupling(make([]bool, 3), 2, 1, nil) })
	numtest.MustPanic(t, "no bound", func() { NewAffineCoupling(make([]bool, 2), 2, 0, nil) })
	numtest.MustPanic(t, "states that do not fit", func() {
		NewAffineCoupling(make([]bool, 2), 2, 1, newToyNet(2, 1)).Normalise(make([]float32, 3), make([]float64, 1))
	})
	numtest.MustPanic(t, "no channels", func() { NewActNorm(weights(0, 1), weights(0, 1)) })
}
