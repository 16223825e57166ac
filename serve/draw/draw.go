package draw

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say which models there are, and how much at once is done with them. The zero value of
// each option is its default.
type Options struct {
	// Runs is the folder whose runs are models too; empty: none.
	Runs string
	// Models are further models, as [model.Open] takes them. Their names are what stands here.
	Models []string
	// Memory is how many bytes the models that are loaded may take; 0: 1 GiB. The last model that
	// was asked for is loaded whatever it takes.
	Memory int64
	// Waiting is how many images may be under way or wait; 0: 4096.
	Waiting int
	pipeline.Compute
}

// A Model describes a model that requests can name.
type Model struct {
	Name     string // what requests call it: mnist, runs/photos
	Path     string // what the command calls it
	Kind     string // "velocity", "flow-map", or "normalizing-flow"
	About    string // a few words for people
	Shape    pipeline.Shape
	Classes  []string // nil for a model without classes
	NoClass  bool     // it draws images of no class in particular too
	Guidance float64  // the default weight; 0 where it takes none
	// GuidanceRange holds the only weights that it takes; zero: any, or none at all.
	GuidanceRange model.GuidanceRange
	Solvers       []string // names that a request may choose from; nil where there is no choice
	Solver        string   // the default; empty where there is none
	Steps         int      // the default; 0 where there are none
	// StepChoices are the only numbers of steps; nil: any.
	StepChoices []int
	Trajectory  bool // there are states between noise and image
	Edits       bool // it varies, interpolates and inpaints images
	Likelihood  bool // it finds likelihoods of images
	Embedded    bool // it is part of the program
	Loaded      bool // it is in memory now
	Created     time.Time
	Hash        string // SHA-256 of the weights, in hexadecimal; empty until it was loaded
	Meta        model.Meta
}

// A Kind says what a request asks for.
type Kind string

// The kinds of requests.
const (
	Generate    Kind = "generate"
	Vary        Kind = "vary"
	Interpolate Kind = "interpolate"
	Inpaint     Kind = "inpaint"
	Likelihood  Kind = "likelihood"
)

// A Request asks for images, or for the likelihood of images.
type Request struct {
	Model string // a name that [Service.Models] lists; empty: its first
	Kind  Kind   // empty: generate
	// Sample says how many images, of which classes, by which seed and method. Count is for each
	// input, or pair of inputs, where there are inputs: 0 is 1, of interpolate 8. The other
	// defaults are those of the commands that do the same. Guide, Threads and OnEvent are not used.
	Sample sample.Options
	// Guide is a name that [Service.Models] lists, of a weaker model from which guidance leads away
	// instead of from no class, or auto, for the guide that the model's run has kept; empty: none.
	Guide string
	// Inputs are files of pictures: one or more for vary, inpaint and likelihood, pairs for
	// interpolate. A file claims at most 16 million pixels.
	Inputs [][]byte
	// Mask is the file of a picture that is white where inpaint draws.
	Mask []byte
	// Fit says how pictures come to the proportions of the model's images; empty: as for its
	// training.
	Fit dataset.Fit
	// Level is how far vary goes towards noise, in (0, 1]; 0: 0.5.
	Level float64
	// Times is how often inpaint takes each step; 0: 10.
	Times int
	// Began, when not nil, is called once, when the first image begins: it does not wait for its
	// turn any more.
	Began func()
	// Watch, when not nil, gets states on the way. One goroutine at a time calls it. It must
	// neither wait nor keep x.
	Watch func(State)
}

// A State is where an image is on its way from noise.
type State struct {
	Image       int       // from 0
	Step, Steps int       // step Steps is the image itself
	X           []float32 // [H, W, C]
}

// A Result is what a request asked for.
type Result struct {
	Model  Model
	Images *picture.Images // what was drawn; nil for likelihood
	Sample sample.Options  // with the defaults filled in, without Guide, Threads and OnEvent
	// Texts say where the images come from, for the files that hold them.
	Texts       []picture.Text
	Evaluations float64 // of networks that an image took on average
	// BitsPerDimension has a number for each input of a request for likelihood.
	BitsPerDimension []float64
	Notes            []pipeline.Message // what was assumed
}

// ErrNoModel is the error for a name of no model.
var ErrNoModel = errors.New("there is no such model")

// ErrClosing is the error of a service that is being closed.
var ErrClosing = errors.New("the server is shutting down")

// A PanicError is a panic of a computation: a mistake in the program, or memory that ran out. It
// ends the one request.
type PanicError = crew.PanicError

// A BusyError is the error for a request beyond the bound on what may wait.
type BusyError struct {
	RetryAfter time.Duration // when there may be room
}

// Error says when to come back.
func (e *BusyError) Error() string {
	return fmt.Sprintf("too many images wait already: try again in %v", e.RetryAfter.Round(time.Second))
}

// Stats count what a service has done and has to do.
type Stats struct {
	Waiting     int           // images that are under way or wait
	Images      int64         // images drawn so far
	Evaluations int64         // evaluations of networks so far, of a state each
	Busy        time.Duration // time that the workers spent on them, added up
	Loaded      int           // models in memory
	Bytes       int64         // that they take
	Loads       int64         // of models so far
}

// A Drawer is what a [Service] does for those who speak HTTP.
type Drawer interface {
	// Models describes all models, those that are part of the program last.
	Models() []Model
	// Model describes the model of a name. Its error may wrap [ErrNoModel].
	Model(name string) (Model, error)
	// Do does what a request asks for. When ctx ends, it returns ctx.Err() within the time of an
	// evaluation. A mistake in the request is a [*pipeline.OptionError].
	Do(ctx context.Context, r Request) (*Result, error)
	// Stats returns what was done so far.
	Stats() Stats
}
