package flow

import (
	"fmt"
	"math"

	"github.com/fmimg/fmimg/internal/states"
)

// A MarginalField is the velocity field that flow matching would learn from a finite data set if
// nothing limited it, in closed form. It is the mean of the velocities of all paths through x,
// weighted by how likely each data point is at their end (Lipman et al. 2023, equation 8, for q(x1)
// of n points),
//
//	v(x, t) = Σ_i w_i·u_t(x|x1_i),   w_i ∝ exp(−‖x − α·x1_i‖² / 2σ²).
//
// Its flow carries noise onto the points themselves. A trained network draws images between the
// points just because it does not learn this field exactly. A MarginalField is safe for use by
// several goroutines. It allocates nothing after the first calls.
type MarginalField struct {
	path    Schedule
	data    []float32 // n points of d numbers
	n, d    int
	scratch states.FreeList[marginalScratch]
}

type marginalScratch struct {
	weights []float64 // one for each point
	mean    []float64 // of the data, given x
}

// NewMarginalField returns the field of n points on a path. The points stand one after the other in
// data. The field keeps data, which must not change. NewMarginalField panics when n is 0 or does
// not divide the numbers.
func NewMarginalField(path Schedule, data []float32, n int) *MarginalField {
	d := states.Size(len(data), n)
	if n == 0 {
		panic("flow: a marginal field without data")
	}
	return &MarginalField{path: path, data: data, n: n, d: d}
}

// Velocity implements [ode.Field]. States have as many numbers as points.
func (f *MarginalField) Velocity(v, x, t []float32, _ []int) {
	if len(x) != len(t)*f.d || len(v) != len(x) {
		panic(fmt.Sprintf("flow: marginal field of %d numbers a state: x %d, v %d, t %d",
			f.d, len(x), len(v), len(t)))
	}
	s := f.scratch.Get()
	defer f.scratch.Put(s)
	for i, ti := range t {
		c := f.path.At(float64(ti))
		lo, hi := i*f.d, (i+1)*f.d
		f.weigh(s, x[lo:hi], c)
		x, v := x[lo:hi], v[lo:hi]
		// u_t(x|x1) is affine in x1, so its mean is that of the mean; see [ConditionalVelocity].
		var rate float64
		if c.Sigma > 0 {
			rate = c.DSigma / c.Sigma
		}
		toData := c.DAlpha - float64(rate*c.Alpha)
		for j, mean := range s.mean {
			v[j] = float32(float64(rate*float64(x[j])) + float64(toData*mean))
		}
	}
}

// Posterior sets w, one number for each point, to the probability that a path through the state x
// at time t ends at that point.
func (f *MarginalField) Posterior(w []float64, x []float32, t float64) {
	if len(w) != f.n || len(x) != f.d {
		panic(fmt.Sprintf("flow: marginal field of %d points of %d numbers: w %d, x %d",
			f.n, f.d, len(w), len(x)))
	}
	s := f.scratch.Get()
	defer f.scratch.Put(s)
	f.weigh(s, x, f.path.At(t))
	copy(w, s.weights)
}

// weigh sets the weights of the points and their mean. The largest exponent is subtracted from all,
// which leaves at least one weight of 1 (log-sum-exp). At σ = 0 only the nearest points have a
// weight.
func (f *MarginalField) weigh(s *marginalScratch, x []float32, c Coefficients) {
	s.weights, s.mean = states.Sized(s.weights, f.n), states.Sized(s.mean, f.d)
	nearest := math.Inf(1)
	for i := range s.weights {
		s.weights[i] = f.squaredDistance(x, i, c.Alpha)
		nearest = min(nearest, s.weights[i])
	}
	var total float64
	for i, distance := range s.weights {
		switch excess := distance - nearest; {
		case excess == 0:
			s.weights[i] = 1
		case c.Sigma == 0:
			s.weights[i] = 0
		default:
			s.weights[i] = math.Exp(-excess / (2 * c.Sigma * c.Sigma))
		}
		total += s.weights[i]
	}
	clear(s.mean)
	for i := range s.weights {
		s.weights[i] /= total
		f.addPoint(s.mean, i, s.weights[i])
	}
}

// squaredDistance returns ‖x − α·x1_i‖².
func (f *MarginalField) squaredDistance(x []float32, i int, alpha float64) float64 {
	var sum float64
	for j, x1 := range f.data[i*f.d : (i+1)*f.d] {
		e := float64(x[j]) - float64(alpha*float64(x1))
		sum += float64(e * e)
	}
	return sum
}

// addPoint adds w times a point to mean. Most weights are 0 unless t is small.
func (f *MarginalField) addPoint(mean []float64, i int, w float64) {
	if w == 0 {
		return
	}
	for j, x1 := range f.data[i*f.d : (i+1)*f.d] {
		mean[j] += float64(w * float64(x1))
	}
}
