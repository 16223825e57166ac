package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// CopyScore tells whether generated rows lie nearer to training rows than their distribution asks
// for. Of n training and m held-out rows, each is the nearest real row of some of the N generated
// ones; of two that are equally near, each takes a half.
//
// Training and held-out rows that come from one distribution are exchangeable: a generator that
// knows the distribution alone comes as often to a held-out row as to a training row. A generator
// that copies comes to training rows alone. A row counts for itself, so the numbers n and m need
// not be equal, and rows that resemble each other may be on both sides.
type CopyScore struct {
	Generated int `json:"generated"` // N
	Training  int `json:"training"`  // n
	HeldOut   int `json:"held_out"`  // m

	// Share is a/(a+b), where a generated row is nearest to a training row a times, and to a
	// held-out row b times, both on average over the rows. It is 1/2 without copies, and 1 if all
	// are copies.
	Share float64 `json:"share_nearer_to_training"`
	// Copied estimates the share of generated rows that are copies, 1 − b·(n+m)/N. It is about 0
	// without copies, and may fall below.
	Copied float64 `json:"copied"`
	// P is the probability of so few generated rows at the held-out rows, or fewer, if any m of
	// the n+m real rows may have been those held out: a permutation test.
	P float64 `json:"p"`
	// Farther is the probability that a held-out row is farther from the generated rows than a
	// training row is. Both are measured in the distance to the nearest other real row. It is 1/2
	// without copies, and 1 if each training row is copied, and FartherP is its P by permutation.
	// It tells more than Share where few rows are held out, and less where generated rows are few.
	Farther  float64 `json:"held_out_farther"`
	FartherP float64 `json:"p_held_out_farther"`
	// HalfP is the P of a generator of which half of the rows are copies. If it is not small, P
	// says nothing about copies.
	HalfP float64 `json:"p_if_half_were_copied"`

	// Ratio is the median of the distance to the nearest training row over that to the nearest
	// held-out row, and RealRatio the same of held-out rows, each among the other ones. Both are at
	// most 1e6, which stands for a held-out row that is met exactly.
	Ratio     float64 `json:"median_ratio"`
	RealRatio float64 `json:"median_ratio_of_held_out"`
}

// permutations is the number of random choices of held-out rows in a permutation test.
const permutations = 9999

// errFewHeldOut says that [Copies] has nothing to compare training rows with.
var errFewHeldOut = errors.New("fewer than 2 rows are held out of training")

// Copies compares generated rows with the training rows and the held-out rows. It takes generated
// and held-out rows in several views, such as mirrored ones too: of the distances of a row's views
// to a real row as it is, the least counts. The first view of heldOut is the rows as they are.
// Fewer than two held-out rows, and no training or generated rows, are errors.
//
// Meehan et al. 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models", compare
// the same distances; here the rows that were held out are permuted, not generated rows, as these
// depend on each other by the real rows near them.
func Copies(generated, heldOut []Features, training References, rng *rand.Rand, on Compute) (CopyScore, error) {
	n, m, count := training.N, heldOut[0].N, generated[0].N
	s := CopyScore{Generated: count, Training: n, HeldOut: m}
	switch {
	case m < 2:
		return s, errFewHeldOut
	case n == 0 || count == 0:
		return s, errNoRows
	}
	toTraining, err := nearestView(generated, training, false, on)
	if err != nil {
		return s, err
	}
	held := heldOut[0].References()
	toHeldOut, err := nearestView(generated, held, false, on)
	if err != nil {
		return s, err
	}
	s.Ratio = medianRatio(toTraining, toHeldOut)
	s.test(visits(toTraining, toHeldOut, n, m), rng)
	if toTraining, err = nearestView(heldOut, training, false, on); err != nil {
		return s, err
	}
	if toHeldOut, err = nearestView(heldOut, held, true, on); err != nil {
		return s, err
	}
	s.RealRatio = medianRatio(toTraining, toHeldOut)
	err = s.compareReach(generated, heldOut[0], training, rng, on)
	return s, err
}

// The bounds of the training rows that [CopyScore.compareReach] takes: as rows, and as numbers in
// memory unless they are fewer than leastReached rows.
const (
	mostReached    = 2000
	leastReached   = 200
	reachedNumbers = 1 << 24
)

// compareReach sets Farther and FartherP.
func (s *CopyScore) compareReach(
	generated []Features, heldOut Features, training References, rng *rand.Rand, on Compute,
) error {
	m, d := heldOut.N, heldOut.D
	n := min(training.N, mostReached, max(reachedNumbers/d, leastReached))
	actual := Features{N: n + m, D: d, Data: make([]float32, (n+m)*d)} // training rows first
	for i, from := range rng.Perm(training.N)[:n] {
		if err := training.Rows(from, actual.Row(i)); err != nil {
			return err
		}
	}
	copy(actual.Data[n*d:], heldOut.Data)
	others, err := findNearest(actual, actual.References(), 1, true, on)
	if err != nil {
		return err
	}
	reach := make([]float64, n+m)
	for v, view := range generated {
		found, err := findNearest(actual, view.References(), 1, false, on)
		if err != nil {
			return err
		}
		for i, distance := range found.Distance {
			r := 1.0
			if distance != others.Distance[i] {
				r = distance / others.Distance[i]
			}
			if v == 0 || r < reach[i] {
				reach[i] = r
			}
		}
	}
	ranks := midranks(reach)
	var sum float64
	for _, r := range ranks[n:] {
		sum += r
	}
	s.Farther = (sum - float64(m*(m+1))/2) / float64(n*m)
	more := 1 // with the choice that was made
	for range permutations {
		if permuted(ranks, m, rng) >= sum {
			more++
		}
	}
	s.FartherP = float64(more) / (permutations + 1)
	return nil
}

// midranks returns the rank of each number, from 1. Equal numbers share the mean of their ranks.
func midranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	ranks := make([]float64, len(x))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+1+to) / 2
		}
		from = to
	}
	return ranks
}

// nearestView finds the nearest reference of each row in any of its views. With others it leaves
// out the reference that has the row's own index.
func nearestView(views []Features, refs References, others bool, on Compute) (*Neighbours, error) {
	var best *Neighbours
	for _, view := range views {
		found, err := findNearest(view, refs, 1, others, on)
		if err != nil {
			return nil, fmt.Errorf("nearest rows: %w", err)
		}
		if best == nil {
			best = found
			continue
		}
		for i, d := range found.Distance {
			if d < best.Distance[i] {
				best.Distance[i], best.Index[i] = d, found.Index[i]
			}
		}
	}
	return best, nil
}

// mostRatio stands for infinity, which JSON does not have.
const mostRatio = 1e6

// medianRatio returns the median of the distances a over the distances b, at most mostRatio. A
// ratio is 1 where both are 0.
func medianRatio(a, b *Neighbours) float64 {
	ratios := make([]float64, len(a.Distance))
	for i, d := range a.Distance {
		ratios[i] = 1
		if d != b.Distance[i] {
			ratios[i] = d / b.Distance[i]
		}
	}
	slices.Sort(ratios)
	return min(stat.Quantile(0.5, stat.Empirical, ratios, nil), mostRatio)
}

// visits returns how many generated rows have each real row as their nearest: the n training rows
// first, then the m held-out rows.
func visits(toTraining, toHeldOut *Neighbours, n, m int) []float64 {
	counts := make([]float64, n+m)
	for i, d := range toTraining.Distance {
		t, h := &counts[toTraining.Index[i]], &counts[n+toHeldOut.Index[i]]
		switch other := toHeldOut.Distance[i]; {
		case d < other:
			*t++
		case d > other:
			*h++
		default:
			*t += 0.5
			*h += 0.5
		}
	}
	return counts
}

// test sets the scores that follow from the visits of the real rows.
func (s *CopyScore) test(counts []float64, rng *rand.Rand) {
	n, m := float64(s.Training), float64(s.HeldOut)
	var held float64
	for _, c := range counts[s.Training:] {
		held += c
	}
	a, b := (float64(s.Generated)-held)/n, held/m
	s.Share = a / (a + b)
	expected := float64(s.Generated) * m / (n + m)
	s.Copied = 1 - held/expected
	fewer, half := 1, 1 // with the choice that was made
	for range permutations {
		sum := permuted(counts, s.HeldOut, rng)
		if sum <= held {
			fewer++
		}
		if sum <= expected/2 {
			half++
		}
	}
	s.P, s.HalfP = float64(fewer)/(permutations+1), float64(half)/(permutations+1)
}

// permuted returns the sum of m of the counts, chosen at random. It changes their order.
func permuted(counts []float64, m int, rng *rand.Rand) float64 {
	var sum float64
	for i := range m {
		j := i + int(rng.Uint64N(uint64(len(counts)-i)))
		counts[i], counts[j] = counts[j], counts[i]
		sum += counts[i]
	}
	return sum
}

// The verdicts on copies.
const (
	// CopiesFound: training pictures are copied.
	CopiesFound = "copies"
	// CopiesNotFound: there is no sign of it.
	CopiesNotFound = "none"
	// CopiesUnknown: there are too few held-out rows to tell.
	CopiesUnknown = "unknown"
)

// The bounds of a verdict. A generator that knows the distribution alone has one of the two P at
// or below copyLevel once in 200 times. Every training brings images a little nearer to what it
// saw, so leastCopied of them have to be copies too, and where few are held out, Farther has to be
// large.
const (
	copyLevel    = 0.0025
	leastCopied  = 0.4
	leastFarther = 0.8
)

// Where generated rows are blurred, many are nearest to the same few real rows, and visits tell
// little. Then rows are cleared whose Ratio is at least usualRatio of RealRatio, which takes at
// least usualHeldOut rows to say. Copies of photographs and drawings with noise or blur have less
// than half of RealRatio.
const (
	usualRatio   = 0.8
	usualHeldOut = 20
)

// Nearer reports whether generated rows come to training rows more often than chance has it.
func (s *CopyScore) Nearer() bool { return s.P <= copyLevel }

// Verdict says what the score means. The chance of CopiesFound for a generator that copies nothing
// is at most 0.5 %.
func (s *CopyScore) Verdict() string {
	switch {
	case s.Copied >= leastCopied && (s.P <= copyLevel || s.FartherP <= copyLevel && s.Farther >= leastFarther):
		return CopiesFound
	case s.HalfP <= copyLevel, s.HeldOut >= usualHeldOut && s.Ratio >= usualRatio*s.RealRatio:
		return CopiesNotFound
	}
	return CopiesUnknown
}
