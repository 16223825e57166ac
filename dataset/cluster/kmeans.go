package cluster

import (
	"math/rand/v2"
	"slices"

	"github.com/fmimg/fmimg/internal/keyed"
)

// A Parallel calls do for 0 to n-1, in any order and possibly at once. It returns when all calls
// have returned, with an error when it did not make them all.
type Parallel func(n int, do func(i int)) error

// The effort of [KMeans].
const (
	restarts = 3 // from other seeds, of which the best result counts
	// fewCentres is the most centres that are sought from several starts. More take minutes.
	fewCentres = 64
	mostSteps  = 100  // of Lloyd
	leastGain  = 1e-4 // share of the squared distances by which a step must bring rows nearer
	block      = 256  // rows that one call of a Parallel takes
)

// KMeans finds k centres of rows of dims numbers, such that the squared distances of all rows to
// their nearest centres are small. It returns the centres, [·][dims], the centre of the most rows
// first, and fewer than k where fewer rows differ. Each centre is the nearest one of some row.
func KMeans(rows []float64, dims, k int, seed uint64, parallel Parallel) ([]float64, error) {
	var best *lloyd
	starts := restarts
	if k > fewCentres {
		starts = 1
	}
	for restart := range starts {
		high := keyed.SplitMix64(seed)
		rng := rand.NewPCG(high, keyed.SplitMix64(high^uint64(restart)))
		l := &lloyd{rows: rows, dims: dims, parallel: parallel}
		l.seed(k, rng)
		if err := l.run(); err != nil {
			return nil, err
		}
		if best == nil || l.error() < best.error() {
			best = l
		}
	}
	return best.largestFirst(), nil
}

// lloyd is one attempt of [KMeans].
type lloyd struct {
	rows     []float64 // [n][dims]
	dims     int
	centres  []float64 // [k][dims]
	of       []int     // the centre of each row
	distance []float64 // the squared distance of each row to it
	parallel Parallel
}

// row returns row i.
func (l *lloyd) row(i int) []float64 { return l.rows[i*l.dims : (i+1)*l.dims] }

// count returns the number of centres.
func (l *lloyd) count() int { return len(l.centres) / l.dims }

// seed chooses rows as the first centres, each with a probability in proportion to its squared
// distance from those before it. It ends when every row is a centre.
func (l *lloyd) seed(k int, rng *rand.PCG) {
	n := len(l.rows) / l.dims
	l.of, l.distance = make([]int, n), make([]float64, n)
	chosen := int(uniform(rng) * float64(n))
	for i := range l.distance {
		l.distance[i] = squared(l.row(i), l.row(chosen))
	}
	l.centres = slices.Clone(l.row(chosen))
	for l.count() < k {
		chosen, ok := draw(l.distance, uniform(rng))
		if !ok {
			return
		}
		l.centres = append(l.centres, l.row(chosen)...)
		for i := range l.distance {
			l.distance[i] = min(l.distance[i], squared(l.row(i), l.row(chosen)))
		}
	}
}

// draw returns an index with a probability in proportion to its weight. ok is false where all
// weights are 0.
func draw(weights []float64, u float64) (index int, ok bool) {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	at := float64(u * total)
	for i, w := range weights {
		if w > 0 {
			index, ok = i, true
		}
		if at -= w; at < 0 && ok {
			break
		}
	}
	return index, ok
}

// uniform draws from [0, 1).
func uniform(rng *rand.PCG) float64 { return float64(rng.Uint64()>>11) / (1 << 53) }

// squared returns ‖a − b‖².
func squared(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		d := v - b[i]
		sum += float64(d * d)
	}
	return sum
}

// nearest returns the nearest of the centres, the first of several, and its squared distance.
func nearest(row, centres []float64) (centre int, distance float64) {
	for c := 0; c*len(row) < len(centres); c++ {
		if d := squared(row, centres[c*len(row):(c+1)*len(row)]); c == 0 || d < distance {
			centre, distance = c, d
		}
	}
	return centre, distance
}

// run moves the centres to the means of their rows until no row changes its centre, or rows come
// hardly nearer.
func (l *lloyd) run() error {
	if _, err := l.assign(); err != nil {
		return err
	}
	for range mostSteps {
		before := l.error()
		l.move()
		if changed, err := l.assign(); err != nil || !changed || l.error() > before*(1-leastGain) {
			return err
		}
	}
	return nil
}

// assign gives each row its nearest centre, and reports whether one has another than before.
func (l *lloyd) assign() (changed bool, err error) {
	n := len(l.of)
	blocks := (n + block - 1) / block
	changes := make([]bool, blocks)
	err = l.parallel(blocks, func(b int) {
		for i := b * block; i < min((b+1)*block, n); i++ {
			had := l.of[i]
			l.of[i], l.distance[i] = nearest(l.row(i), l.centres)
			changes[b] = changes[b] || l.of[i] != had
		}
	})
	return slices.Contains(changes, true), err
}

// move makes each centre the mean of its rows. A centre without rows becomes the row that is
// farthest from its own centre.
func (l *lloyd) move() {
	sums, counts := make([]float64, len(l.centres)), l.counts()
	for i, c := range l.of {
		sum := sums[c*l.dims : (c+1)*l.dims]
		for k, v := range l.row(i) {
			sum[k] += v
		}
	}
	for c, count := range counts {
		centre := l.centres[c*l.dims : (c+1)*l.dims]
		if count == 0 {
			far := 0
			for i, d := range l.distance {
				if d > l.distance[far] {
					far = i
				}
			}
			copy(centre, l.row(far))
			l.distance[far] = 0
			continue
		}
		for k := range centre {
			centre[k] = sums[c*l.dims+k] / float64(count)
		}
	}
}

// counts returns the number of rows of each centre.
func (l *lloyd) counts() []int {
	counts := make([]int, l.count())
	for _, c := range l.of {
		counts[c]++
	}
	return counts
}

// error returns the sum of all squared distances.
func (l *lloyd) error() float64 {
	sum := 0.0
	for _, d := range l.distance {
		sum += d
	}
	return sum
}

// largestFirst returns the centres by the number of their rows, and leaves out those without any.
func (l *lloyd) largestFirst() []float64 {
	counts := l.counts()
	order := make([]int, len(counts))
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return counts[b] - counts[a] })
	var centres []float64
	for _, c := range order {
		if counts[c] > 0 {
			centres = append(centres, l.centres[c*l.dims:(c+1)*l.dims]...)
		}
	}
	return centres
}
