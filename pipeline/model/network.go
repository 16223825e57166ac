package model

import (
	"context"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/safetensors"
)

// Weights are what training changes and a checkpoint stores: the parameters of a network.
type Weights interface {
	// Params returns the parameters, which the network owns.
	Params() *nn.Params
	// ISA returns the instruction set that computes.
	ISA() kernels.ISA
	// Repack makes the kernels' form of the parameters anew, after they have changed. It does one
	// part of the work, 0 ≤ part < parts, so that workers can share it.
	Repack(part, parts int)
	// File returns a checkpoint with values in place of the parameters.
	File(values []float32, dtype safetensors.DType, meta map[string]string) *safetensors.File
}

// A Network carries noise to images. [UNet] and [NormalizingFlow] implement it. Errors name the
// model by path, and those about an option are a [*pipeline.OptionError].
type Network interface {
	Weights
	// Shape returns the shape of the images.
	Shape() pipeline.Shape
	// Labels returns the classes that the network takes.
	Labels() Labels
	// Describe says in a few words what the network is.
	Describe() string
	// FLOPs returns the operations of an evaluation of one image.
	FLOPs() float64
	// HasTrajectory reports whether there are states between noise and image.
	HasTrajectory() bool

	// SettleGuidance completes what a method says of guidance, and leaves the rest of it as it is.
	// The error says why the network cannot have this guidance.
	SettleGuidance(path string, m Method) (Method, error)
	// Settle completes a method, whose zero fields leave the choice to the network. It returns the
	// plan for drawers and the completed method.
	Settle(path string, m Method) (Plan, Method, error)
	// StepsFor returns the number of steps for which the method takes so many evaluations of
	// networks for an image.
	StepsFor(path string, evaluations int, m Method) (int, error)
	// NewDrawer returns a drawer of up to n images at once by a plan, for one worker.
	NewDrawer(n int, p Plan) Drawer
	// DensityModel returns a model that finds densities by a method, whose zero fields leave the
	// choice to the network. The error says why the network has no density.
	DensityModel(path string, m DensityMethod) (DensityModel, error)
}

// Labels says which classes a network takes: class i is row i of the label embedding.
type Labels struct {
	Count int  // number of classes, without "no class"
	Null  bool // row Count means "no class"
}

// Rows returns the rows of the embedding, 0 for a network that takes no class.
func (l Labels) Rows() int {
	if l.Null {
		return l.Count + 1
	}
	return l.Count
}

// NullRow returns the row that means "no class".
func (l Labels) NullRow() int32 { return int32(l.Count) }

// A Method says how images are drawn. Its zero fields leave the choice to the network.
type Method struct {
	// Guidance is the weight W of v_null + W·(v_class − v_null), or with a Guide of v_guide + W·(v
	// − v_guide); 1 is off; 0: 1, or [DefaultGuidance] for networks that were trained for it, or
	// with a Guide [DefaultGuideWeight], or the weight that a flow map records that takes weights.
	Guidance float64
	// Interval holds the times in which guidance acts; zero: 0,1, or [UsualGuideInterval] where
	// GuidanceEvery is zero too, and becomes [DefaultGuideEvery].
	Interval Interval
	// GuidanceEvery says how often what guidance adds is computed: at the first of so many
	// velocities in a row to which it adds, the same for all of them; 1: for each; 0: 1, or
	// [DefaultGuidanceEvery] for weights near 1 and abm2 or adams2 on the linear path,
	// [DefaultGuideEvery] with a Guide that has a share, and 1 for a Guide that shares with
	// nothing. Dopri5, flow maps and normalizing flows have none.
	GuidanceEvery int
	// Guide is a weaker model, from which guidance leads away instead of from no class; nil: none.
	Guide *Guide
	// GuideShare is the share of the Guide in what guidance leads away from; the rest is no class;
	// 0: [DefaultGuideShare], or 1 for networks that were not trained without a class. 1 takes one
	// evaluation less.
	GuideShare float64
	// Solver is a name of [SolverNames]; empty: abm2, or the only way of a flow map or
	// normalizing flow.
	Solver string
	// Steps are those of the solver, or jumps; 0: 8 of abm2 and adams2 and 16 of other solvers, the
	// largest number of jumps that a flow map was trained for, or the one pass of a normalizing
	// flow.
	Steps int
	// TimeShift is s of [flow.Shift]: above 1 steps near noise are shorter; 0: 1, all equal, or
	// [DefaultShift] for abm2 and adams2 on the linear path. Dopri5, flow maps and normalizing
	// flows have none.
	TimeShift float64
	// Tol is the error that dopri5 allows a step; 0: 1e-4.
	Tol float64
	// NoiseLevel is how much fresh noise sde adds and removes, as a multiple of the variance that
	// the path loses; 0: 1.
	NoiseLevel float64
}

// A Plan is a settled method: how a drawer uses what a U-Net predicts. A normalizing flow has the
// zero Plan.
type Plan struct {
	Solver ode.Solver
	Guide  *Guide // of the method; nil for none
	// GuideShare is that of [Method]; 0: 1.
	GuideShare float64
	Predicts   Prediction // what the network predicts
	Jump       float64    // length of a flow map's jumps; 0 for a network that is not a flow map
	// TakesGuidance says that the weight of guidance is an input of the flow map.
	TakesGuidance bool
}

// A Part is the part of the way from noise at time 0 to an image at time 1 that a drawing goes. The
// zero Part is the whole way. A part that begins later begins at states that the caller has.
type Part struct{ From, To float64 }

// end returns the time at which the part ends.
func (p Part) end() float64 {
	if p.To == 0 {
		return 1
	}
	return p.To
}

// A Drawing says which images to draw, and how.
type Drawing struct {
	Seed     uint64
	First    int       // index of the first image; image i starts from the noise of (Seed, First+i)
	Labels   []int32   // row of the embedding for each image; nil for a network without classes
	Null     int32     // row of "no class"; not used without guidance, or where GuideShare is 1
	Guidance float64   // weight W of v_null + W·(v_class − v_null), or v_guide + W·(v − v_guide)
	Weights  []float32 // weight W of each image, in place of Guidance; nil for none
	Interval Interval
	// GuidanceEvery is that of [Method], for solvers of fixed steps; 0: 1.
	GuidanceEvery int
	Part          Part // the part of the way that the images go
	Plan

	// Frame, when not nil, gets the states x of the images from, from+1, … at each step of the
	// solver. Several goroutines call it at once, each for its own images.
	Frame func(from, step int, x []float32)
	// Done, when not nil, gets the number of images that were finished since the last call. Several
	// goroutines call it at once.
	Done func(images int)
}

// weight returns the weight of guidance of image i of the drawing.
func (d *Drawing) weight(i int) float32 {
	if d.Weights != nil {
		return d.Weights[i]
	}
	return float32(d.Guidance)
}

// A Drawer draws images on one worker, in memory of its own.
type Drawer interface {
	// Draw carries the noise in x, [n, H, W, C], to the images from, from+1, … of a drawing, in
	// place. For a part of the way x holds the states at its begin, then those at its end. The
	// evaluations in the statistics are those of networks: where guidance is computed, a velocity
	// takes two.
	Draw(ctx context.Context, d *Drawing, from int, x []float32) (ode.Stats, error)
}

// A DensityMethod says how the density of images is found. Its zero fields leave the choice to the
// network.
type DensityMethod struct {
	// Exact finds the divergence exactly, with a backward pass for each dimension, instead of
	// Hutchinson's estimate.
	Exact bool
	// Probes is the number of random directions of Hutchinson's estimate; 0: 1.
	Probes int
	// Solver is a name of ode.SolverNames; empty: dopri5.
	Solver string
	// Steps are those of a solver of fixed steps; 0: 50.
	Steps int
	// Tol is the error that dopri5 allows a step, for each dimension; 0: 1e-4.
	Tol float64
}

// A DensityModel makes what finds densities of images, for any number of workers.
type DensityModel interface {
	// Method returns the settled method.
	Method() DensityMethod
	// Solver names the solver, with its settings.
	Solver() string
	// NewEstimator returns an estimator for up to n images at once, for one worker. ctx ends its
	// work.
	NewEstimator(ctx context.Context, n int) DensityEstimator
}

// A DensityEstimator finds log-densities on one worker, in memory of its own.
type DensityEstimator interface {
	// SetImage says which image slot i holds: the seed and the image are the key of its random
	// directions.
	SetImage(i int, seed uint64, image int)
	// LogProb sets logp to the log-densities, in nats, of the images in x, [n, H, W, C]. y has a
	// class for each image, and is nil for a network without classes. logp is [n, Probes], or [n]
	// without probes.
	LogProb(ctx context.Context, logp []float64, x []float32, y []int32) (ode.Stats, error)
}
