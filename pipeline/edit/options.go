package edit

import (
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say which images to change, by which model. What is done with them is up to [Inpaint],
// [Interpolate] and [Vary], which take more options. The zero value of each option is its default.
type Options struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which
	// is part of the program.
	Model string
	// Out is FILE.png, with a row for each image, or pair of images; needed.
	Out string

	// In are pictures of any size, brought to the model's as Fit says; empty: those of Data.
	In []string
	// Data names the images, those that training does not see, that Index counts; empty: what the
	// model was trained on.
	Data string
	// Index are numbers of images of Data, from 0.
	Index []int
	// Fit says how pictures come to the proportions of the model's images, as for training; empty:
	// as there.
	Fit dataset.Fit

	// Class lists classes that the images take in turn, as for [sample.Options]; empty: those of
	// Data's labels where the model has them, else none, where the model has that.
	Class string
	// Count is the number of images made of each; 0: 8, of [Inpaint] 6.
	Count int

	// Guidance is that of [model.Method]; 0: 1, or with a Guide [model.DefaultGuideWeight].
	Guidance float64
	// GuidanceInterval is that of [model.Method]; zero: 0,1.
	GuidanceInterval model.Interval
	// Guide names a guide of the model as [model.Checkpoint.OpenGuide] takes it; empty: none.
	Guide string
	// Solver is a name of ode.SolverNames; empty: midpoint.
	Solver string
	// Steps are those of the solver; 0: 40, of [Inpaint] by resampling 20.
	Steps int
	// Tol is the error that dopri5 allows a step; 0: 1e-4.
	Tol float64
	// Seed is that of the noise. The command takes 1 unless it is told another.
	Seed uint64
	pipeline.Compute

	// Padding is that of [picture.GridOptions]; 0: 2; below 0: none.
	Padding int
	// Scale is that of [picture.GridOptions]; 0: 2.
	Scale int

	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// A Result says what was made.
type Result struct {
	Path   string // the picture
	Inputs int    // the number of images that were edited
	Images int    // the number of images that were made of them
	Model  string // the path of the model
	// RoundTrip is how much Interpolate changes an image on the way to its noise and back: the root
	// mean square over all pixels, which are in [-1, 1].
	RoundTrip float64
}

// The defaults of options, and the limit of images.
const (
	defaultEdits      = 8
	defaultScale      = 2
	defaultEditSteps  = 40
	defaultEditSolver = "midpoint" // goes back nearly the way that it came
	maxEdited         = 1 << 12    // inputs, and images made of each
)

// WithDefaults fills in what has one default for all models.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Count, defaultEdits)
	if o.Guide != "" && o.Guide != model.NoGuide {
		option.SetDefault(&o.Guidance, model.DefaultGuideWeight)
	}
	option.SetDefault(&o.Guidance, 1)
	option.SetDefault(&o.GuidanceInterval, model.WholeWay())
	option.SetDefault(&o.Solver, defaultEditSolver)
	option.SetDefault(&o.Steps, defaultEditSteps)
	option.SetDefault(&o.Tol, model.DefaultTol)
	o.Compute = o.Compute.WithDefaults()
	option.SetDefault(&o.Padding, picture.DefaultPadding)
	option.SetDefault(&o.Scale, defaultScale)
	return o
}

// method returns how images are drawn, but for the guide.
func (o *Options) method() model.Method {
	return model.Method{
		Guidance: o.Guidance, Interval: o.GuidanceInterval, Solver: o.Solver, Steps: o.Steps, Tol: o.Tol,
	}
}

// validateMethod reports the first option of how images are changed that no model can use.
func (o *Options) validateMethod() error {
	drawing := sample.Options{Method: o.method(), Threads: o.Threads}
	return option.First(
		option.OneOf("solver", o.Solver, ode.SolverNames()...),
		drawing.Validate(),
		option.Between("count", o.Count, 1, maxEdited),
	)
}

// validate reports the first option that no model can use, and checks that Out can be written.
func (o *Options) validate() error {
	if err := option.OneOf("solver", o.Solver, ode.SolverNames()...); err != nil {
		return err
	}
	switch {
	case o.Out == "":
		return option.Errorf("out", nil, "is needed: name a file, such as edited.png")
	case !strings.HasSuffix(strings.ToLower(o.Out), ".png"):
		return option.Errorf("out", o.Out, "its name must end in .png")
	case len(o.In) == 0 && len(o.Index) == 0:
		return option.Errorf("in", nil, "is needed: name pictures, or images of a data set by data and index")
	case len(o.In) > 0 && (o.Data != "" || len(o.Index) > 0):
		return option.Errorf("in", strings.Join(o.In, ","),
			"images are files, or those of a data set by data and index: give one of the two")
	case len(o.In) > maxEdited || len(o.Index) > maxEdited:
		return option.Errorf("index", nil,
			"%d images are too many for one picture: at most %d", max(len(o.In), len(o.Index)), maxEdited)
	}
	if o.Fit != "" {
		if err := feed.ValidateFit(o.Fit); err != nil {
			return err
		}
	}
	if err := o.validateMethod(); err != nil {
		return err
	}
	if err := o.Arithmetic.Validate(); err != nil {
		return err
	}
	if slices.ContainsFunc(o.In, func(in string) bool { return regular.Same(in, o.Out) }) {
		return option.Errorf("out", o.Out, "is one of the pictures: name another file")
	}
	return atomicfile.Probe(o.Out)
}
