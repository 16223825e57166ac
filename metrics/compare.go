package metrics

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// A Relative is a distance of images to real ones, beside that of other real images, the floor.
type Relative struct {
	Value, ValueError float64 // of the images, with its standard error
	Floor, FloorError float64 // of other real images
	Ratio, RatioError float64 // Value/Floor; both are NaN or infinite if the floor is 0

	// deviations are those of the ratio in each replicate, as shares of the ratio.
	deviations []float64
}

// A Comparison is what the features of one network say of images.
type Comparison struct {
	Frechet Relative // [Frechet] distances
	Sliced  Relative // [SlicedWasserstein] distances
}

// CompareOptions say how [Compare] compares.
type CompareOptions struct {
	SlicedOptions
	// Replicates is the number of bootstrap samples; 0: 50. Standard errors have an error of their
	// own, of a share of 1/√(2·Replicates).
	Replicates int
	// Strata have the class of each row of the images, the floor and the real images; a nil one has
	// no classes. Replicates then have as many rows of each class as the set has: how often classes
	// come is settled by who drew the images, and is not chance.
	Strata [3][]int
}

// defaultReplicates is the default of CompareOptions.Replicates.
const defaultReplicates = 50

// The streams of random numbers of the three sets.
const (
	streamImages = iota + 1<<32 // directions have the numbers below
	streamFloor
	streamReal
)

// Compare measures how far images are from real ones, and how far other real images are, the floor.
// Both distances grow as the sets get smaller, so images and floor should have as many rows.
//
// Standard errors are those of the bootstrap (Efron 1979, "Bootstrap Methods: Another Look at the
// Jackknife"): the deviation of the distance over sets of images that are drawn again from the
// images at hand, all three sets at once. The error of the ratio a/b is that of a linear change,
// √var(a*/a − b*/b)·a/b, with the replicates a*, b*.
//
// Near the floor the plain bootstrap would be too large by a factor of √3 and more. What it counts
// twice is taken out, so that errors there are about a third too large.
//
// Fewer than two rows in a set, and a number that is not finite, are errors.
func Compare(images, floor, truth Features, o CompareOptions, on Compute) (Comparison, error) {
	mustMatch(images.D, truth.D)
	mustMatch(floor.D, truth.D)
	if o.SlicedOptions = o.SlicedOptions.withDefaults(); o.Replicates == 0 {
		o.Replicates = defaultReplicates
	}
	if o.Replicates < 2 || o.Directions < 1 {
		return Comparison{}, fmt.Errorf("%d replicates along %d directions: 2 along 1 at least", o.Replicates, o.Directions)
	}
	c := comparing{options: o, on: on}
	for i, f := range []Features{images, floor, truth} {
		if err := f.validate(on); err != nil {
			return Comparison{}, err
		}
		if strata := o.Strata[i]; strata != nil {
			mustMatch(len(strata), f.N)
		}
		c.sets[i] = f
		c.again[i] = newResampling(f.N, o.Strata[i], o.Replicates, o.Seed, streamImages+uint64(i))
	}
	frechet, err := c.frechet()
	if err != nil {
		return Comparison{}, err
	}
	sliced, err := c.sliced()
	return Comparison{Frechet: frechet, Sliced: sliced}, err
}

// A comparing is a comparison under way. Its sets are the images, the floor and the real ones.
type comparing struct {
	options CompareOptions
	on      Compute
	sets    [3]Features
	again   [3]resampling
}

// A gap is the distance of the images and of the floor to the real images.
type gap struct{ images, floor float64 }

// A replicate is the gap of sets that are drawn again, and halfway there: of these sets and the
// sets at hand together.
type replicate struct{ full, half gap }

// frechet returns the Fréchet distances. The replicates join the moments of blocks.
func (c *comparing) frechet() (Relative, error) {
	var blocks [3][]Moments
	var whole [3]Moments
	var all [3]Gaussian
	for i, f := range c.sets {
		err := whole[i].Add(f, c.on)
		if err == nil {
			all[i], err = whole[i].Gaussian()
		}
		if err == nil {
			blocks[i], err = c.again[i].moments(f, c.on)
		}
		if err != nil {
			return Relative{}, err
		}
	}
	of := func(g [3]Gaussian) (d gap, err error) {
		if d.images, err = Frechet(g[0], g[2]); err == nil {
			d.floor, err = Frechet(g[1], g[2])
		}
		return d, err
	}
	value, err := of(all)
	if err != nil {
		return Relative{}, err
	}
	replicates := make([]replicate, c.options.Replicates)
	err = c.on.each(len(replicates), func(r int) (err error) {
		var full, half [3]Gaussian
		for i := range full {
			if full[i], err = c.again[i].gaussian(blocks[i], r, &Moments{}); err != nil {
				return err
			}
			if half[i], err = c.again[i].gaussian(blocks[i], r, &whole[i]); err != nil {
				return err
			}
		}
		if replicates[r].full, err = of(full); err == nil {
			replicates[r].half, err = of(half)
		}
		return err
	})
	return relative(value, replicates), err
}

// sliced returns the sliced Wasserstein distances. The replicates weigh the rows, whose order along
// a direction stays.
func (c *comparing) sliced() (Relative, error) {
	n := c.options.Replicates
	weights := make([][3][]int32, 2*n+1) // full, half, and at last none: the sets as they are
	for r := range n {
		for i, f := range c.sets {
			weights[r][i], weights[n+r][i] = c.again[i].weights(r, f.N, 0), c.again[i].weights(r, f.N, 1)
		}
	}
	along := make([][]gap, c.options.Directions) // [directions][len(weights)]
	err := c.on.each(len(along), func(k int) error {
		theta := direction(c.sets[0].D, c.options.Seed, k)
		images, floor, truth := c.sets[0].project(theta), c.sets[1].project(theta), c.sets[2].project(theta)
		along[k] = make([]gap, len(weights))
		for r, w := range weights {
			along[k][r] = gap{wasserstein(images, truth, w[0], w[2]), wasserstein(floor, truth, w[1], w[2])}
		}
		return nil
	})
	if err != nil {
		return Relative{}, err
	}
	means := make([]gap, len(weights))
	for r := range means {
		for k := range along {
			means[r].images += along[k][r].images / float64(len(along))
			means[r].floor += along[k][r].floor / float64(len(along))
		}
	}
	replicates := make([]replicate, n)
	for r := range replicates {
		replicates[r] = replicate{means[r], means[n+r]}
	}
	return relative(means[2*n], replicates), nil
}

// relative returns the ratio of distances, and the errors by their replicates.
func relative(value gap, replicates []replicate) Relative {
	r := Relative{Value: value.images, Floor: value.floor, Ratio: value.images / value.floor}
	var full, half, floorFull, floorHalf []float64
	for _, d := range replicates {
		full, half = append(full, d.full.images), append(half, d.half.images)
		floorFull, floorHalf = append(floorFull, d.full.floor), append(floorHalf, d.half.floor)
	}
	images, floor := deviations(value.images, full, half), deviations(value.floor, floorFull, floorHalf)
	r.ValueError, r.FloorError = stat.StdDev(images, nil), stat.StdDev(floor, nil)
	for i := range images {
		r.deviations = append(r.deviations, images[i]/value.images-floor[i]/value.floor)
	}
	r.RatioError = r.Ratio * stat.StdDev(r.deviations, nil)
	return r
}

// deviations returns how a distance d varies, from its replicates.
//
// To second order d = ‖a‖², where a = δ + e is the true difference and the noise e of the sets at
// hand, with covariance Σ. Its variance is 4·δᵀΣδ + 2·tr Σ². A replicate is ‖a + e*‖² = d + 2·aᵀe*
// + ‖e*‖², in which e* has the covariance Σ too. But its linear part has the variance 4·aᵀΣa. That
// is 4·tr Σ² too much on average, because a holds the noise e already. So both parts are taken
// apart, by the replicate and the one halfway, ‖a + e*/2‖². The linear part is made smaller by what
// its variance has too much: twice the variance of the other part. Where that leaves less than
// nothing, nothing is left; so the errors are not quite free of what they should lose.
func deviations(d float64, full, half []float64) []float64 {
	linear, square := make([]float64, len(full)), make([]float64, len(full))
	for i := range full {
		square[i] = 2 * (full[i] - 2*half[i] + d)
		linear[i] = full[i] - d - square[i]
	}
	meanLinear, varLinear := stat.MeanVariance(linear, nil)
	meanSquare, varSquare := stat.MeanVariance(square, nil)
	shrink := 0.0
	if varLinear > 0 {
		shrink = math.Sqrt(max(0, 1-2*varSquare/varLinear))
	}
	varied := make([]float64, len(full))
	for i := range varied {
		varied[i] = shrink*(linear[i]-meanLinear) + square[i] - meanSquare
	}
	return varied
}

// GeometricMean returns the geometric mean of the ratios, and its standard error. The ratios must
// come from comparisons of as many images with one seed: these drew the same images again, so that
// the error knows how the ratios vary together. It panics without a ratio.
func GeometricMean(of []Relative) (value, standardError float64) {
	if len(of) == 0 {
		panic("metrics: the geometric mean of no ratios")
	}
	joint := make([]float64, len(of[0].deviations))
	for _, r := range of {
		value += math.Log(r.Ratio) / float64(len(of))
		for i, d := range r.deviations {
			joint[i] += d / float64(len(of))
		}
	}
	value = math.Exp(value)
	if len(joint) < 2 {
		return value, math.NaN()
	}
	return value, value * stat.StdDev(joint, nil)
}
