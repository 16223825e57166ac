package metrics

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat"
)

// KIDOptions say how [KID] divides the sets.
type KIDOptions struct {
	Blocks int // number of disjoint blocks; 0: 10

	// Rand shuffles the rows of each set before they are divided. With nil they keep their order,
	// which must have no pattern: blocks of one class each would measure the distance of the
	// classes.
	Rand *rand.Rand
}

// defaultBlocks is the default of KIDOptions.Blocks.
const defaultBlocks = 10

// A KIDScore is the mean of the squared distances of the blocks, and its standard error. The mean
// may be negative.
type KIDScore struct {
	Value, StandardError float64
	Blocks               int
}

// KID returns the kernel distance of Bińkowski et al. (2018, "Demystifying MMD GANs", section 4):
// the unbiased estimate of
//
//	MMD² = E k(x,x') + E k(y,y') − 2 E k(x,y), k(x,y) = (x·y/D + 1)³
//
// KID divides both sets into disjoint blocks, as large as the number of rows allows. Each pair of
// blocks gives an estimate (Gretton et al. 2012, "A Kernel Two-Sample Test", equation 3). Disjoint
// blocks make the estimates independent, so s/√Blocks is their standard error. Rows left over are
// not used.
//
// Errors are fewer than 2 blocks, fewer than 2 rows in a block, and a number that is not finite.
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
		return KIDScore{}, fmt.Errorf("%d blocks: a standard error needs 2 at least", blocks)
	case min(x.N, y.N) < 2*blocks:
		return KIDScore{}, fmt.Errorf(
			"%d and %d rows for %d blocks: a block needs 2 of each, take more rows or fewer blocks", x.N, y.N, blocks)
	}
	for i, f := range []Features{x, y} {
		if _, err := f.squaredNorms(on); err != nil {
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
	mean, standardError := MeanAndError(estimates)
	return KIDScore{mean, standardError, blocks}, nil
}

// MeanAndError returns the mean of x, and the standard error of that mean: the deviation of x
// divided by the root of its length. One number has the error 0.
func MeanAndError(x []float64) (mean, standardError float64) {
	if len(x) == 1 {
		return x[0], 0
	}
	mean, deviation := stat.MeanStdDev(x, nil)
	return mean, stat.StdErr(deviation, float64(len(x)))
}

// order returns a random order of the rows, or with a nil rng the order that they have.
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

// block copies block i of the given number of blocks.
func (f Features) block(order []int, blocks, i int) Features {
	b := Features{N: f.N / blocks, D: f.D}
	b.Data = make([]float32, 0, b.N*b.D)
	for _, row := range order[i*b.N : (i+1)*b.N] {
		b.Data = append(b.Data, f.Row(row)...)
	}
	return b
}

// mmd returns the unbiased estimate of MMD².
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

// kernelMean returns the mean of k over all pairs of a row of x and a row of y. With same, x and y
// are one set, and a row makes no pair with itself.
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
