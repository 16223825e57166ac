package edit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// A Task changes images in memory by a model. NewTask says how, Take which images, and Runner who
// computes.
type Task struct {
	Checkpoint *model.Checkpoint
	Method     model.Method    // settled
	Inputs     *picture.Images // what is changed
	// Classes are the classes of the inputs as the model numbers them; -1: none.
	Classes []int32
	Count   int    // images made of each input, or pair of inputs
	Seed    uint64 // of the noise
	Runner  Runner
	// Frame, when not nil, gets the states x, [H, W, C], of an image on its way: step steps is the
	// image itself. Several goroutines call it at once, each for its own images.
	Frame func(image, step, steps int, x []float32)

	net      *model.UNet
	predicts model.Prediction // what the network predicts
	solver   ode.Solver
	how      string // how images are made, for a text of the picture
	class    string // of the options
}

// A Runner solves for many states, on workers of its own.
type Runner interface {
	// Run calls solve for the states from..to-1 of n until all are solved for. It passes a worker
	// that no other call uses meanwhile. An error ends the run.
	Run(ctx context.Context, n int, solve SolveFunc) error
}

// A SolveFunc solves for the states from..to-1 on a worker.
type SolveFunc func(ctx context.Context, w Worker, from, to int) error

// A Worker is what states are solved with, in memory of its own.
type Worker struct {
	Net    model.Replica         // of the model
	Drawer *model.VelocityDrawer // which uses Net
}

// NewTask checks how images are changed: Class, Count, Seed and the method of the options, which
// have defaults. The others are not used. guide is the guide that the options name. A mistake is an
// [*pipeline.OptionError].
func NewTask(ck *model.Checkpoint, o Options, guide *model.Guide) (*Task, error) {
	o = o.WithDefaults()
	if err := o.validateMethod(); err != nil {
		return nil, err
	}
	t := &Task{Checkpoint: ck, Count: o.Count, Seed: o.Seed, class: o.Class}
	var err error
	if t.net, err = ck.VelocityNet(); err != nil {
		return nil, err
	}
	if t.predicts, err = t.net.Velocity(ck.Path); err != nil {
		return nil, err
	}
	m := o.method()
	if m.Guide = guide; guide != nil {
		m.GuideShare = 1
	}
	if t.Method, err = ck.SettleGuidance(ck.Path, m); err != nil {
		return nil, err
	}
	if t.solver, err = ode.NewSolver(o.Solver, o.Steps, o.Tol); err != nil {
		return nil, err
	}
	t.how = t.solver.String()
	return t, nil
}

// Take sets the inputs. They get the classes of the options in turn, or else the given ones; -1:
// none. The notes say what was assumed.
func (t *Task) Take(inputs *picture.Images, classes []int32) (notes []pipeline.Event, err error) {
	t.Inputs, t.Classes = inputs, classes
	labels := t.Checkpoint.Labels()
	switch name := model.ModelName(t.Checkpoint.Path); {
	case t.class != "" && labels.Rows() == 0:
		return nil, option.Errorf("class", t.class, "%s takes no class", name)
	case t.class != "":
		turn, notes, err := t.Checkpoint.ClassList().Parse(t.class)
		if err != nil {
			return nil, err
		}
		for i := range t.Classes {
			t.Classes[i] = turn[i%len(turn)]
		}
		return notes, nil
	case labels.Rows() > 0 && !labels.Null && slices.Contains(t.Classes, -1):
		return nil, option.Errorf("class", nil,
			"is needed: %s draws no image without one, and nobody knows those of the images", name)
	}
	return nil, nil
}

// NewWorker returns a worker for up to n states at once. train says that gradients of the network
// are needed.
func (t *Task) NewWorker(n int, train bool) Worker {
	net := t.net.NewEvaluator(n, train)
	return Worker{net, t.net.DrawerOf(net, n, t.plan())}
}

// plan returns how drawers use the network and its guide.
func (t *Task) plan() model.Plan { return model.Plan{Guide: t.Method.Guide, Predicts: t.predicts} }

// row returns the row of the label embedding for a class. For -1 it is the row of "no class".
func (t *Task) row(class int32) int32 {
	if class < 0 {
		return t.Checkpoint.Labels().NullRow()
	}
	return class
}

// A fieldSolver solves for the states x, from state number from on, with the velocity f under the
// classes of these states.
type fieldSolver func(ctx context.Context, w Worker, from int, f ode.Field, x []float32) error

// each solves for all states. states holds a state for each class in classes, and then its
// solution.
func (t *Task) each(ctx context.Context, states []float32, classes []int32, solve fieldSolver) error {
	d, labels := t.Checkpoint.Shape().Len(), t.Checkpoint.Labels()
	draw := model.Drawing{
		Guidance: t.Method.Guidance, Interval: t.Method.Interval, Null: labels.NullRow(), Plan: t.plan(),
	}
	if labels.Rows() > 0 {
		for _, class := range classes {
			draw.Labels = append(draw.Labels, t.row(class))
		}
	}
	return t.Runner.Run(ctx, len(classes), func(ctx context.Context, w Worker, from, to int) error {
		return solve(ctx, w, from, w.Drawer.Field(&draw, from), states[from*d:to*d])
	})
}

// between solves by the solver of the task from time t0 to time t1.
func (t *Task) between(t0, t1 float64) fieldSolver {
	return func(ctx context.Context, _ Worker, from int, f ode.Field, x []float32) error {
		solver := t.solver
		if t1 == 1 && t.Frame != nil {
			solver = solver.Observed(t.observer(from))
		}
		_, err := solver.Solve(ctx, f, x, len(x)/t.Checkpoint.Shape().Len(), t0, t1)
		return err
	}
}

// observer returns what shows the states from, from+1, … to Frame; nil where there is none.
func (t *Task) observer(from int) ode.Observer {
	if t.Frame == nil {
		return nil
	}
	d := t.Checkpoint.Shape().Len()
	return func(step int, _ float64, x []float32) {
		for i := range len(x) / d {
			t.Frame(from+i, step, t.Method.Steps, x[i*d:(i+1)*d])
		}
	}
}

// Texts returns what a picture says of the origin of the images that the task has made.
func (t *Task) Texts() []picture.Text {
	list := []picture.Text{
		{"Software", "fmimg " + pipeline.Version()},
		{"fmimg.version", pipeline.Version()},
		{"fmimg.model", t.Checkpoint.Hash},
		{"fmimg.seed", strconv.FormatUint(t.Seed, 10)},
		{"fmimg.solver", t.how},
		{"fmimg.guidance", fmt.Sprint(t.Method.Guidance)},
	}
	list = append(list, sample.GuidanceTexts(t.Method)...)
	if p := t.Checkpoint.Precision(); p != "" {
		list = append(list, picture.Text{"fmimg.precision", p})
	}
	if t.Checkpoint.Labels().Rows() > 0 {
		list = append(list, picture.Text{"fmimg.classes", picture.JoinInts(t.Classes)})
	}
	return list
}

// input returns the pixels of an input.
func (t *Task) input(i int) []float32 { return t.Inputs.Slice(i, i+1).Pixels }

// repeated returns each class the given number of times, one after the other.
func repeated(classes []int32, times int) []int32 {
	var all []int32
	for _, class := range classes {
		all = append(all, slices.Repeat([]int32{class}, times)...)
	}
	return all
}

// editNoise fills x with noise. which is the number of the image among those made of the input,
// draw counts the noises of this image.
func editNoise(x []float32, seed uint64, input, which, draw int) {
	var rng rand.PCG
	flow.Seed(&rng, seed, pipeline.StreamEdit, uint64(input), uint64(which), uint64(draw))
	flow.Gaussian(x, &rng)
}
