package metrics

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// shifted returns n rows of d standard normal numbers, the first of which is moved by δ.
func shifted(rng *rand.Rand, n, d int, delta float32) Features {
	f := normals(rng, n, d)
	for i := range n {
		f.Row(i)[0] += delta
	}
	return f
}

func mustCompare(t *testing.T, images, floor, truth Features, o CompareOptions, on Compute) Comparison {
	t.Helper()
	c, err := Compare(images, floor, truth, o, on)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Distances in a comparison are those that the functions of their names give.
func TestCompareValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	images, floor, truth := shifted(rng, 300, 4, 1), normals(rng, 250, 4), normals(rng, 400, 4)
	o := CompareOptions{SlicedOptions: SlicedOptions{Seed: 3, Directions: 20}, Replicates: 10}
	c := mustCompare(t, images, floor, truth, o, Compute{})
	reference := gaussianOf(t, truth)
	mustBeNear(t, "Fréchet distance", c.Frechet.Value, mustFrechet(t, gaussianOf(t, images), reference), 1e-12)
	mustBeNear(t, "the floor's", c.Frechet.Floor, mustFrechet(t, gaussianOf(t, floor), reference), 1e-12)
	mustBeNear(t, "sliced distance", c.Sliced.Value, mustSliced(t, images, truth, o.SlicedOptions, Compute{}), 1e-12)
	mustBeNear(t, "the floor's", c.Sliced.Floor, mustSliced(t, floor, truth, o.SlicedOptions, Compute{}), 1e-12)
	for _, r := range []Relative{c.Frechet, c.Sliced} {
		if r.Ratio != r.Value/r.Floor || !(r.RatioError > 0) {
			t.Errorf("ratio of %+v", r)
		}
	}
	again := mustCompare(t, images, floor, truth, o, Compute{Parallel: together})
	for i, d := range again.Sliced.deviations {
		if d != c.Sliced.deviations[i] || again.Frechet.deviations[i] != c.Frechet.deviations[i] {
			t.Fatalf("replicate %d depends on the number of goroutines", i)
		}
	}
}

// Sets that differ by shifts a and b have Fréchet distances a² and b². With n rows in each set, the
// means err by 1/√n. So the distances have the standard errors 2a·√(2/n) and 2b·√(2/n). The error
// of the real rows' mean is in both. The ratio has the relative variance 4/n·(1/a² + 1/b² + (1/a −
// 1/b)²). Covariances add (s1−s2)², of the order 1/n². A standard deviation from 200 replicates has
// an error of 5 %, and the variance of the rows one of √(2/n); 20 % is four times both.
func TestBootstrapOfKnownVariance(t *testing.T) {
	const n, a, b = 2000, 3.0, 2.0
	rng := rand.New(rand.NewPCG(7, 7))
	images, floor, truth := shifted(rng, n, 3, a), shifted(rng, n, 3, b), normals(rng, n, 3)
	c := mustCompare(t, images, floor, truth, CompareOptions{
		SlicedOptions: SlicedOptions{Seed: 1, Directions: 30}, Replicates: 200,
	}, Compute{Parallel: together})
	perRow := math.Sqrt(2.0 / n)
	ratio := 2 / math.Sqrt(n) * math.Sqrt(1/(a*a)+1/(b*b)+(1/a-1/b)*(1/a-1/b))
	for _, r := range []Relative{c.Frechet, c.Sliced} {
		// Along a direction the distance is a share of the shift's, which the ratio does not have.
		factor := r.Value / (a * a)
		mustBeNear(t, "error of the distance", r.ValueError, 2*a*perRow*factor, 0.2*2*a*perRow*factor)
		mustBeNear(t, "error of the floor", r.FloorError, 2*b*perRow*factor, 0.2*2*b*perRow*factor)
		mustBeNear(t, "relative error of the ratio", r.RatioError/r.Ratio, ratio, 0.2*ratio)
	}
}

// Of sets from one distribution, distances are noise alone. Their bootstrap errors are, on average
// over 30 comparisons, about a third more than what the distances vary by. The deviation of 30
// numbers has an error of 13 %; three times that is allowed. The plain bootstrap is too large by
// 73 % and more.
func TestBootstrapAtTheFloor(t *testing.T) {
	const n, sets = 300, 30
	rng := rand.New(rand.NewPCG(11, 3))
	var frechet, sliced []float64
	var frechetError, slicedError float64
	for range sets {
		images, floor, truth := normals(rng, n, 4), normals(rng, n, 4), normals(rng, n, 4)
		c := mustCompare(t, images, floor, truth, CompareOptions{
			SlicedOptions: SlicedOptions{Seed: 1, Directions: 10}, Replicates: 60,
		}, Compute{Parallel: together})
		frechet, sliced = append(frechet, c.Frechet.Value), append(sliced, c.Sliced.Value)
		frechetError, slicedError = frechetError+c.Frechet.ValueError/sets, slicedError+c.Sliced.ValueError/sets
	}
	want := stat.StdDev(frechet, nil)
	mustBeNear(t, "error of the Fréchet distance", frechetError, 1.3*want, 0.4*want)
	want = stat.StdDev(sliced, nil)
	mustBeNear(t, "error of the sliced distance", slicedError, 1.3*want, 0.4*want)
}

// The arithmetic of the panel by hand: ratios 4 and 9 have the mean 6. Deviations that cancel leave
// no error, and equal ones the error of each.
func TestGeometricMean(t *testing.T) {
	of := func(ratio float64, deviations ...float64) Relative {
		return Relative{Ratio: ratio, deviations: deviations}
	}
	for _, c := range []struct {
		name        string
		of          []Relative
		mean, error float64
	}{
		{"one", []Relative{of(1.5, 0.1, -0.1)}, 1.5, 1.5 * math.Sqrt(0.02)},
		{"together", []Relative{of(4, 0.1, -0.1), of(9, 0.1, -0.1)}, 6, 6 * math.Sqrt(0.02)},
		{"against each other", []Relative{of(4, 0.1, -0.1), of(9, -0.1, 0.1)}, 6, 0},
		{"one is certain", []Relative{of(4, 0.1, -0.1), of(9, 0, 0)}, 6, 3 * math.Sqrt(0.02)},
	} {
		mean, standardError := GeometricMean(c.of)
		mustBeNear(t, c.name, mean, c.mean, 1e-12)
		mustBeNear(t, c.name+": error", standardError, c.error, 1e-12)
	}
	mustPanic(t, "none", func() { GeometricMean(nil) }, "no ratios")
}

// Two networks that see the same images vary together: half of each network's deviations would
// cancel if the networks drew images on their own.
func TestComparisonsShareTheirImages(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	images, floor, truth := shifted(rng, 200, 3, 1), shifted(rng, 200, 3, 0.8), normals(rng, 200, 3)
	o := CompareOptions{SlicedOptions: SlicedOptions{Directions: 5}}
	c := mustCompare(t, images, floor, truth, o, Compute{})
	twice, standardError := GeometricMean([]Relative{c.Frechet, c.Frechet})
	if math.Abs(twice-c.Frechet.Ratio) > 1e-12 || math.Abs(standardError-c.Frechet.RatioError) > 1e-12 {
		t.Errorf("the same judge twice: %v ± %v, once %+v", twice, standardError, c.Frechet)
	}
}

func TestCompareMistakes(t *testing.T) {
	x := normals(rand.New(rand.NewPCG(5, 6)), 8, 3)
	bad := rows([]float32{1, float32(math.Inf(1)), 0}, []float32{1, 0, 0})
	_, err := Compare(x, bad, x, CompareOptions{}, Compute{})
	mustFail(t, "infinity", err, "finite")
	_, err = Compare(x, x, Features{D: 3}, CompareOptions{}, Compute{})
	mustFail(t, "no rows", err, "no rows")
	_, err = Compare(x, x, rows([]float32{1, 2, 3}), CompareOptions{}, Compute{})
	mustFail(t, "one row", err, "2")
	_, err = Compare(x, x, x, CompareOptions{Replicates: 1}, Compute{})
	mustFail(t, "one replicate", err, "1 replicates")
	mustPanic(t, "shapes", func() { _, _ = Compare(x, rows([]float32{1}), x, CompareOptions{}, Compute{}) }, "1", "3")
}

// With classes, replicates have the classes as often as the sets, so that the errors do not know of
// classes that come more or less often by chance. Here classes lie far apart, and that chance would
// be nearly all of the error.
func TestStrataKeepClasses(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	set := func(n int) (Features, []int) {
		f, classes := normals(rng, n, 3), make([]int, n)
		for i := range n {
			if classes[i] = rng.IntN(2); classes[i] == 1 {
				f.Row(i)[0] += 20
			}
		}
		return f, classes
	}
	images, a := set(1000)
	floor, b := set(1000)
	truth, c := set(1000)
	plain := mustCompare(t, images, floor, truth, CompareOptions{SlicedOptions: SlicedOptions{Directions: 5}}, Compute{})
	with := mustCompare(t, images, floor, truth, CompareOptions{
		SlicedOptions: SlicedOptions{Directions: 5}, Strata: [3][]int{a, b, c},
	}, Compute{})
	if with.Frechet.Value != plain.Frechet.Value || with.Sliced.Value != plain.Sliced.Value {
		t.Error("classes change the distance itself")
	}
	if !(with.Frechet.ValueError < plain.Frechet.ValueError/5) || !(with.Sliced.ValueError < plain.Sliced.ValueError/5) {
		t.Errorf("errors with classes %v and %v, without %v and %v", with.Frechet.ValueError, with.Sliced.ValueError,
			plain.Frechet.ValueError, plain.Sliced.ValueError)
	}
	mustPanic(t, "classes of other rows", func() {
		Compare(images, floor, truth, CompareOptions{Strata: [3][]int{a[1:], b, c}}, Compute{}) //nolint:errcheck // it panics
	}, "999")
}
