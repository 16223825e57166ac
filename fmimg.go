package fmimg

import (
	"context"
	"image"
	"io"
	"io/fs"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/pipeline/train"
)

// The options and results are those of the packages that do the work.
type (
	// SampleOptions say which images to draw, and how. The zero value draws one.
	SampleOptions = sample.Options
	// Images are drawn images: numbers in [-1, 1], [N, H, W, C], and the class of each.
	Images = picture.Images
	// GridOptions lay images out. The zero value is as nearly square as it can be.
	GridOptions = picture.GridOptions
	// TrainOptions say on what to train, for how long, and how. Data or Source is needed.
	TrainOptions = train.Options
	// TrainResult says what a training came to. Its Dir can be opened.
	TrainResult = run.Result
	// Event reports progress to the function OnEvent of any options.
	Event = pipeline.Event
	// OptionError is an option that cannot be used as it is given, found before any work.
	OptionError = pipeline.OptionError
)

// A Model is a trained network. Several goroutines may draw with it at once.
type Model struct{ checkpoint *model.Checkpoint }

// Open loads a model: a safetensors file, a run folder, or one that is part of the program, such as "mnist", where no
// file has its name. The empty name is the newest run under runs/, or else the first model of the program.
func Open(name string) (*Model, error) { return opened(model.Open(name, "")) }

// OpenFS is [Open] for a file in a file system, such as one that is embedded in a program.
func OpenFS(files fs.FS, path string) (*Model, error) { return opened(model.OpenFS(files, path, "")) }

// Read reads a model, in safetensors, up to the end of r.
func Read(r io.Reader) (*Model, error) { return opened(model.Read(r, "")) }

func opened(ck *model.Checkpoint, err error) (*Model, error) {
	if err != nil {
		return nil, err
	}
	return &Model{ck}, nil
}

// Checkpoint returns what the model was loaded from: its network, where it comes from, and the hash of its weights.
func (m *Model) Checkpoint() *model.Checkpoint { return m.checkpoint }

// Classes returns the names of the classes that images can be asked for, nil for a model without classes.
func (m *Model) Classes() []string { return m.checkpoint.Meta.Classes }

// Sample draws images. Image i depends on the seed and i alone. When ctx ends, Sample returns its error at once. A
// mistake in the options is an [*OptionError].
func (m *Model) Sample(ctx context.Context, o SampleOptions) (*Images, error) {
	return sample.Draw(ctx, m.checkpoint, o)
}

// Train trains a network and leaves everything in a run folder, whose path is in the result. When ctx ends, it saves
// and returns an [*run.InterruptedError]; with the option Resume it goes on. A mistake in the options is an
// [*OptionError].
func Train(ctx context.Context, o TrainOptions) (TrainResult, error) { return train.Train(ctx, o) }

// Grid draws images on one picture, row after row: gray for one channel, RGB for three.
func Grid(images *Images, o GridOptions) (image.Image, error) { return picture.Grid(images, o) }

// Version returns the version of this module in the running program, or "(devel)".
func Version() string { return pipeline.Version() }
