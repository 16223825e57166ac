package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
)

// stepsOf returns for how many steps a method is trained.
func (o *Options) stepsOf(m Method) int { return max(int(float64(m.Steps)*o.Budget), 1) }

// A Row is the result of one method. Likelihoods are means over held-out points, in nats. Points of
// CSV files are standardised first.
type Row struct {
	Method         string  `json:"method"`
	Parameters     int     `json:"parameters"`
	Steps          int     `json:"steps"`
	Seconds        float64 `json:"seconds"` // of training
	SecondsPerStep float64 `json:"seconds_per_step"`
	LogLikelihood  float64 `json:"log_likelihood"`
	LogError       float64 `json:"log_likelihood_standard_error"`
	// of a network; of a normalizing flow all couplings are one
	Evaluations    float64 `json:"evaluations_per_sample"`
	EnergyDistance float64 `json:"energy_distance"` // of samples to held-out points

	picture
}

// A picture is a column of the figure, of a method or of the truth.
type picture struct {
	title   string
	note    string
	density []float64   // of the cells, row after row from the top; nil when it is not known
	samples []float32   // points
	ways    [][]float32 // the first samples on their way from noise, [moments][points]
}

// Pictures show the plane from −extent to extent, and the ways of some points.
const (
	extent = 2.6
	ways   = 150
)

// lattice returns the centres of the cells of a picture.
func (o *Options) lattice() []float32 {
	n := o.Resolution
	at := func(i int) float32 { return float32((2*(float64(i)+0.5)/float64(n) - 1) * extent) }
	var points []float32
	for row := range n {
		for column := range n {
			points = append(points, at(column), -at(row))
		}
	}
	return points
}

// held returns the held-out points that are measured.
func (o *Options) held(d *Data) []float32 { return d.Held[:min(len(d.Held), 2*o.Samples)] }

// learn trains a method, and measures it. It asks ctx before each step, and tells progress of each.
func learn(ctx context.Context, m Method, d *Data, o *Options, progress func(step, steps int)) (*Row, error) {
	net := m.make(d, o.ISA, o.Seed)
	row := &Row{Method: m.Name, Parameters: net.learner().params.Len(), Steps: o.stepsOf(m)}
	row.title, row.note = m.Title, m.Note
	begin := time.Now()
	for step := range row.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		net.gradient(step)
		net.learner().step(step, row.Steps, m.Rate)
		progress(step+1, row.Steps)
	}
	row.Seconds = time.Since(begin).Seconds()
	row.SecondsPerStep = row.Seconds / float64(row.Steps)
	if err := row.measure(ctx, net, d, o); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	return row, nil
}

// measure fills in the scores of a trained model, and its picture.
func (r *Row) measure(ctx context.Context, net model, d *Data, o *Options) error {
	held := o.held(d)
	logp := make([]float64, len(held)/2)
	if err := net.logProb(ctx, logp, slices.Clone(held)); err != nil {
		return err
	}
	r.LogLikelihood, r.LogError = meanAndError(logp)
	if math.IsNaN(r.LogLikelihood) || math.IsInf(r.LogLikelihood, 0) {
		return fmt.Errorf("the log-likelihood is %v: "+
			"points far from all others, or training that diverged: try another seed",
			r.LogLikelihood)
	}
	cells := o.lattice()
	r.density = make([]float64, len(cells)/2)
	if err := net.logProb(ctx, r.density, cells); err != nil {
		return err
	}
	for i, logp := range r.density {
		if r.density[i] = math.Exp(logp); math.IsNaN(r.density[i]) {
			return errors.New("a density is not a number: training diverged: try another seed")
		}
	}
	r.samples = make([]float32, 2*o.Samples)
	flow.Gaussian(r.samples, source(o.Seed, streamSample, 0))
	var err error
	r.Evaluations, err = net.draw(ctx, r.samples, func(x []float32) {
		r.ways = append(r.ways, slices.Clone(x[:min(2*ways, len(x))]))
	})
	if err != nil {
		return err
	}
	for _, v := range r.samples {
		if v-v != 0 {
			return fmt.Errorf("samples: %w: training diverged: try another seed", ode.ErrNotFinite)
		}
	}
	r.EnergyDistance = energyDistance(r.samples, held)
	return nil
}

// meanAndError returns the mean of x and the standard error of the mean.
func meanAndError(x []float64) (mean, standardError float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	squares := 0.0
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(squares / (n - 1) / n)
}

// A Truth holds the scores of a perfect model.
type Truth struct {
	LogLikelihood  *float64 `json:"log_likelihood"`  // nil when the density is not known
	EnergyDistance float64  `json:"energy_distance"` // of training to held-out points

	picture
}

// measureTruth returns the scores of a perfect model of the data.
func measureTruth(d *Data, o *Options) *Truth {
	t, held := &Truth{}, o.held(d)
	t.title, t.note = "the data", "what each method is shown"
	t.samples = d.Train[:min(2*o.Samples, len(d.Train))]
	t.EnergyDistance = energyDistance(t.samples, held)
	if d.True == nil {
		return t
	}
	sum := 0.0
	for i := 0; i < len(held); i += 2 {
		sum += d.True.LogDensity(float64(held[i]), float64(held[i+1]))
	}
	sum /= float64(len(held) / 2)
	t.LogLikelihood = &sum
	points := o.lattice()
	for i := 0; i < len(points); i += 2 {
		t.density = append(t.density, math.Exp(d.True.LogDensity(float64(points[i]), float64(points[i+1]))))
	}
	return t
}

// mostCompared bounds the number of points of each set that energyDistance takes.
const mostCompared = 2000

// energyDistance returns 2·E|X−Y| − E|X−X'| − E|Y−Y'| of two sets of points, without bias. Its
// expectation is 0 when both have the same distribution, and only then (Székely and Rizzo 2013,
// "Energy statistics", equation 5).
func energyDistance(x, y []float32) float64 {
	x, y = x[:min(len(x), 2*mostCompared)], y[:min(len(y), 2*mostCompared)]
	n, m := float64(len(x)/2), float64(len(y)/2)
	return 2*distances(x, y)/(n*m) - distances(x, x)/(n*(n-1)) - distances(y, y)/(m*(m-1))
}

// distances returns the sum of the distances of all pairs.
func distances(x, y []float32) float64 {
	sum := 0.0
	for i := 0; i < len(x); i += 2 {
		for k := 0; k < len(y); k += 2 {
			dx, dy := float64(x[i]-y[k]), float64(x[i+1]-y[k+1])
			sum += math.Sqrt(float64(dx*dx) + float64(dy*dy))
		}
	}
	return sum
}
