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

// DefaultHoldOut is the usual share of the images that training does not see.
const DefaultHoldOut = 0.05

// DataOptions say which images are read, and how.
type DataOptions struct {
	Data string `json:"data"` // a known data set or a path; needed without Source

	// Size is the side in pixels that images are cropped and resized to; 0: as they are, pictures 32.
	// A run records that of pictures.
	Size int `json:"size,omitempty"`
	// ImageChannels is gray, rgb or auto: as they are, pictures gray when all of them are; empty: auto.
	// A run records gray or rgb.
	ImageChannels string `json:"image_channels"`
	// HoldOut is the share of the images that training does not see, in sets without test images; 0: none.
	HoldOut    float64 `json:"hold_out"`
	Strict     bool    `json:"strict"` // refuse a folder with files that cannot be used; false: leave them out
	DataMemory int     `json:"-"`      // limit on the images in memory in MB; 0: 4096

	// Source is the data itself, instead of opening Data; for programs with images of their own.
	Source dataset.Source `json:"-"`
	// Validation are images of the same shape and classes that training does not see, with Source; nil: none.
	// [dataset.Split] makes them.
	Validation dataset.Source `json:"-"`
}

// A Reader says how data is read; no number but the images that are held out depends on it.
type Reader struct {
	Seed    uint64 // of the choice of images that are held out
	Threads int    // that decode pictures
	OnEvent func(pipeline.Event)
}

func (o *DataOptions) Validate() error {
	return option.First(
		option.Between("size", o.Size, 0, pipeline.MaxSize),
		option.Between("hold-out", o.HoldOut, 0, 0.9),
		option.Between("data-memory", o.DataMemory, 0, 1<<30),
		option.OneOf("image-channels", o.ImageChannels, "auto", "gray", "rgb"),
	)
}

// Open opens the data, or takes Source.
func (o *DataOptions) Open(ctx context.Context, r Reader) (*dataset.Set, error) {
	if o.Source != nil {
		return &dataset.Set{Train: o.Source, Test: o.Validation}, checkValidation(o.Source, o.Validation)
	}
	set, err := dataset.Open(ctx, o.Data, dataset.Options{
		Size: o.Size, Channels: map[string]int{"gray": 1, "rgb": 3}[o.ImageChannels], Strict: o.Strict,
		HoldOut: o.HoldOut, Seed: r.Seed, MaxBytes: int64(o.DataMemory) << 20,
		Parallel: inParallel(ctx, r.Threads), Progress: r.progress(),
	})
	var unknown *dataset.UnknownError
	switch {
	case errors.As(err, &unknown) && unknown.Nearest != "":
		return nil, option.Errorf("data", "%s: no data set and no file has this name: did you mean %s?", o.Data, unknown.Nearest)
	case errors.As(err, &unknown) && strings.ContainsAny(o.Data, `/\`):
		return nil, option.Errorf("data", "%s: there is no such file or folder: check the spelling", o.Data)
	case errors.As(err, &unknown):
		return nil, option.Errorf("data", "%s: no data set and no file has this name: known are %s", o.Data, strings.Join(unknown.Known, ", "))
	case errors.Is(err, dataset.ErrFormat):
		return nil, &pipeline.OptionError{Option: "data", Reason: pipeline.TrimOption(err, "data set ")}
	case err != nil:
		return nil, err
	case set.Train.Len() == 0:
		return nil, fmt.Errorf("data set %s: it has no images", o.Data)
	}
	return set, nil
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
	o.ImageChannels = map[int]string{1: "gray", 3: "rgb"}[r.Shape.Channels]
	if o.Size = r.Shape.Height; r.Shape.Height != r.Shape.Width {
		o.Size = 0
	}
	set, err := o.Open(ctx, r.Reader)
	if wrong, ok := err.(*pipeline.OptionError); ok { //nolint:errorlint // Open returns it as it is
		return nil, &pipeline.OptionError{Option: r.Option, Reason: wrong.Reason}
	}
	if err != nil {
		return nil, err
	}
	if s := pipeline.ShapeOf(set.Train); s != r.Shape {
		return nil, option.Errorf(r.Option, "%s: images of %dx%d with %d channels, and %s takes %dx%d with %d",
			o.Data, s.Height, s.Width, s.Channels, r.Taker, r.Shape.Height, r.Shape.Width, r.Shape.Channels)
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
	if th, tw, tc := test.Shape(); th != h || tw != w || tc != c || test.Len() == 0 || len(test.Classes()) != len(train.Classes()) {
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

// SkippedText says which files of a set were left out; "" when none was.
func SkippedText(data string, set *dataset.Set) string {
	if len(set.Skipped) == 0 {
		return ""
	}
	var parts []string
	for _, s := range set.Skipped {
		parts = append(parts, fmt.Sprintf("%d %s (such as %s)", s.Count, s.Reason, s.First))
	}
	return fmt.Sprintf("%s: %d of %d files are left out: %s; fmimg data show --data %s tells more",
		data, set.SkippedFiles(), set.Files, strings.Join(parts, ", "), data)
}
