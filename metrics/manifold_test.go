package metrics

import (
	"math/rand/v2"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// line returns points of a line as rows of one number.
func line(x ...float32) Features { return Features{len(x), 1, x} }

// The points lie on a line, and k = 1. The real points 0, 1, 10, 12 have the radii 1, 1, 2, 2 and
// the balls [-1, 1], [0, 2], [8, 12], [10, 14]. The generated points 2, 9, 20, 21 have the radii 7,
// 7, 1, 1 and the balls [-5, 9], [2, 16], [19, 21], [20, 22].
func TestPrecisionRecallOfALine(t *testing.T) {
	actual, generated := line(0, 1, 10, 12), line(2, 9, 20, 21)
	want := Manifold{
		Precision: 2. / 4,       // 2, on a border, and 9
		Recall:    4. / 4,       // all lie in the balls of 2 and 9
		Density:   (1 + 1) / 4., // 2 and 9 lie in one ball each
		Coverage:  (0 + 2) / 4., // the balls of 1, on its border, and of 10
	}
	for _, on := range []Compute{{}, {ISA: kernels.Best(), Parallel: together}} {
		got, err := PrecisionRecall(actual, generated, 1, on)
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	// With the sets exchanged, the balls of 2 and 9 hold two points of the other set each.
	got, err := PrecisionRecall(generated, actual, 1, Compute{})
	if want := (Manifold{Precision: 1, Recall: 0.5, Density: 4. / 4, Coverage: 0.5}); err != nil || got != want {
		t.Errorf("exchanged: got %+v, %v, want %+v", got, err, want)
	}
}

func TestPrecisionRecallExtremes(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	f, far := normals(rng, 300, 6), normals(rng, 200, 6)
	for i := range far.Data {
		far.Data[i] += 100
	}
	kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
		on := Compute{ISA: isa}
		// A row lies in its own ball, and in the balls of the rows that it is a neighbour of: k on
		// average.
		want := Manifold{1, 1, (DefaultNeighbours + 1.) / DefaultNeighbours, 1}
		if got, err := PrecisionRecall(f, f, 0, on); err != nil || got != want {
			t.Errorf("equal sets: %+v, %v", got, err)
		}
		if got, err := PrecisionRecall(f, far, 0, on); err != nil || got != (Manifold{}) {
			t.Errorf("sets far apart: %+v, %v", got, err)
		}
		// Copies of one real image are precise but have no variety: their balls are points.
		same := Features{D: 6}
		for range 50 {
			same.Data, same.N = append(same.Data, f.Row(0)...), same.N+1
		}
		if got, err := PrecisionRecall(f, same, 0, on); err != nil || got.Precision != 1 || got.Recall != 1./300 {
			t.Errorf("one image: %+v, %v", got, err)
		}
	})
}

// naiveManifold computes a manifold from its definition, in float64.
func naiveManifold(actual, generated Features, k int) Manifold {
	var m Manifold
	r, g := naiveNearest(actual, actual, k, true), naiveNearest(generated, generated, k, true)
	radius := func(f Features, n *Neighbours, i int) float64 {
		return distanceSquared(f.Row(i), f.Row(n.Index[i*k+k-1]))
	}
	covered, recalled := make([]bool, actual.N), make([]bool, actual.N)
	for j := range generated.N {
		in := 0
		for i := range actual.N {
			d := distanceSquared(actual.Row(i), generated.Row(j))
			if d <= radius(actual, r, i) {
				in++
				covered[i] = true
			}
			recalled[i] = recalled[i] || d <= radius(generated, g, j)
		}
		m.Density += float64(in)
		if in > 0 {
			m.Precision++
		}
	}
	for i := range actual.N {
		if covered[i] {
			m.Coverage++
		}
		if recalled[i] {
			m.Recall++
		}
	}
	m.Precision, m.Density = m.Precision/float64(generated.N), m.Density/float64(k*generated.N)
	m.Recall, m.Coverage = m.Recall/float64(actual.N), m.Coverage/float64(actual.N)
	return m
}

// As in TestNearestEqualsFloat64, float32 products cannot tell rows of one cloud apart.
func TestPrecisionRecallEqualsFloat64(t *testing.T) {
	for _, radius := range []float32{1e-3, 5} {
		all := clouds(rand.New(rand.NewPCG(9, 1)), 700, 5, radius)
		actual, generated := Features{400, 5, all.Data[:400*5]}, Features{300, 5, all.Data[400*5:]}
		want := naiveManifold(actual, generated, 2)
		kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
			got, err := PrecisionRecall(actual, generated, 2, Compute{ISA: isa})
			if err != nil || got != want {
				t.Errorf("radius %g: got %+v, %v, want %+v", radius, got, err, want)
			}
		})
	}
}

func TestPrecisionRecallErrors(t *testing.T) {
	few, enough := line(1, 2, 3), line(1, 2, 3, 4)
	_, err := PrecisionRecall(few, enough, 0, Compute{})
	mustFail(t, "few real rows", err, "real rows", "3 nearest neighbours among 2")
	_, err = PrecisionRecall(enough, few, 0, Compute{})
	mustFail(t, "few generated rows", err, "generated rows", "3 nearest neighbours among 2")
	_, err = PrecisionRecall(enough, enough, -1, Compute{})
	mustFail(t, "no neighbour", err, "-1 nearest")
	mustPanic(t, "other rows", func() { _, _ = PrecisionRecall(few, rows([]float32{1, 2}), 1, Compute{}) }, "1", "2")
}
