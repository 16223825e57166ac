package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/unet"
)

// OpenData opens the data set that the options name as a training run would see it. Of the options only
// those about data, Preset, Seed, Threads and OnEvent count.
func OpenData(ctx context.Context, o TrainOptions) (*dataset.Set, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.fillDefaults()
	if err := o.checkSize(); err != nil {
		return nil, err
	}
	return o.openSet(ctx)
}

// openData opens the data of a run, and settles what the options leave to it.
func (o *TrainOptions) openData(ctx context.Context) (*dataset.Set, error) {
	if o.Source != nil {
		setDefault(&o.Data, o.Source.Name())
		return o.givenSet()
	}
	if err := o.checkSize(); err != nil {
		return nil, err
	}
	set, err := o.openSet(ctx)
	if err != nil {
		return nil, err
	}
	h, _, c := set.Train.Shape()
	if o.ImageChannels = "rgb"; c == 1 {
		o.ImageChannels = "gray"
	}
	if set.Sizes != nil {
		o.Size = h
	}
	return set, nil
}

// givenSet returns the data that the options hold.
func (o *TrainOptions) givenSet() (*dataset.Set, error) {
	return &dataset.Set{Train: o.Source, Test: o.Validation}, checkValidation(o.Source, o.Validation)
}

// openSet opens the data that the options name.
func (o *TrainOptions) openSet(ctx context.Context) (*dataset.Set, error) {
	set, err := dataset.Open(ctx, o.Data, dataset.Options{
		Size: o.Size, Channels: map[string]int{"gray": 1, "rgb": 3}[o.ImageChannels], Strict: o.Strict,
		HoldOut: o.HoldOut, Seed: o.Seed, MaxBytes: int64(o.DataMemory) << 20,
		Parallel: inParallel(ctx, o.Threads), Progress: o.reading(),
	})
	var unknown *dataset.UnknownError
	switch {
	case errors.As(err, &unknown) && unknown.Nearest != "":
		return nil, optionErrorf("data", "%s: no data set and no file has this name: did you mean %s?", o.Data, unknown.Nearest)
	case errors.As(err, &unknown) && strings.ContainsAny(o.Data, `/\`):
		return nil, optionErrorf("data", "%s: there is no such file or folder: check the spelling", o.Data)
	case errors.As(err, &unknown):
		return nil, optionErrorf("data", "%s: no data set and no file has this name: known are %s", o.Data, strings.Join(unknown.Known, ", "))
	case errors.Is(err, dataset.ErrFormat):
		return nil, &OptionError{"data", trimOption(err, "data set ")}
	case err != nil:
		return nil, err
	case set.Train.Len() == 0:
		return nil, fmt.Errorf("data set %s: it has no images", o.Data)
	}
	return set, nil
}

// checkSize rejects a size that the network cannot halve before any image is read. What a checkpoint
// takes is known later.
func (o *TrainOptions) checkSize() error {
	if o.Objective == flowObjective {
		return nil // a normalizing flow has as few scales as a size takes
	}
	cfg, err := unet.Preset(o.Preset)
	if o.Network != nil {
		cfg, err = *o.Network, nil
	}
	if err != nil {
		return &OptionError{"preset", trimOption(err, "unknown preset ")}
	}
	if o.Size == 0 || o.Init != "" || o.Size%cfg.Factor() == 0 {
		return nil
	}
	return optionErrorf("size", "%d: the network %s halves images %d times, which takes multiples of %d%s",
		o.Size, o.Preset, len(cfg.ChannelMult)-1, cfg.Factor(), sizeCure(o.Size, cfg.Factor()))
}

// sizeCure names the sizes next to a side that a network can halve; "" when it can halve this one.
func sizeCure(side, factor int) string {
	below := side / factor * factor
	switch below {
	case side:
		return ""
	case 0:
		return fmt.Sprintf(": choose --size %d", factor)
	}
	return fmt.Sprintf(": choose --size %d or --size %d", below, below+factor)
}

// shapeCure says how data is brought into the shape that a network takes.
func shapeCure(cfg unet.Config) string {
	channels, known := map[int]string{1: "gray", 3: "rgb"}[cfg.InChannels]
	if !known || cfg.ImageSize[0] != cfg.ImageSize[1] {
		return ""
	}
	return fmt.Sprintf(": choose --size %d --image-channels %s", cfg.ImageSize[0], channels)
}

// checkValidation makes sure that a network can take both sources.
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

// hasUnlabelled reports whether an image has no class.
func hasUnlabelled(data dataset.Source) bool {
	h, w, c := data.Shape()
	image := make([]float32, h*w*c)
	for i := range data.Len() {
		if data.Image(i, image) < 0 {
			return true
		}
	}
	return false
}

// inParallel returns a function that calls do for 0 to n-1 on so many goroutines, until ctx ends.
func inParallel(ctx context.Context, threads int) func(n int, do func(i int)) error {
	return func(n int, do func(i int)) error {
		c := newCrew(max(1, min(threads, n)))
		defer c.close()
		return c.each(ctx, c.size(), n, func(_, i int) { do(i) })
	}
}

// reading returns a function that tells of pictures that are read, nil when nobody listens.
func (o *TrainOptions) reading() func(read, total int) {
	if o.OnEvent == nil {
		return nil
	}
	return func(read, total int) { o.OnEvent(Event{Kind: Reading, Images: read, Total: total}) }
}

// skippedText says which files of a set were left out; "" when none was.
func skippedText(data string, set *dataset.Set) string {
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
