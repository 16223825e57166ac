package judge

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
)

// drawn are images of any shape: a disc of a colour somewhere on a gradient.
type drawn struct{ n, h, w, c int }

func (d drawn) Name() string         { return "drawn" }
func (d drawn) Len() int             { return d.n }
func (d drawn) Shape() (h, w, c int) { return d.h, d.w, d.c }
func (d drawn) Classes() []string    { return nil }

func (d drawn) Image(i int, dst []float32) int {
	rng := rand.New(rand.NewPCG(uint64(i), 3))
	cy, cx, r := rng.Float64()*float64(d.h), rng.Float64()*float64(d.w), (0.1+0.2*rng.Float64())*float64(d.h)
	var colour [4]float64
	for c := range colour {
		colour[c] = 2*rng.Float64() - 1
	}
	for y := range d.h {
		for x := range d.w {
			for c := range d.c {
				v := colour[c] * float64(y) / float64(d.h)
				if math.Hypot(float64(y)-cy, float64(x)-cx) < r {
					v = -colour[c]
				}
				dst[(y*d.w+x)*d.c+c] = float32(v)
			}
		}
	}
	return -1
}

// trainOn trains a judge for a few steps, on some workers.
func trainOn(t *testing.T, data dataset.Source, workers, steps int) *Self {
	t.Helper()
	on := crew.New(workers)
	defer on.Close()
	s, err := TrainSelf(t.Context(), on, data, SelfOptions{ISA: kernels.Best(), Steps: steps})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func featuresOf(t *testing.T, j Judge, images Images, workers int) metrics.Features {
	t.Helper()
	on := crew.New(workers)
	defer on.Close()
	f, err := j.Features(t.Context(), on, images)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A judge and its features are the same for any number of workers, for images of any shape, and
// after its file was read.
func TestSelfRepeats(t *testing.T) {
	for _, data := range []drawn{{40, 8, 8, 1}, {40, 8, 13, 3}, {35, 16, 16, 4}, {33, 9, 8, 2}, {32, 40, 24, 3}} {
		a, b := trainOn(t, data, 1, 2), trainOn(t, data, 3, 2)
		if a.Hash != b.Hash {
			t.Errorf("%+v: 1 worker trains %s, 3 train %s", data, a.Hash, b.Hash)
		}
		var file bytes.Buffer
		if err := a.Write(&file); err != nil {
			t.Fatal(err)
		}
		read, err := ReadSelf(&file, kernels.Best())
		if err != nil || read.Hash != a.Hash || read.Record != a.Record {
			t.Fatalf("%+v: read %+v, %v", data, read, err)
		}
		f, g := featuresOf(t, a, data, 1), featuresOf(t, read, data, 3)
		if f.N != data.n || f.D != selfFeatures || !slices.Equal(f.Data, g.Data) {
			t.Errorf("%+v: features [%d, %d] differ after reading", data, f.N, f.D)
		}
		if h, w, c := read.Shape(); h != data.h || w != data.w || c != data.c || read.Name() != SelfName {
			t.Errorf("%+v: %s takes %d, %d, %d", data, read.Name(), h, w, c)
		}
	}
}

// A judge says which images it was trained on.
func TestSelfTrained(t *testing.T) {
	data := drawn{40, 8, 8, 1}
	s, o := trainOn(t, data, 1, 1), SelfOptions{ISA: kernels.Best(), Steps: 1}
	if !s.Trained(data, o) {
		t.Error("it does not know its own images")
	}
	for _, other := range []drawn{{41, 8, 8, 1}, {40, 8, 9, 1}} {
		if s.Trained(other, o) {
			t.Errorf("it takes %+v for its own", other)
		}
	}
	if o.Steps = 2; s.Trained(data, o) {
		t.Error("it takes another recipe for its own")
	}
}

// Too few images and an interruption are errors, and other files are refused.
func TestSelfErrors(t *testing.T) {
	on := crew.New(2)
	defer on.Close()
	_, err := TrainSelf(t.Context(), on, drawn{31, 8, 8, 1}, SelfOptions{ISA: kernels.Best()})
	if err == nil || !strings.Contains(err.Error(), "31 pictures") {
		t.Errorf("31 images: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := TrainSelf(ctx, on, drawn{40, 8, 8, 1}, SelfOptions{ISA: kernels.Best()}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	for _, file := range []string{"", "no file", "{}"} {
		if _, err := ReadSelf(strings.NewReader(file), kernels.Best()); err == nil {
			t.Errorf("%q is read", file)
		}
	}
}

// Images of all sizes train in a bounded number of steps, whose products are within the budget
// where the least number of steps is not too many.
func TestSelfSteps(t *testing.T) {
	for _, side := range []int{8, 16, 28, 32, 48, 64, 96, 128} {
		steps := selfSteps(side, side, 3)
		used := float64(steps) * products(selfConfig(side, side, 3))
		if steps > mostSteps || steps < leastSteps || used > 1.3*selfProducts {
			t.Errorf("%d pixels: %d steps of %.3g products", side, steps, used/float64(steps))
		}
		if err := selfConfig(side, side/2, 4).Validate(); err != nil {
			t.Errorf("%d pixels: %v", side, err)
		}
	}
}

// Turned four times, an image is what it was; a square one is rotated by each turn, another one is
// mirrored. Turns differ from each other.
func TestTurns(t *testing.T) {
	for _, s := range []pipeline.Shape{{Height: 5, Width: 5, Channels: 2}, {Height: 3, Width: 5, Channels: 1}} {
		v := newViewer(s)
		seen := map[string]bool{}
		for way := range turn(turns) {
			for i := range v.part {
				v.part[i] = float32(i)
			}
			first, dst := slices.Clone(v.part), make([]float32, s.Len())
			v.turn(dst, way)
			seen[string(bytesOf(dst))] = true
			for range 3 {
				copy(v.part, dst)
				v.turn(dst, way)
			}
			if !slices.Equal(dst, first) {
				t.Errorf("%+v: turn %d four times is %v", s, way, dst)
			}
		}
		if len(seen) != turns {
			t.Errorf("%+v: %d turns differ", s, len(seen))
		}
	}
}

func bytesOf(x []float32) []byte {
	b := make([]byte, len(x))
	for i, v := range x {
		b[i] = byte(v)
	}
	return b
}

// Views stay in the range of pixels, and leave alpha to the crop: an opaque image stays opaque.
func TestViews(t *testing.T) {
	data := drawn{1, 10, 14, 4}
	image, view := make([]float32, 10*14*4), make([]float32, 10*14*4)
	data.Image(0, image)
	for i := 3; i < len(image); i += 4 {
		image[i] = dataset.PixelMax
	}
	v, rng := newViewer(pipeline.ShapeOf(data)), rand.NewPCG(1, 1)
	for range 50 {
		v.view(view, image, turn(rng.Uint64()%turns), rng)
		for i, x := range view {
			if x < dataset.PixelMin || x > dataset.PixelMax || i%4 == 3 && x != dataset.PixelMax {
				t.Fatalf("number %d of a view is %v", i, x)
			}
		}
	}
}

// The gradient of the loss of pairs is that of differences. A step of 1e-3 errs by about its
// square.
func TestPairLossGradient(t *testing.T) {
	const rows, dim = 6, 3
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, rows*dim)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	loss := func(x []float32) (float64, []float32) {
		p := newPairLoss(rows+2, dim) // which has room for more rows
		copy(p.x, x)
		return p.compute(rows), p.x
	}
	_, grad := loss(x)
	for i := range x {
		const h = 1e-3
		moved := slices.Clone(x)
		moved[i] += h
		up, _ := loss(moved)
		moved[i] = x[i] - h
		down, _ := loss(moved)
		if want := (up - down) / (2 * h); math.Abs(want-float64(grad[i])) > 1e-4 {
			t.Errorf("gradient %d is %v, want %v", i, grad[i], want)
		}
	}
}

// Rows that are all alike are told by chance: one of rows-1.
func TestPairLossOfEqualRows(t *testing.T) {
	p := newPairLoss(8, 2)
	for i := range p.x {
		p.x[i] = 1
	}
	if got, want := p.compute(8), math.Log(7); math.Abs(got-want) > 1e-12 {
		t.Errorf("loss %v, want %v", got, want)
	}
}

// worse are images that are mixed with their neighbours in the set.
type worse struct {
	dataset.Source
	share float32
	first int
}

func (w worse) Len() int { return 400 }

func (w worse) Image(i int, dst []float32) int {
	label := w.Source.Image(w.first+i, dst)
	other := make([]float32, len(dst))
	w.Source.Image(w.first+(i+1)%w.Len(), other)
	for k := range dst {
		dst[k] = mix(dst[k], other[k], w.share)
	}
	return label
}

// A judge of digits, trained without their labels for a few steps, puts real digits before two
// digits at once.
func TestSelfOrders(t *testing.T) {
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := trainOn(t, worse{set.Train, 0, 0}, 2, 30)
	gaussian := func(images Images) metrics.Gaussian {
		var m metrics.Moments
		if err := m.Add(featuresOf(t, s, images, 2), metrics.Compute{}); err != nil {
			t.Fatal(err)
		}
		g, err := m.Gaussian()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	truth := gaussian(worse{set.Test, 0, 0})
	last := 0.0
	for _, share := range []float32{0, 0.5} {
		d, err := metrics.Frechet(gaussian(worse{set.Train, share, 1000}), truth)
		if err != nil || d < 1.2*last {
			t.Errorf("a share of %v: distance %v after %v, %v", share, d, last, err)
		}
		last = d
		t.Logf("a share of %v: distance %v", share, d)
	}
}
