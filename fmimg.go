package fmimg

import (
	"context"
	"image"
	"io"
	"io/fs"
	"sync"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/pipeline/train"
)

// The types of options and results belong to the packages that do the work.
type (
	// SampleOptions say which images to draw, and how. The zero value draws one.
	SampleOptions = sample.Options
	// Images are drawn images: numbers, nominally in [-1, 1], in the order [N, H, W, C], and the
	// class of each image.
	Images = picture.Images
	// GridOptions say how to lay images out. The zero value is as nearly square as possible.
	GridOptions = picture.GridOptions
	// TrainOptions say on what to train, for how long, and how. One of Data and Source is needed.
	TrainOptions = train.Options
	// TrainResult says what a training achieved. [Open] takes its Dir.
	TrainResult = run.Result
	// An Event reports progress to the function OnEvent of the options.
	Event = pipeline.Event
	// An OptionError is a mistake in the options, found before any work.
	OptionError = pipeline.OptionError
)

// A Model is a trained network. Any number of goroutines may draw with it at once.
type Model struct {
	checkpoint *model.Checkpoint
	guide      func() (*model.Guide, error) // read once, for the first drawing that it leads
}

// Open loads a model: a safetensors file, a run folder, or a model that is part of the program,
// such as "mnist". A file or run folder of that name comes first. The empty name is the newest run
// under runs/, or else the first model of the program.
func Open(name string) (*Model, error) {
	m, err := opened(model.Open(name, pipeline.Arithmetic{}))
	if err == nil {
		m.guide = sync.OnceValues(func() (*model.Guide, error) {
			return m.checkpoint.OpenUsualGuide("", model.Method{}, pipeline.Arithmetic{})
		})
	}
	return m, err
}

// OpenFS is [Read] for a file in a file system, such as one that is embedded in a program.
func OpenFS(files fs.FS, path string) (*Model, error) {
	return opened(model.OpenFS(files, path, pipeline.Arithmetic{}))
}

// Read reads a model, in safetensors, up to the end of r.
func Read(r io.Reader) (*Model, error) { return opened(model.Read(r, pipeline.Arithmetic{})) }

// opened wraps a checkpoint, without a guide.
func opened(ck *model.Checkpoint, err error) (*Model, error) {
	if err != nil {
		return nil, err
	}
	return &Model{ck, func() (*model.Guide, error) { return nil, nil }}, nil
}

// Checkpoint returns the model's checkpoint: its network, its origin, and the hash of its weights.
func (m *Model) Checkpoint() *model.Checkpoint { return m.checkpoint }

// Classes returns the names of the model's classes, or nil for a model without classes.
func (m *Model) Classes() []string { return m.checkpoint.Meta.Classes }

// Sample draws images, as the command fmimg generate does: where the options leave guidance to a
// model from [Open], it leads away from the guide that the model's run has kept too
// ([model.Checkpoint.UsuallyGuided]). Image i depends on the seed and i alone. When ctx ends,
// Sample returns ctx.Err() at once. A mistake in the options is an [*OptionError].
func (m *Model) Sample(ctx context.Context, o SampleOptions) (*Images, error) {
	if o.Guide == nil && m.checkpoint.UsuallyGuided(o.Method) {
		var err error
		if o.Guide, err = m.guide(); err != nil {
			return nil, err
		}
	}
	return sample.Draw(ctx, m.checkpoint, o)
}

// Train trains a network and leaves everything in a run folder, whose path is in the result. When
// ctx ends, Train saves and returns a [*run.InterruptedError]. With the option Resume it goes on
// with such a run. A mistake in the options is an [*OptionError].
func Train(ctx context.Context, o TrainOptions) (TrainResult, error) { return train.Train(ctx, o) }

// Grid draws images on one picture, row after row. The picture is gray for one channel and RGB for
// three. With two and four channels the last is alpha.
func Grid(images *Images, o GridOptions) (image.Image, error) { return picture.Grid(images, o) }

// Version returns the version of this module in the running program, or "(devel)".
func Version() string { return pipeline.Version() }
