package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
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
// gray, and RGB otherwise: what is transparent is drawn over white. GrayAlpha and RGBA have an
// alpha channel behind the colours, from -1, transparent, to 1, opaque. Colours are not multiplied
// by it.
const (
	AnyChannels Channels = "auto"
	Gray        Channels = "gray"
	GrayAlpha   Channels = "gray-alpha"
	RGB         Channels = "rgb"
	RGBA        Channels = "rgba"
)

// channelNames are the colours by their number of channels.
var channelNames = [...]Channels{AnyChannels, Gray, GrayAlpha, RGB, RGBA}

// ChannelsOf returns the colours of images with n channels, "" where these have no name.
func ChannelsOf(n int) Channels {
	if n < 1 || n >= len(channelNames) {
		return ""
	}
	return channelNames[n]
}

// ChannelNames returns all values of Channels.
func ChannelNames() []Channels { return channelNames[:] }

// count returns the number of channels, 0 for AnyChannels.
func (c Channels) count() int { return max(slices.Index(channelNames[:], c), 0) }

// DataOptions say which images are read, and how. The zero value of each option is its default.
type DataOptions struct {
	// Data is a known data set or a path; needed without Source.
	Data string `json:"data"`
	// Size is what images are brought to, in pixels; zero: as they are, pictures 32. A run records
	// that of pictures.
	Size pipeline.Size `json:"size,omitzero"`
	// Fit says how images of other proportions are brought to Size: crop takes the largest part out
	// of the middle, pad adds transparent borders, which are white without an alpha channel, and
	// stretch changes the proportions; empty: crop.
	Fit dataset.Fit `json:"fit,omitempty"`
	// ImageChannels are the colours that images are read in; empty: auto. A run records what auto
	// stood for.
	ImageChannels Channels `json:"image_channels"`
	// Labels says where the classes of pictures come from: folders, none, the path of a CSV file
	// of file names and labels, or clusters:32, as many groups of images that look alike; empty:
	// what is there.
	Labels string `json:"labels,omitempty"`
	// Clusters are those that Labels asks for, where they are known; nil: none are.
	Clusters *dataset.Clusters `json:"-"`
	// HoldOut is the share of the images that training does not see, in sets without test images;
	// 0: 0.05; below 0: none. A run records 0 for none.
	HoldOut float64 `json:"hold_out"`
	// Strict refuses a folder with files that cannot be used, instead of leaving them out.
	Strict bool `json:"strict"`
	// SplitAny holds images out as older runs did: see [dataset.SplitAny].
	SplitAny bool `json:"-"`
	// TextOrder takes files and classes in the order of older runs: see [dataset.Options].
	TextOrder bool `json:"-"`
	// DataMemory is the limit on the images in memory in MB; 0: 4096.
	DataMemory int `json:"-"`

	// Source is the data itself, instead of opening Data; for programs with images of their own.
	// Of Labels, clusters work on it.
	Source dataset.Source `json:"-"`
	// Validation are images of the same shape and classes that training does not see, with Source;
	// nil: none. [dataset.Split] makes them.
	Validation dataset.Source `json:"-"`
}

// WithDefaults fills in what has one default for all data.
func (o DataOptions) WithDefaults() DataOptions {
	option.SetDefault(&o.Fit, dataset.Crop)
	option.SetDefault(&o.ImageChannels, AnyChannels)
	option.SetDefault(&o.HoldOut, defaultHoldOut)
	option.SetDefault(&o.DataMemory, defaultDataMemory)
	return o
}

// A Reader says how data is read. Of the result, only the choice of held-out images and clusters
// depend on it.
type Reader struct {
	Seed    uint64 // of the choice of held-out images, and of clusters
	Threads int    // the number of threads that decode pictures
	OnEvent func(pipeline.Event)
}

// Validate reports the first option that cannot be used. The defaults are filled in.
func (o *DataOptions) Validate() error {
	return option.First(
		o.Size.Validate(),
		ValidateFit(o.Fit),
		option.Between("hold-out", option.OrNone(o.HoldOut), 0, 0.9),
		option.Between("data-memory", o.DataMemory, 0, 1<<30),
		option.OneOf("image-channels", o.ImageChannels, ChannelNames()...),
		validateLabels(o.Labels),
	)
}

// validateLabels refuses clusters that cannot be.
func validateLabels(labels string) error {
	_, _, err := dataset.ParseClusters(labels)
	return err
}

// ClusterLabels reports whether the classes are clusters.
func (o *DataOptions) ClusterLabels() bool {
	_, ok, _ := dataset.ParseClusters(o.Labels)
	return ok
}

// LabelsFile reports whether the classes come from a file that Labels names.
func (o *DataOptions) LabelsFile() bool {
	return o.Labels != "" && o.Labels != dataset.FolderLabels && o.Labels != dataset.NoLabels && !o.ClusterLabels()
}

// Fits returns all values of [dataset.Fit].
func Fits() []dataset.Fit { return []dataset.Fit{dataset.Crop, dataset.Pad, dataset.Stretch} }

// ValidateFit returns an [*pipeline.OptionError] unless the fit is known.
func ValidateFit(fit dataset.Fit) error { return option.OneOf("fit", fit, Fits()...) }

// Open opens the data, or takes Source. Data that cannot be found or used is an
// [*pipeline.OptionError].
func (o *DataOptions) Open(ctx context.Context, r Reader) (*dataset.Set, error) {
	if o.Source != nil {
		return o.openSource(ctx, r)
	}
	d := o.WithDefaults()
	share := option.OrNone(d.HoldOut)
	if o.SplitAny {
		share = 0
	}
	r.noteHidden(d.Data)
	set, err := dataset.Open(ctx, d.Data, dataset.Options{
		Width: d.Size.Width, Height: d.Size.Height, Fit: d.Fit, Channels: d.ImageChannels.count(),
		Labels: d.Labels, Clusters: d.Clusters, Strict: d.Strict, TextOrder: d.TextOrder,
		HoldOut: share, Seed: r.Seed, MaxBytes: int64(d.DataMemory) << 20,
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
	if o.SplitAny && !set.OwnTest {
		set.Train, set.Test = dataset.SplitAny(set.Train, option.OrNone(d.HoldOut), r.Seed)
	}
	return set, nil
}

// openSource takes Source for the data, with clusters as classes where Labels asks for them.
func (o *DataOptions) openSource(ctx context.Context, r Reader) (*dataset.Set, error) {
	set := &dataset.Set{Train: o.Source, Test: o.Validation}
	if err := checkValidation(o.Source, o.Validation); err != nil {
		return nil, err
	}
	return set, o.Label(ctx, set, r)
}

// Label makes clusters the classes of a set, where Labels asks for them.
func (o *DataOptions) Label(ctx context.Context, set *dataset.Set, r Reader) error {
	return set.Label(ctx, dataset.Options{
		Labels: o.Labels, Clusters: o.Clusters, Seed: r.Seed, Parallel: inParallel(ctx, r.Threads),
	})
}

// unknownData returns the error for a name that no data has, with the likely cure.
func (o *DataOptions) unknownData(unknown *dataset.UnknownError) error {
	if err := regular.CheckURL(o.Data); err != nil {
		return option.Errorf("data", o.Data, "%v", err)
	}
	wrong := option.Errorf("data", o.Data, "no data set and no file has this name")
	wrong.Known = unknown.Known
	switch {
	case unknown.Nearest != "":
		return wrong.Cured("did you mean %s?", unknown.Nearest)
	case strings.ContainsAny(o.Data, `/\`):
		return option.Errorf("data", o.Data, "there is no such file or folder").
			Cured("check the spelling, and download first what is on the web")
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
	// Recorded says that a model's training recorded the data, and that nobody has named it now.
	Recorded bool
}

// Open opens the data, with pictures brought into the shape, and reports the [Notes] on it. Data of
// another shape is an error.
func (r Request) Open(ctx context.Context) (*dataset.Set, error) {
	o := r.DataOptions
	o.ImageChannels, o.Size = ChannelsOf(r.Shape.Channels), r.Shape.Size()
	set, err := o.Open(ctx, r.Reader)
	if err != nil && r.Recorded && Missing(o.Data) {
		return nil, MovedError("the model", o.Data)
	}
	if err != nil {
		return nil, option.Rename(err, "data", r.Option)
	}
	if r.OnEvent != nil {
		for _, note := range Notes(o.Data, set) {
			r.OnEvent(note)
		}
	}
	if s := pipeline.ShapeOf(set.Train); s != r.Shape {
		return nil, option.Errorf(r.Option, o.Data, "images of %s with %s, and %s takes %s with %d",
			s.Sides(), text.Count(s.Channels, "channel", "channels"), r.Taker, r.Shape.Sides(), r.Shape.Channels)
	}
	return set, nil
}

// checkValidation returns an error unless both sources have images of one shape and as many
// classes.
func checkValidation(train, test dataset.Source) error {
	if test == nil {
		return nil
	}
	s := pipeline.ShapeOf(train)
	if pipeline.ShapeOf(test) != s || test.Len() == 0 || len(test.Classes()) != len(train.Classes()) {
		return fmt.Errorf("validation data %s: it needs images like those of %s: %s, %s, %s",
			test.Name(), train.Name(), s.Sides(), text.Count(s.Channels, "channel", "channels"),
			text.Count(len(train.Classes()), "class", "classes"))
	}
	return nil
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
