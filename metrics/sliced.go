package metrics

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// SlicedOptions say along which directions [SlicedWasserstein] looks.
type SlicedOptions struct {
	Directions int    // number of directions; 0: 128
	Seed       uint64 // of the directions
}

// defaultDirections is the default of SlicedOptions.Directions.
const defaultDirections = 128

// withDefaults fills in what is zero.
func (o SlicedOptions) withDefaults() SlicedOptions {
	if o.Directions == 0 {
		o.Directions = defaultDirections
	}
	return o
}

// SlicedWasserstein returns the square of the sliced 2-Wasserstein distance of two sets of rows,
//
//	mean over directions θ of ∫ (F⁻¹(u) − G⁻¹(u))² du, 0 < u < 1
//
// where F and G are the distributions of the rows' projections on θ (Bonneel et al. 2015, "Sliced
// and Radon Wasserstein Barycenters of Measures", definition 5). The directions are uniform on the
// sphere. The quantile functions are steps, so the integral is exact for sets of any two sizes.
//
// Unlike a Fréchet distance it sees the whole distribution along a direction, not its mean and
// variance alone. A shift by δ of rows of D numbers has the distance ‖δ‖²/D.
//
// A set without rows and a number that is not finite are errors.
func SlicedWasserstein(x, y Features, o SlicedOptions, on Compute) (float64, error) {
	mustMatch(x.D, y.D)
	for _, f := range []Features{x, y} {
		if err := f.validate(on); err != nil {
			return 0, err
		}
	}
	o = o.withDefaults()
	if o.Directions < 1 {
		return 0, fmt.Errorf("%d directions: 1 at least", o.Directions)
	}
	along := make([]float64, o.Directions)
	err := on.each(o.Directions, func(i int) error {
		theta := direction(x.D, o.Seed, i)
		along[i] = wasserstein(x.project(theta), y.project(theta), nil, nil)
		return nil
	})
	return mean(along), err
}

// validate fails for a set without rows, or with a number that is not finite.
func (f Features) validate(on Compute) error {
	f.mustFit()
	if f.N == 0 {
		return errNoRows
	}
	_, err := f.squaredNorms(on)
	return err
}

// mean returns the mean of x.
func mean(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// direction returns the unit vector of d numbers with the given number.
func direction(d int, seed uint64, number int) []float64 {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	theta := make([]float64, d)
	var sum float64
	for j := range theta {
		theta[j] = rng.NormFloat64()
		sum += float64(theta[j] * theta[j])
	}
	scale := 1 / math.Sqrt(sum)
	for j := range theta {
		theta[j] *= scale
	}
	return theta
}

// A projected row is where it lies along a direction.
type projected struct {
	at  float64
	row int32
}

// project returns the rows' projections on θ in rising order.
func (f Features) project(theta []float64) []projected {
	along := make([]projected, f.N)
	for i := range along {
		var dot float64
		for j, v := range f.Row(i) {
			dot += float64(float64(v) * theta[j])
		}
		along[i] = projected{dot, int32(i)}
	}
	slices.SortFunc(along, func(a, b projected) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.row, b.row))
	})
	return along
}

// wasserstein returns the square of the 2-Wasserstein distance of two distributions on a line. Each
// point has the weight of its row, nil for 1 each.
func wasserstein(x, y []projected, wx, wy []int32) float64 {
	nx, ny := totalWeight(x, wx), totalWeight(y, wy)
	// In units of 1/(nx·ny) all steps of both quantile functions lie at whole numbers.
	var sum float64
	var left, right int64 // what is left of the weight of x[i] and of y[k]
	for i, k := -1, -1; ; {
		for ; left == 0; left = weightOf(x[i], wx) * ny {
			if i++; i == len(x) {
				return sum / (float64(nx) * float64(ny))
			}
		}
		for ; right == 0; right = weightOf(y[k], wy) * nx {
			k++
		}
		step := min(left, right)
		d := x[i].at - y[k].at
		sum += float64(float64(d*d) * float64(step))
		left, right = left-step, right-step
	}
}

// totalWeight returns the sum of the weights of all points.
func totalWeight(x []projected, w []int32) int64 {
	if w == nil {
		return int64(len(x))
	}
	var sum int64
	for _, v := range w {
		sum += int64(v)
	}
	return sum
}

// weightOf returns the weight of a point.
func weightOf(p projected, w []int32) int64 {
	if w == nil {
		return 1
	}
	return int64(w[p.row])
}
