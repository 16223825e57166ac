package metrics

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// naiveNearest compares the distances of all pairs, in float64.
func naiveNearest(queries, refs Features, k int, others bool) *Neighbours {
	n := &Neighbours{K: k}
	for i := range queries.N {
		distances, order := make([]float64, refs.N), []int{}
		for j := range refs.N {
			if !others || i != j {
				distances[j] = math.Sqrt(distanceSquared(queries.Row(i), refs.Row(j)))
				order = append(order, j)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch x, y := distances[a], distances[b]; {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		for _, j := range order[:k] {
			n.Index, n.Distance = append(n.Index, j), append(n.Distance, distances[j])
		}
	}
	return n
}

// clouds returns rows around some centres. With a small radius, products in float32 cannot tell
// rows of one cloud apart. Some rows have a copy.
func clouds(rng *rand.Rand, n, d int, radius float32) Features {
	centres, f := normals(rng, 5, d), normals(rng, n, d)
	for i := range n {
		row := f.Row(i)
		for j, v := range centres.Row(rng.IntN(centres.N)) {
			row[j] = 30*v + radius*row[j]
		}
		if i%50 == 49 {
			copy(row, f.Row(rng.IntN(i)))
		}
	}
	return f
}

// The neighbours are those of float64, to the bit, on every instruction set. In some cases the
// rounding of products, 2⁻²⁴·30² = 5e-5, exceeds the squares of the distances, 1e-6. In one case
// products underflow. Queries and references fill several groups and blocks, or less than one.
func TestNearestEqualsFloat64(t *testing.T) {
	for _, s := range []struct {
		queries, refs, d, k int
		radius, scale       float32
	}{
		{1, 1, 1, 1, 1, 1},
		{150, 1200, 3, 4, 1e-3, 1},
		{40, 1009, 17, 1, 10, 1},
		{20, 130, 50, 3, 1e-3, 1e-25},
		{129, 127, 8, 127, 1, 1},
	} {
		rng := rand.New(rand.NewPCG(6, uint64(s.d)))
		all := clouds(rng, s.queries+s.refs, s.d, s.radius)
		for i := range all.Data {
			all.Data[i] *= s.scale
		}
		q := Features{s.queries, s.d, all.Data[:s.queries*s.d]}
		r := Features{s.refs, s.d, all.Data[s.queries*s.d:]}
		want := naiveNearest(q, r, s.k, false)
		t.Run(fmt.Sprintf("%dx%dx%d", s.queries, s.refs, s.d), func(t *testing.T) {
			kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
				for _, on := range []Compute{{ISA: isa}, {ISA: isa, Parallel: together}} {
					got, err := Nearest(q, r.References(), s.k, on)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got.Index, want.Index) || !slices.Equal(got.Distance, want.Distance) {
						t.Errorf("neighbours differ from those of float64 (parallel: %v)", on.Parallel != nil)
					}
				}
			})
		})
	}
}

// In a search of a set in itself a row is not its own neighbour, but its copy is.
func TestNearestOthers(t *testing.T) {
	f := clouds(rand.New(rand.NewPCG(7, 1)), 300, 4, 1e-3)
	want := naiveNearest(f, f, 3, true)
	got, err := findNearest(f, f.References(), 3, true, Compute{ISA: kernels.Best()})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Index, want.Index) || !slices.Equal(got.Distance, want.Distance) {
		t.Error("neighbours differ from those of float64")
	}
	if i := 99; got.Distance[i*3] != 0 || got.Index[i*3] == i {
		t.Errorf("row %d has a copy, but its neighbour is %d at %g", i, got.Index[i*3], got.Distance[i*3])
	}
}

// References are read once each, at most a chunk at a time, by any number of workers.
func TestNearestStreams(t *testing.T) {
	const n, d = 2500, 2
	seen := make([]int, n)
	refs := References{N: n, D: d, Rows: func(first int, dst []float32) error {
		for i := range len(dst) / d {
			seen[first+i]++
			dst[i*d], dst[i*d+1] = float32(first+i), 0
		}
		if len(dst) > chunkRows*d {
			t.Errorf("%d rows at once", len(dst)/d)
		}
		return nil
	}}
	got, err := Nearest(rows([]float32{1776, 3}, []float32{-4, 3}), refs, 1, Compute{Parallel: together})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Index, []int{1776, 0}) || !slices.Equal(got.Distance, []float64{3, 5}) {
		t.Errorf("nearest are %v at %v", got.Index, got.Distance)
	}
	for i, times := range seen {
		if times != 1 {
			t.Fatalf("reference %d was read %d times", i, times)
		}
	}
}

func TestNearestErrors(t *testing.T) {
	q, nan := rows([]float32{1, 2}), rows([]float32{1, 2}, []float32{float32(math.NaN()), 0})
	broken := errors.New("disk on fire")
	_, err := Nearest(q, References{N: 200, D: 2, Rows: func(first int, _ []float32) error {
		if first > 0 {
			return broken
		}
		return nil
	}}, 1, Compute{})
	mustFail(t, "broken references", err, "references", "rows 126 to 199", "disk on fire")
	if !errors.Is(err, broken) {
		t.Error("the references' error is not wrapped")
	}
	_, err = Nearest(q, q.References(), 2, Compute{})
	mustFail(t, "too few references", err, "2 nearest neighbours among 1 rows")
	_, err = Nearest(q, q.References(), 0, Compute{})
	mustFail(t, "no neighbour", err, "0 nearest")
	_, err = Nearest(q, nan.References(), 1, Compute{})
	mustFail(t, "references with NaN", err, "references", "row 1", "not finite")
	_, err = Nearest(nan, q.References(), 1, Compute{})
	mustFail(t, "queries with NaN", err, "queries", "row 1", "not finite")
	_, err = Nearest(rows([]float32{2e19, 2e19}), q.References(), 1, Compute{})
	mustFail(t, "large queries", err, "row 0", "scale")
	stop := errors.New("stopped")
	_, err = Nearest(q, q.References(), 1, Compute{Parallel: func(int, func(int)) error { return stop }})
	if !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	mustPanic(t, "other rows", func() { _, _ = Nearest(q, rows([]float32{1}).References(), 1, Compute{}) }, "2", "1")
}

func TestNearestOfNoQueries(t *testing.T) {
	n, err := Nearest(Features{D: 2}, rows([]float32{1, 2}).References(), 1, Compute{})
	if err != nil || len(n.Index) != 0 {
		t.Fatalf("%v, %v", n, err)
	}
	_, err = n.Summary()
	mustFail(t, "summary of nothing", err, "no rows")
}

// Of the numbers 1 to 20, 5 % do not exceed 1, a quarter does not exceed 5, half do not exceed 10.
// Second neighbours do not count.
func TestSummary(t *testing.T) {
	n := &Neighbours{K: 2}
	for i := range 20 {
		n.Distance = append(n.Distance, float64((i+7)%20+1), 100)
	}
	got, err := n.Summary()
	want := Distances{
		Mean: 10.5, Min: 1, Quantile5: 1, Quantile25: 5, Median: 10, Quantile75: 15, Quantile95: 19, Max: 20,
		NearestQuery: 13,
	}
	if got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
