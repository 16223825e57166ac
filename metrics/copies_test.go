package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A world is a distribution of rows: kinds of rows, of which some are frequent, with noise. Rows
// of one kind resemble each other as pictures of a set do, and a few are nearly equal.
type world struct {
	rng   *rand.Rand
	kinds []float32 // [kinds][worldDim]
}

const worldDim, worldKinds = 12, 40

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), kinds: make([]float32, worldKinds*worldDim)}
	for i := range w.kinds {
		w.kinds[i] = float32(w.rng.NormFloat64())
	}
	return w
}

// draw draws rows of the distribution.
func (w *world) draw(n int) Features {
	f := Features{N: n, D: worldDim, Data: make([]float32, n*worldDim)}
	for i := range n {
		kind := int(worldKinds * w.rng.Float64() * w.rng.Float64()) // small numbers are frequent
		spread := 0.5
		if kind%4 == 0 {
			spread = 0.02
		}
		for k := range worldDim {
			f.Row(i)[k] = w.kinds[kind*worldDim+k] + float32(spread*w.rng.NormFloat64())
		}
	}
	return f
}

// copies returns n rows, of which a share are rows of f with noise, and the others fresh.
func (w *world) copies(f Features, n int, share, noise float64) Features {
	out := w.draw(n)
	for i := range n {
		if w.rng.Float64() >= share {
			continue
		}
		from := f.Row(w.rng.IntN(f.N))
		for k, v := range from {
			out.Row(i)[k] = v + float32(noise*w.rng.NormFloat64())
		}
	}
	return out
}

func copyScore(t *testing.T, w *world, generated, train, held Features) CopyScore {
	t.Helper()
	s, err := Copies([]Features{generated}, []Features{held}, train.References(), w.rng, Compute{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Fresh rows are not taken for copies. P is at most 0.1 in about a tenth of 120 worlds: a binomial
// count of mean 12 and standard deviation 3.3, of which 3 to 4 are allowed. The chance of a flag
// is at most 0.5 %, 0.6 of 120: 5 and more have a chance of 1 in 2,500.
func TestCopiesOfFreshRows(t *testing.T) {
	small, farther, flagged := 0, 0, 0
	for seed := range uint64(120) {
		w := newWorld(seed)
		m := []int{3, 10, 30}[seed%3]
		s := copyScore(t, w, w.draw(200), w.draw(120), w.draw(m))
		if s.P <= 0.1 {
			small++
		}
		if s.FartherP <= 0.1 {
			farther++
		}
		if s.Verdict() == CopiesFound {
			flagged++
		}
	}
	if small > 25 || small < 2 || farther > 25 || farther < 2 || flagged > 4 {
		t.Errorf("of 120 generators without copies %d and %d have a P <= 0.1, and %d are flagged", small, farther, flagged)
	}
}

// Copies with noise are found, also with few held-out rows, and most of them are counted.
func TestCopiesAreFound(t *testing.T) {
	for _, c := range []struct {
		train, held  int
		share, noise float64
	}{{95, 5, 1, 0.05}, {95, 5, 1, 0}, {95, 4, 0.9, 0.05}, {120, 30, 0.7, 0.05}, {600, 60, 1, 0.1}, {60, 300, 0.9, 0.02}} {
		w := newWorld(5)
		train, held := w.draw(c.train), w.draw(c.held)
		s := copyScore(t, w, w.copies(train, 500, c.share, c.noise), train, held)
		// A fresh row is nearest to a held-out one as often as to another one.
		if s.Verdict() != CopiesFound || math.Abs(s.Copied-c.share) > 0.25 {
			t.Errorf("%+v: %s, %+v", c, s.Verdict(), s)
		}
		if s.Ratio > s.RealRatio {
			t.Errorf("%+v: copies have a ratio of %v, held-out rows one of %v", c, s.Ratio, s.RealRatio)
		}
	}
}

// The share of nearest training rows of fresh rows is 1/2, whatever the numbers of rows are, and
// their ratio is that of held-out rows.
func TestCopiesShare(t *testing.T) {
	for _, n := range [][2]int{{400, 400}, {2000, 200}, {200, 1000}} {
		w := newWorld(9)
		s := copyScore(t, w, w.draw(1500), w.draw(n[0]), w.draw(n[1]))
		// P in the middle says that the share is within two standard deviations of 1/2.
		if s.P < 0.02 || s.P > 0.98 || math.Abs(s.Share-0.5) > 0.1 || s.Verdict() != CopiesNotFound {
			t.Errorf("%v: %s, %+v", n, s.Verdict(), s)
		}
		if r := s.Ratio / s.RealRatio; r < 0.85 || r > 1.15 {
			t.Errorf("%v: ratios %v and %v", n, s.Ratio, s.RealRatio)
		}
	}
}

// Mirrored copies are found by the view that mirrors them alone.
func TestCopiesOfViews(t *testing.T) {
	w := newWorld(2)
	train, held := w.draw(200), w.draw(40)
	mirror := func(f Features) Features {
		out := Features{N: f.N, D: f.D, Data: slices.Clone(f.Data)}
		for i := range f.N {
			slices.Reverse(out.Row(i))
		}
		return out
	}
	copied := mirror(w.copies(train, 400, 1, 0.01))
	if s := copyScore(t, w, copied, train, held); s.Verdict() == CopiesFound && s.Copied > 0.8 {
		t.Errorf("mirrored copies are found without a view that mirrors them: %+v", s)
	}
	s, err := Copies([]Features{copied, mirror(copied)}, []Features{held, mirror(held)}, train.References(), w.rng, Compute{})
	if err != nil || s.Verdict() != CopiesFound || s.Copied < 0.9 {
		t.Errorf("%s, %+v, %v", s.Verdict(), s, err)
	}
}

// Too few held-out rows say nothing, and none are an error.
func TestCopiesOfFewHeldOutRows(t *testing.T) {
	w := newWorld(1)
	train := w.draw(100)
	for _, m := range []int{0, 1} {
		_, err := Copies([]Features{w.draw(50)}, []Features{w.draw(m)}, train.References(), w.rng, Compute{})
		if err == nil {
			t.Errorf("%d held-out rows: no error", m)
		}
	}
	if s := copyScore(t, w, w.draw(300), train, w.draw(2)); s.Verdict() == CopiesNotFound {
		t.Errorf("two held-out rows clear a generator: %+v", s)
	}
}

// Equal numbers share their ranks.
func TestMidranks(t *testing.T) {
	got, want := midranks([]float64{3, 1, 3, math.Inf(1), 0, 3}), []float64{4, 2, 4, 6, 1, 4}
	if !slices.Equal(got, want) {
		t.Errorf("ranks %v, want %v", got, want)
	}
}

// Rows at equal distances share a visit.
func TestVisitsOfEqualRows(t *testing.T) {
	a := &Neighbours{K: 1, Index: []int{0, 1, 1}, Distance: []float64{0, 1, 2}}
	b := &Neighbours{K: 1, Index: []int{1, 0, 0}, Distance: []float64{0, 2, 1}}
	if got, want := visits(a, b, 3, 2), []float64{0.5, 1, 0, 1, 0.5}; !slices.Equal(got, want) {
		t.Errorf("visits %v, want %v", got, want)
	}
}
