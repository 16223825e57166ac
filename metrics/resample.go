package metrics

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// resampleBlocks is the number of blocks into which rows are divided to be resampled.
const resampleBlocks = 100

// A resampling draws sets of rows from a set of n rows, with replacement. Rows are divided at
// random into blocks, and whole blocks are drawn. So sums over rows can be taken of each block
// once. Rows that are independent make independent blocks, and their means have the spread of means
// of single rows. Where rows have classes, all blocks have nearly as many rows of each class.
type resampling struct {
	blocks [][]int // the rows of each block
	drawn  [][]int // [replicates], the blocks of a replicate
}

// newResampling divides n rows, of the given classes if strata is not nil, and draws the
// replicates. Resamplings of one seed and n are equal, so that scores of the same images by several
// networks vary together.
func newResampling(n int, strata []int, replicates int, seed, stream uint64) resampling {
	rng := rand.New(rand.NewPCG(seed, stream))
	r := resampling{blocks: make([][]int, min(resampleBlocks, n)), drawn: make([][]int, replicates)}
	order := rng.Perm(n)
	if strata != nil {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(strata[a], strata[b]) })
	}
	for i, row := range order {
		b := i % len(r.blocks)
		r.blocks[b] = append(r.blocks[b], row)
	}
	for i := range r.drawn {
		for range r.blocks {
			r.drawn[i] = append(r.drawn[i], rng.IntN(len(r.blocks)))
		}
	}
	return r
}

// weights returns how often each of n rows occurs in a replicate, and base times more.
func (r resampling) weights(replicate, n int, base int32) []int32 {
	w := make([]int32, n)
	for i := range w {
		w[i] = base
	}
	for _, b := range r.drawn[replicate] {
		for _, row := range r.blocks[b] {
			w[row]++
		}
	}
	return w
}

// moments sums up each block of the rows.
func (r resampling) moments(f Features, on Compute) ([]Moments, error) {
	blocks := make([]Moments, len(r.blocks))
	err := on.each(len(blocks), func(b int) error {
		return blocks[b].Add(f.Rows(r.blocks[b]), Compute{ISA: on.ISA})
	})
	return blocks, err
}

// gaussian returns the distribution of a replicate's rows, and of those of base.
func (r resampling) gaussian(blocks []Moments, replicate int, base *Moments) (Gaussian, error) {
	var all Moments
	all.Merge(base)
	for _, b := range r.drawn[replicate] {
		all.Merge(&blocks[b])
	}
	return all.Gaussian()
}
