package realnvp

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/kernels"
)

// tiny is a flow of 4x4 images of one channel at two scales.
var tiny = Config{
	ImageSize: [2]int{4, 4}, Channels: 1, Hidden: 4, Blocks: 1, NormGroups: 2, Scales: 2, Alpha: 0.05, ScaleBound: 2,
}

// newTiny makes a model whose couplings are not the identity, and two images.
func newTiny(t *testing.T, isa kernels.ISA) (*Model, []float32) {
	t.Helper()
	m, err := New(tiny, isa, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	values := m.Params().Values
	noise, x := make([]float32, len(values)), make([]float32, 2*tiny.ImageLen())
	flow.Noise(noise, 1, 1)
	for i := range values {
		values[i] += 0.1 * noise[i]
	}
	m.Repack(0, 1)
	flow.Noise(x, 1, 2)
	for i, v := range x {
		x[i] = float32(2/(1+math.Exp(-float64(v))) - 1)
	}
	return m, x
}

// TestInverse: Sample undoes LogProb. Each of 10 couplings rounds, and may stretch that by e^2,
// which it seldom does.
func TestInverse(t *testing.T) {
	for _, isa := range kernels.Available() {
		m, x := newTiny(t, isa)
		r := m.NewReplica(2, false)
		y := slices.Clone(x)
		r.LogProb(make([]float64, 2), y)
		r.Sample(y, 2)
		for i := range x {
			if math.Abs(float64(x[i]-y[i])) > 1e-4 {
				t.Errorf("%v: number %d was %v and came back as %v", isa, i, x[i], y[i])
			}
		}
	}
}

// TestLogDet compares the density with that of noise times the determinant of a numerical Jacobian.
// With h = 2⁻⁹ the 256 elements of the Jacobian are off by h² of third derivatives and by 1e-7·e/h
// of rounding. Both are below 1e-3 of the elements, so the logarithm is off by about 16·1e-3.
func TestLogDet(t *testing.T) {
	const h = 1. / 512
	m, x := newTiny(t, kernels.Best())
	d := tiny.ImageLen()
	r := m.NewReplica(1, false)
	noise := func(k int, by float32) []float32 {
		y := slices.Clone(x[:d])
		y[k] += by
		r.LogProb(make([]float64, 1), y)
		return y
	}
	jacobian := make([][]float64, d)
	for k := range jacobian {
		high, low := noise(k, h), noise(k, -h)
		for i := range high {
			jacobian[k] = append(jacobian[k], float64(high[i]-low[i])/(2*h))
		}
	}
	logp := make([]float64, 1)
	z := slices.Clone(x[:d])
	r.LogProb(logp, z)
	if want := bijection.LogNormal(z) + numtest.LogDeterminant(jacobian); math.Abs(logp[0]-want) > 0.03 {
		t.Errorf("log-density %v, by differences %v", logp[0], want)
	}
}

// TestGradient compares the gradient along its own direction, and along random ones, with
// differences of the loss. The loss is about 50, known to 1e-5 in float32. Over 2·h·‖g‖ that is far
// below 1 %.
func TestGradient(t *testing.T) {
	for _, isa := range kernels.Available() {
		m, x := newTiny(t, isa)
		r := m.NewReplica(2, true)
		values := m.Params().Values
		grad := make([]float32, len(values))
		r.Gradient(grad, slices.Clone(x), 2, 0.5)
		norm := math.Sqrt(kernels.Best().SumSquares(grad))
		begin := slices.Clone(values)
		loss := func(direction []float32, h float64) float64 {
			for i := range values {
				values[i] = begin[i] + float32(h*float64(direction[i]))
			}
			m.Repack(0, 1)
			logp := make([]float64, 2)
			r.LogProb(logp, slices.Clone(x))
			return -(logp[0] + logp[1]) / 2
		}
		for k := range 4 {
			direction := slices.Clone(grad)
			if k > 0 {
				flow.Noise(direction, 7, uint64(k))
			}
			length := math.Sqrt(kernels.Best().SumSquares(direction))
			want := 0.0
			for i, g := range grad {
				direction[i] /= float32(length)
				want += float64(g) * float64(direction[i])
			}
			const h = 2e-3
			if got := (loss(direction, h) - loss(direction, -h)) / (2 * h); math.Abs(got-want) > 0.01*norm {
				t.Errorf("%v: slope %v along direction %d, differences give %v", isa, want, k, got)
			}
		}
	}
}

// TestInitialise: the noise of the first batch has mean 0 and deviation 1 in each channel of the
// first scale, as couplings begin as the identity. A second replica has the same parameters.
func TestInitialise(t *testing.T) {
	const n = 8
	m, err := New(tiny, kernels.Best(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, n*tiny.ImageLen())
	flow.Noise(x, 3, 1)
	for i, v := range x {
		x[i] = float32(2/(1+math.Exp(-0.3*float64(v))) - 1)
	}
	m.NewReplica(n, false).Initialise(slices.Clone(x), n)
	m.NewReplica(n, false).LogProb(make([]float64, n), x)
	var sum, squares float64
	for _, v := range x {
		sum, squares = sum+float64(v), squares+float64(v)*float64(v)
	}
	if count := float64(len(x)); math.Abs(sum/count) > 1e-4 || math.Abs(squares/count-1) > 1e-3 {
		t.Errorf("mean %v, square %v", sum/count, squares/count)
	}
}

// TestOrders: the squeeze puts 2x2 pixels into channels, halves separates the channels, and masks
// have half of the numbers.
func TestOrders(t *testing.T) {
	if got := squeeze(2, 4, 1); !slices.Equal(got, []int{0, 1, 4, 5, 2, 3, 6, 7}) {
		t.Errorf("squeeze %v", got)
	}
	if got := halves(1, 2, 4); !slices.Equal(got, []int{0, 1, 4, 5, 2, 3, 6, 7}) {
		t.Errorf("halves %v", got)
	}
	if got := checkerboard(2, 2, 2, 0); !slices.Equal(got, []bool{true, true, false, false, false, false, true, true}) {
		t.Errorf("checkerboard %v", got)
	}
	if got := channelMask(1, 1, 4, 1); !slices.Equal(got, []bool{false, false, true, true}) {
		t.Errorf("channels %v", got)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct{ h, w, channels, scales int }{{28, 28, 1, 3}, {5, 5, 3, 1}, {8, 12, 3, 2}} {
		for _, name := range []string{"tiny", "base", "large"} {
			cfg, err := Preset(name, c.h, c.w, c.channels)
			if err == nil {
				err = cfg.Validate()
			}
			if err != nil || cfg.Scales != c.scales {
				t.Errorf("%s of %dx%d: %+v, %v", name, c.h, c.w, cfg, err)
			}
		}
	}
	if _, err := Preset("huge", 28, 28, 1); err == nil {
		t.Error("preset huge")
	}
	for want, change := range map[string]func(*Config){
		"image_size":      func(c *Config) { c.ImageSize[1] = 0 },
		"hidden_channels": func(c *Config) { c.Hidden = 1 << 20 },
		"norm_groups":     func(c *Config) { c.NormGroups = 3 },
		"scales is 4":     func(c *Config) { c.Scales = 4 },
		"alpha":           func(c *Config) { c.Alpha = math.NaN() },
		"alpha is 1e-09":  func(c *Config) { c.Alpha = 1e-9 },
		"in_channels":     func(c *Config) { c.Channels = 65 },
		"too large":       func(c *Config) { c.ImageSize, c.Hidden, c.NormGroups = [2]int{1024, 1024}, 32, 8 },
		"too many":        func(c *Config) { c.ImageSize, c.Blocks = [2]int{512, 512}, 64 },
		"scale_bound":     func(c *Config) { c.ScaleBound = 0 },
	} {
		c := tiny
		change(&c)
		if _, err := New(c, kernels.Best(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
