package runs

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// fill returns a series of n steps from a random walk with a peak and a dip of one step each, and
// all of its points.
func fill(n int) (s series, all []point) {
	rng := rand.New(rand.NewPCG(1, 2))
	value := 1.0
	for step := 1; step <= n; step++ {
		value += rng.NormFloat64() / 100
		p := point{float64(step), value}
		switch step {
		case n/3 + 1:
			p[1] = 1000
		case n/2 + 1:
			p[1] = -1000
		}
		s.add(step, p[1])
		all = append(all, p)
	}
	return s, all
}

// A thinned series has the first, the last, the smallest and the largest point, at most as many as
// are asked for, in their order, and none that was not measured.
func TestThinned(t *testing.T) {
	for _, n := range []int{1, 2, 3, 500, 5000, 200_000} {
		s, all := fill(n)
		for _, points := range []int{4, 5, 37, 500, 10000} {
			for _, from := range []int{0, 1, n / 5, n - 1} {
				got := s.since(from, points)
				checkThinned(t, got, all, from, points)
			}
		}
		if len(s.buckets) > maxBuckets || len(s.recent) > 2*maxRecent {
			t.Errorf("%d steps: %d buckets, %d latest points", n, len(s.buckets), len(s.recent))
		}
	}
}

// checkThinned checks the points behind a step.
func checkThinned(t *testing.T, got, all []point, from, points int) {
	t.Helper()
	want := all[from:]
	if len(want) == 0 {
		if len(got) > 0 {
			t.Errorf("%d steps, from %d: %v", len(all), from, got)
		}
		return
	}
	if len(got) > points || len(got) == 0 {
		t.Fatalf("%d steps, from %d: %d points, want 1 to %d", len(all), from, len(got), points)
	}
	for i, p := range got {
		if i > 0 && p.step() <= got[i-1].step() {
			t.Fatalf("%d steps, from %d: step %d comes behind %d", len(all), from, p.step(), got[i-1].step())
		}
		if p.step() <= from || p != all[p.step()-1] {
			t.Fatalf("%d steps, from %d: %v was not measured", len(all), from, p)
		}
	}
	byValue := func(a, b point) int { return int(math.Copysign(1, a[1]-b[1])) }
	for _, p := range []point{want[len(want)-1], slices.MinFunc(want, byValue), slices.MaxFunc(want, byValue)} {
		if !slices.Contains(got, p) {
			t.Errorf("%d steps, from %d, %d points: %v is lost", len(all), from, points, p)
		}
	}
	if from == 0 && got[0] != all[0] {
		t.Errorf("%d steps: the first point is %v", len(all), got[0])
	}
}

// The latest points are as they were measured, however long the series is.
func TestLatestPoints(t *testing.T) {
	s, all := fill(100_000)
	for _, last := range []int{1, 10, 400, maxRecent} {
		if got := s.since(len(all)-last, maxRecent); !slices.Equal(got, all[len(all)-last:]) {
			t.Errorf("the last %d points are %d others", last, len(got))
		}
	}
}

// A step that comes again, and what is no number, are left out. Steps may have gaps.
func TestOddPoints(t *testing.T) {
	var s series
	for _, p := range []point{{5, 1}, {5, 2}, {4, 3}, {6, math.NaN()}, {7, math.Inf(1)}, {1e9, 4}} {
		s.add(p.step(), p[1])
	}
	if got := s.since(0, 100); !slices.Equal(got, []point{{5, 1}, {1e9, 4}}) {
		t.Errorf("got %v", got)
	}
}

// The least that a curve may be asked for.
func TestFewPoints(t *testing.T) {
	var none series
	if got := none.since(0, 4); got == nil || len(got) != 0 {
		t.Errorf("no steps have the points %v", got)
	}
}
