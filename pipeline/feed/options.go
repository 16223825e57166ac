package feed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// The defaults of [DataOptions].
const (
	defaultHoldOut    = 0.05
	defaultDataMemory = 4096
)

// Channels says in which colours images are read.
type Channels string

// The colours. AnyChannels leaves images as they are. Pictures are then gray if all of them are
// gray.
const (
	AnyChannels Channels = "auto"
	Gray        Channels = "gray"
	RGB         Channels = "rgb"
)

// ChannelsOf returns the colours of images with n channels, "" where these have no name.
func ChannelsOf(n int) Channels { return map[int]Channels{1: Gray, 3: RGB}[n] }

// count returns the number of channels, 0 for AnyChannels.
func (c Channels) count() int { return map[Channels]int{Gray: 1, RGB: 3}[c] }

// DataOptions say which images are read, and how. The zero value of each option is its default.
type DataOptions struct {
	// Data is a known data set or a path; needed without Source.
	Data string `json:"data"`
	// Size is the side in pixels that images are cropped and resized to; 0: as they are, pictures
	// 32. A run records that of pictures.
	Size int `json:"size,omitempty"`
	// ImageChannels are the colours that images are read in; empty: auto. A run records gray or
	// rgb.
	ImageChannels Channels `json:"image_channels"`
	// HoldOut is the share of the images that training does not see, in sets without test images;
	// 0: 0.05; below 0: none. A run records 0 for none.
	HoldOut float64 `json:"hold_out"`
	// Strict refuses a folder with files that cannot be used, instead of leaving them out.
	Strict bool `json:"strict"`
	// DataMemory is the limit on the images in memory in MB; 0: 4096.
	DataMemory int `json:"-"`

	// Source is the data itself, instead of opening Data; for programs with images of their own.
	Source dataset.Source `json:"-"`
	// Validation are images of the same shape and classes that training does not see, with Source;
	// nil: none. [dataset.Split] makes them.
	Validation dataset.Source `json:"-"`
}

// WithDefaults fills in what has one default for all data.
func (o DataOptions) WithDefaults() DataOptions {
	option.SetDefault(&o.ImageChannels, AnyChannels)
	option.SetDefault(&o.HoldOut, defaultHoldOut)
	option.SetDefault(&o.DataMemory, defaultDataMemory)
	return o
}

// A Reader says how data is read. Of the result, only the choice of held-out images depends on it.
type Reader struct {
	Seed    uint64 // of the choice of held-out images
	Threads int    // the number of threads that decode pictures
	OnEvent func(pipeline.Event)
}

// Validate reports the first option that cannot be used. The defaults are filled in.
func (o *DataOptions) Validate() error {
	return option.First(
		option.Between("size", o.Size, 0, pipeline.MaxSize),
		option.Between("hold-out", option.OrNone(o.HoldOut), 0, 0.9),
		option.Between("data-memory", o.DataMemory, 0, 1<<30),
		option.OneOf("image-channels", o.ImageChannels, AnyChannels, Gray, RGB),
	)
}

// Open opens the data, or takes Source. Data that cannot be found or used is an
// [*pipeline.OptionError].
func (o *DataOptions) Open(ctx context.Context, r Reader) (*dataset.Set, error) {
	if o.Source != nil {
		return &dataset.Set{Train: o.Source, Test: o.Validation}, checkValidation(o.Source, o.Validation)
	}
	d := o.WithDefaults()
	set, err := dataset.Open(ctx, d.Data, dataset.Options{
		Width: d.Size, Height: d.Size, Channels: d.ImageChannels.count(), Strict: d.Strict,
		HoldOut: option.OrNone(d.HoldOut), Seed: r.Seed, MaxBytes: int64(d.DataMemory) << 20,
		Parallel: inParallel(ctx, r.Threads), Progress: r.progress(),
	})
	var unknown *dataset.UnknownError
	var format *dataset.FormatError
	switch {
	case errors.As(err, &unknown):
		return nil, o.unknownData(unknown)
	case errors.As(err, &format):
		return nil, option.Errorf("data", format.Path, "%s", format.Reason())
	case err != nil:
		return nil, err
	case set.Train.Len() == 0:
		return nil, fmt.Errorf("data set %s: it has no images", o.Data)
	}
	return set, nil
}

// unknownData returns the error for a name that no data has, with the likely cure.
func (o *DataOptions) unknownData(unknown *dataset.UnknownError) error {
	wrong := option.Errorf("data", o.Data, "no data set and no file has this name")
	wrong.Known = unknown.Known
	switch {
	case unknown.Nearest != "":
		return wrong.Cured("did you mean %s?", unknown.Nearest)
	case strings.ContainsAny(o.Data, `/\`):
		return option.Errorf("data", o.Data, "there is no such file or folder").Cured("check the spelling")
	}
	return wrong.Cured("known are %s", strings.Join(unknown.Known, ", "))
}

// A Request asks for data in the shape that a network takes.
type Request struct {
	DataOptions
	Reader
	Shape  pipeline.Shape
	Option string // the option that names the data, for errors
	Taker  string // who takes the images, such as the model, for errors
}

// Open opens the data, with pictures brought into the shape. Data of another shape is an error.
func (r Request) Open(ctx context.Context) (*dataset.Set, error) {
	o := r.DataOptions
	o.ImageChannels = ChannelsOf(r.Shape.Channels)
	if o.Size = r.Shape.Height; r.Shape.Height != r.Shape.Width {
		o.Size = 0
	}
	set, err := o.Open(ctx, r.Reader)
	if err != nil {
		return nil, option.Rename(err, "data", r.Option)
	}
	if s := pipeline.ShapeOf(set.Train); s != r.Shape {
		return nil, option.Errorf(r.Option, o.Data, "images of %dx%d with %d channels, and %s takes %dx%d with %d",
			s.Height, s.Width, s.Channels, r.Taker, r.Shape.Height, r.Shape.Width, r.Shape.Channels)
	}
	return set, nil
}

// checkValidation returns an error unless both sources have images of one shape and as many
// classes.
func checkValidation(train, test dataset.Source) error {
	if test == nil {
		return nil
	}
	h, w, c := train.Shape()
	if pipeline.ShapeOf(test) != pipeline.ShapeOf(train) || test.Len() == 0 ||
		len(test.Classes()) != len(train.Classes()) {
		return fmt.Errorf("validation data %s: it needs images like those of %s: %dx%d, %d channels, %d classes",
			test.Name(), train.Name(), h, w, c, len(train.Classes()))
	}
	return nil
}

// HasUnlabelled reports whether some image of the data has no class.
func HasUnlabelled(data dataset.Source) bool {
	h, w, c := data.Shape()
	image := make([]float32, h*w*c)
	for i := range data.Len() {
		if data.Image(i, image) < 0 {
			return true
		}
	}
	return false
}

// inParallel returns a function that calls do for 0 to n-1 on the given number of goroutines, until
// ctx ends.
func inParallel(ctx context.Context, threads int) func(n int, do func(i int)) error {
	return func(n int, do func(i int)) error {
		c := crew.New(max(1, min(threads, n)))
		defer c.Close()
		return c.Each(ctx, c.Size(), n, func(_, i int) { do(i) })
	}
}

// progress returns a function that reports how many pictures are read, nil when there is no
// OnEvent.
func (r Reader) progress() func(read, total int) {
	if r.OnEvent == nil {
		return nil
	}
	return func(read, total int) { r.OnEvent(pipeline.Event{Kind: pipeline.Reading, Images: read, Total: total}) }
}

// SkippedNote returns the note that names the files that were left out of a set; ok is false when
// there are none.
func SkippedNote(data string, set *dataset.Set) (note pipeline.Event, ok bool) {
	var parts []string
	for _, s := range set.Skipped {
		parts = append(parts, fmt.Sprintf("%d %s (such as %s)", s.Count, s.Reason, s.First))
	}
	return pipeline.Note("%s: %d of %d files are left out: %s; %v tells more",
		data, set.SkippedFiles(), set.Files, strings.Join(parts, ", "),
		option.Action{Command: "data show", Settings: []option.Setting{{Option: "data", Value: data}}}), len(parts) > 0
}
