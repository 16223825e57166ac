package metrics

import "fmt"

// DefaultNeighbours is the k of Kynkäänniemi et al. for precision and recall.
const DefaultNeighbours = 3

// A Manifold says how much of each of two sets lies in the other. A set is the union of its rows'
// balls.
type Manifold struct {
	Precision float64 // share of the generated rows that lie in a real ball: quality
	Recall    float64 // share of the real rows that lie in a generated ball: variety
	Density   float64 // mean number of real balls around a generated row, divided by k
	Coverage  float64 // share of the real balls that hold a generated row
}

// PrecisionRecall compares generated with real rows. The ball of a row reaches to the k-th nearest
// other row of its own set, and holds its border. k = 0 means [DefaultNeighbours].
//
// Precision and recall are those of Kynkäänniemi et al. (2019, "Improved Precision and Recall
// Metric for Assessing Generative Models", equations 1 and 2). Density and coverage are those of
// Naeem et al. (2020, "Reliable Fidelity and Diversity Metrics for Generative Models", equations 5
// and 6). All four depend on the sizes of the sets.
//
// Errors are a set of k rows or fewer, and a number that is not finite.
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

// balls are the rows of a set with the squares of their norms and of the radii of their balls.
type balls struct {
	Features
	norms, radii []float64
}

func newBalls(f Features, k int, on Compute) (balls, error) {
	norms, err := f.squaredNorms(on)
	if err != nil {
		return balls{}, err
	}
	n, err := findNearest(f, f.References(), k, true, on)
	if err != nil {
		return balls{}, err
	}
	b := balls{Features: f, norms: norms, radii: make([]float64, f.N)}
	for i := range b.radii {
		// Squaring the root in n.Distance would round: the row on the border must lie in the ball.
		b.radii[i] = distanceSquared(f.Row(i), f.Row(n.Index[i*k+k-1]))
	}
	return b, nil
}

// A meeting counts the balls of another set in which a row lies, and the rows of that set that lie
// in the row's own ball.
type meeting struct{ in, holds int }

// within returns the meeting of each row with another set.
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

// decides reports whether an error of x up to the slack could change which of x and y is larger.
func decides(slack, x, y float64) bool { return x-slack <= y && y <= x+slack }

// share returns the share of the meetings that a condition holds for.
func share(all []meeting, is func(m meeting) bool) float64 {
	n := 0
	for _, m := range all {
		if is(m) {
			n++
		}
	}
	return float64(n) / float64(len(all))
}

// density returns the mean number of balls around a row, divided by k.
func density(all []meeting, k int) float64 {
	n := 0
	for _, m := range all {
		n += m.in
	}
	return float64(n) / float64(k*len(all))
}
