package metrics

import "fmt"

// DefaultNeighbours is the k of Kynkäänniemi et al. for precision and recall.
const DefaultNeighbours = 3

// A Manifold says how two sets lie in each other, each the union of its rows' balls.
type Manifold struct {
	Precision float64 // share of the generated rows that lie in a real row's ball: quality
	Recall    float64 // share of the real rows that lie in a generated row's ball: variety
	Density   float64 // real balls that a generated row lies in, in units of k; not bounded by 1
	Coverage  float64 // share of the real rows in whose ball a generated row lies
}

// PrecisionRecall compares generated with real rows by the balls that reach from each row to the k-th
// nearest of its own set: precision and recall of Kynkäänniemi et al. (2019, "Improved Precision and
// Recall Metric for Assessing Generative Models", equations 1 and 2), density and coverage of Naeem et al.
// (2020, "Reliable Fidelity and Diversity Metrics for Generative Models", equations 5 and 6). The border belongs to
// the ball. k = 0 means [DefaultNeighbours]. Both are best compared at one size of the sets.
//
// It is an error when a set has no more than k rows, and when a number is not finite.
func PrecisionRecall(actual, generated Features, k int, on Compute) (Manifold, error) {
	mustMatch(actual.D, generated.D)
	if k == 0 {
		k = DefaultNeighbours
	}
	r, err := newBalls(actual, k, on)
	if err != nil {
		return Manifold{}, fmt.Errorf("real rows: %w", err)
	}
	g, err := newBalls(generated, k, on)
	if err != nil {
		return Manifold{}, fmt.Errorf("generated rows: %w", err)
	}
	ofGenerated, err := g.within(r, on)
	if err != nil {
		return Manifold{}, err
	}
	ofReal, err := r.within(g, on)
	if err != nil {
		return Manifold{}, err
	}
	return Manifold{
		Precision: share(ofGenerated, func(m meeting) bool { return m.in > 0 }),
		Recall:    share(ofReal, func(m meeting) bool { return m.in > 0 }),
		Density:   density(ofGenerated, k),
		Coverage:  share(ofReal, func(m meeting) bool { return m.holds > 0 }),
	}, nil
}

// balls are the rows of a set and the squares of their balls' radii.
type balls struct {
	Features
	norms, radii []float64
}

func newBalls(f Features, k int, on Compute) (balls, error) {
	norms, err := f.norms(on)
	if err != nil {
		return balls{}, err
	}
	n, err := nearest(f, f.References(), k, true, on)
	if err != nil {
		return balls{}, err
	}
	b := balls{Features: f, norms: norms, radii: make([]float64, f.N)}
	for i := range b.radii {
		// From the rows, not from the root: the row on the border must lie in the ball.
		b.radii[i] = distanceSquared(f.Row(i), f.Row(n.Index[i*k+k-1]))
	}
	return b, nil
}

// A meeting says in how many balls of another set a row lies, and how many rows of that set lie in its
// own.
type meeting struct{ in, holds int }

// within meets each row with all of another set.
func (b balls) within(other balls, on Compute) ([]meeting, error) {
	m := make([]meeting, b.N)
	rounding := roundingOf(b.D)
	err := overPairs(b.Features, other.References(), on, func(first int, products []float32, r reference) {
		theirs := other.radii[r.index]
		for i, p := range products {
			at := first + i
			own := b.radii[at]
			sum := b.norms[at] + r.norm
			d, slack := sum-2*float64(p), rounding.gamma*sum+2*rounding.tiny
			if d-slack > max(own, theirs) {
				continue
			}
			if decides(slack, d, own) || decides(slack, d, theirs) {
				d = distanceSquared(b.Row(at), r.row)
			}
			if d <= theirs {
				m[at].in++
			}
			if d <= own {
				m[at].holds++
			}
		}
	})
	return m, err
}

// decides reports whether x and y are so near to each other that the slack could tell which is larger.
func decides(slack, x, y float64) bool { return x-slack <= y && y <= x+slack }

func share(all []meeting, is func(m meeting) bool) float64 {
	n := 0
	for _, m := range all {
		if is(m) {
			n++
		}
	}
	return float64(n) / float64(len(all))
}

func density(all []meeting, k int) float64 {
	n := 0
	for _, m := range all {
		n += m.in
	}
	return float64(n) / float64(k*len(all))
}
