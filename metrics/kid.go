package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat"
)

// KIDOptions say how the sets are divided.
type KIDOptions struct {
	Blocks int // number of disjoint blocks; 0: 10

	// Rand orders the rows of each set before they are divided. nil: they stay as they are, which must
	// be an order without a pattern, as blocks of one class each would measure the classes' distance.
	Rand *rand.Rand
}

// The default of KIDOptions.
const defaultBlocks = 10

// A KIDScore is the mean of the blocks' squared distances, which may be negative, and its standard error.
type KIDScore struct {
	Value, StandardError float64
	Blocks               int
}

// KID returns the kernel distance of Bińkowski et al. (2018, "Demystifying MMD GANs", section 4): the
// unbiased estimate of
//
//	MMD² = E k(x,x') + E k(y,y') − 2 E k(x,y), k(x,y) = (x·y/D + 1)³
//
// Both sets are divided into disjoint blocks, of as many rows as there are, and each pair of blocks gives
// an estimate (Gretton et al. 2012, "A Kernel Two-Sample Test", equation 3). They are independent, unlike
// those of subsets that overlap, so that the standard error, s/√Blocks, is one. Rows that fill no block are left out.
//
// It is an error when there are fewer than 2 blocks, when a block has fewer than 2 rows, and when a number is
// not finite.
func KID(x, y Features, o KIDOptions, on Compute) (KIDScore, error) {
	x.mustFit()
	y.mustFit()
	mustMatch(x.D, y.D)
	blocks := o.Blocks
	if blocks == 0 {
		blocks = defaultBlocks
	}
	switch {
	case blocks < 2:
		return KIDScore{}, fmt.Errorf("%d blocks: 2 at least have a standard error", blocks)
	case min(x.N, y.N) < 2*blocks:
		return KIDScore{}, fmt.Errorf("%d and %d rows for %d blocks: a block needs 2 of each, take more rows or fewer blocks", x.N, y.N, blocks)
	}
	for i, f := range []Features{x, y} {
		if _, err := f.norms(on); err != nil {
			return KIDScore{}, fmt.Errorf("set %d: %w", i+1, err)
		}
	}
	xs, ys := x.order(o.Rand), y.order(o.Rand)
	estimates := make([]float64, blocks)
	err := on.each(blocks, func(i int) (err error) {
		estimates[i], err = mmd(x.block(xs, blocks, i), y.block(ys, blocks, i), Compute{ISA: on.ISA})
		return err
	})
	if err != nil {
		return KIDScore{}, err
	}
	mean, deviation := stat.MeanStdDev(estimates, nil)
	return KIDScore{mean, deviation / math.Sqrt(float64(blocks)), blocks}, nil
}

// order returns the order of the rows.
func (f Features) order(rng *rand.Rand) []int {
	if rng != nil {
		return rng.Perm(f.N)
	}
	order := make([]int, f.N)
	for i := range order {
		order[i] = i
	}
	return order
}

// block copies block i of so many.
func (f Features) block(order []int, blocks, i int) Features {
	b := Features{N: f.N / blocks, D: f.D}
	b.Data = make([]float32, 0, b.N*b.D)
	for _, row := range order[i*b.N : (i+1)*b.N] {
		b.Data = append(b.Data, f.Row(row)...)
	}
	return b
}

// mmd estimates MMD² without bias.
func mmd(x, y Features, on Compute) (float64, error) {
	xx, err := kernelMean(x, x, true, on)
	if err != nil {
		return 0, err
	}
	yy, err := kernelMean(y, y, true, on)
	if err != nil {
		return 0, err
	}
	xy, err := kernelMean(x, y, false, on)
	return xx + yy - 2*xy, err
}

// kernelMean returns the mean of k over all pairs of rows, but those of a row with itself when x and y are
// the same.
func kernelMean(x, y Features, same bool, on Compute) (float64, error) {
	var sum float64
	scale := 1 / float64(x.D)
	err := overPairs(x, y.References(), on, func(first int, products []float32, r reference) {
		for i, p := range products {
			if same && first+i == r.index {
				continue
			}
			k := float64(p)*scale + 1
			sum += k * k * k
		}
	})
	pairs := float64(x.N) * float64(y.N)
	if same {
		pairs -= float64(x.N)
	}
	return sum / pairs, err
}
