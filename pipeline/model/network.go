package model

import (
	"context"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/safetensors"
)

// Weights are the parameters of a network, which are trained and written to checkpoints.
type Weights interface {
	Params() *nn.Params
	ISA() kernels.ISA
	// Repack does one of parts parts of the work that a change of the parameters takes.
	Repack(part, parts int)
	// File is a checkpoint with values in place of the parameters.
	File(values []float32, dtype safetensors.DType, meta map[string]string) *safetensors.File
}

// A Network turns noise into images. [UNet] and [NormalizingFlow] are the two kinds. path is the
// model's in all errors.
type Network interface {
	Weights
	Shape() pipeline.Shape
	Labels() Labels
	// Describe says in a few words what the network is.
	Describe() string
	// FLOPs returns the operations of an evaluation of one image.
	FLOPs() float64
	// HasTrajectory reports whether there are states between noise and image.
	HasTrajectory() bool

	// SettleGuidance returns a weight of guidance, or for 0 the network's default, or why it cannot have the weight.
	SettleGuidance(path string, weight float64) (float64, error)
	// Settle completes a method, whose zero fields leave the choice to the network.
	Settle(path string, m Method) (Plan, Method, error)
	// StepsFor returns the steps in which the method evaluates the network so many times for an image.
	StepsFor(path string, evaluations int, m Method) (int, error)
	// NewDrawer returns what draws up to n images at once, for one worker.
	NewDrawer(n int) Drawer
	// DensityModel returns what finds densities by a method, whose zero fields leave the choice to the
	// network, or why nothing can.
	DensityModel(path string, m DensityMethod) (DensityModel, error)
}

// Labels says which classes a network takes: rows 0 to Count-1 of its embedding.
type Labels struct {
	Count int
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
	// Guidance is the weight W of v_null + W·(v_class − v_null), where 1 is off; 0: [DefaultGuidance] for
	// networks that were trained for it, 1 for others.
	Guidance float64
	// Solver is a name of [SolverNames]; empty: adams2, or the only way of a flow map or normalizing flow.
	Solver string
	// Steps are those of the solver, or jumps; 0: 8 of adams2 and 16 of other solvers, the largest number of
	// jumps that a flow map was trained for, or the one pass of a normalizing flow.
	Steps int
	// Tol is the error that dopri5 allows a step; 0: 1e-4.
	Tol float64
	// NoiseLevel is how much fresh noise sde adds and removes, as a multiple of the variance that the path
	// loses; 0: 1.
	NoiseLevel float64
}

// A Plan is a settled method: what becomes of a U-Net's answers. A normalizing flow has the zero Plan.
type Plan struct {
	Solver   ode.Solver
	Predicts Prediction // by the network
	Jump     float64    // length of a flow map's jumps, 0 for a network without
}

// A Drawing says which images to draw, and how.
type Drawing struct {
	Seed     uint64
	First    int     // index of the first image; image i starts from the noise of (Seed, First+i)
	Labels   []int32 // the row of the embedding for each image, nil for an unconditional network
	Null     int32   // the row of "no class", when guidance is not 1
	Guidance float64 // weight W of v_null + W·(v_class − v_null)
	Plan

	// Frame, when not nil, is shown the states of the images from, from+1, … at each step of the solver, by
	// several goroutines at once for images of their own.
	Frame func(from, step int, x []float32)
	// Done, when not nil, is told how many more images are finished, by several goroutines.
	Done func(images int)
}

// A Drawer draws images on one worker, in memory of its own.
type Drawer interface {
	// Draw carries the noise in x, [n, H, W, C], to the images from, from+1, … of a drawing.
	Draw(ctx context.Context, d *Drawing, from int, x []float32) (ode.Stats, error)
}

// A DensityMethod says how the density of images is found. Its zero fields leave the choice to the network.
type DensityMethod struct {
	Exact  bool    // the divergence exactly, a backward pass for each dimension; false: Hutchinson's estimate
	Probes int     // random directions of Hutchinson's estimate; 0: 1
	Solver string  // a name of ode.SolverNames; empty: dopri5
	Steps  int     // of a solver of fixed steps; 0: 50
	Tol    float64 // error that dopri5 allows a step, for each dimension; 0: 1e-4
}

// A DensityModel finds densities of images.
type DensityModel interface {
	// Method is the settled method.
	Method() DensityMethod
	// Solver names what integrates.
	Solver() string
	// NewEstimator returns what finds the densities of up to n images at once, for one worker. ctx ends it.
	NewEstimator(ctx context.Context, n int) DensityEstimator
}

// A DensityEstimator finds log-densities on one worker, in memory of its own.
type DensityEstimator interface {
	// SetImage says which image comes in slot i: its random directions are keyed by seed and image.
	SetImage(i int, seed uint64, image int)
	// LogProb sets log p of the images in x, [n, H, W, C], of rows y of the embedding (nil: the network takes
	// none), in nats: one number for each probe of each image, and one for each image without probes.
	LogProb(ctx context.Context, logp []float64, x []float32, y []int32) (ode.Stats, error)
}
