package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/unet"
)

// resolveNetwork settles the network and what depends on it, for the data at hand. With Init it
// returns the model that was loaded.
func (o *TrainOptions) resolveNetwork(data dataset.Source, isa kernels.ISA) (*unet.Model, error) {
	if o.Init != "" {
		return o.resolveInit(data, isa)
	}
	h, w, c := data.Shape()
	cfg, err := unet.Preset(o.Preset)
	if o.Network != nil {
		cfg, err = *o.Network, nil
	} else {
		cfg.ImageSize, cfg.InChannels = [2]int{h, w}, c
	}
	o.adjust(&cfg)
	if err != nil {
		return nil, &OptionError{"preset", trimOption(err, "unknown preset ")}
	}
	if err := o.checkDivisions(cfg); err != nil {
		return nil, err
	}
	if err := o.resolveLabels(&cfg, data); err != nil {
		return nil, err
	}
	return nil, o.useNetwork(cfg, data)
}

// resolveLabels settles whether the network takes classes, and gives it their number.
func (o *TrainOptions) resolveLabels(cfg *unet.Config, data dataset.Source) error {
	classes := len(data.Classes())
	switch {
	case o.Conditional != "no" && classes > 0 && o.LabelDrop == 0 && hasUnlabelled(data):
		return option.Errorf("label-drop", "0: some images of %s have no class, which stands for that: give a share above 0, or conditional no", o.Data)
	case o.Conditional == "yes" && classes == 0:
		return option.Errorf("conditional", "yes: the images of %s have no labels: use auto or no", o.Data)
	case o.Conditional == "no" || classes == 0:
		o.Conditional, o.LabelDrop = "no", 0
		cfg.NumClasses, cfg.NullClass = 0, false
		return nil
	}
	o.Conditional = "yes"
	cfg.NumClasses, cfg.NullClass = classes, o.LabelDrop > 0
	if cfg.NullClass {
		cfg.NumClasses++
	}
	return nil
}

// useNetwork records a network after checking that it is one and that it fits the data.
func (o *TrainOptions) useNetwork(cfg unet.Config, data dataset.Source) error {
	h, w, c := data.Shape()
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("no %s network can be trained on %s (%dx%d, %s): %w%s", o.Preset, o.Data, h, w, text.Count(c, "channel", "channels"), err, sizeCure(h, cfg.Factor()))
	}
	if cfg.ImageSize != [2]int{h, w} || cfg.InChannels != c {
		return fmt.Errorf("the network takes images of %dx%d with %s, those of %s have %dx%d with %d%s",
			cfg.ImageSize[0], cfg.ImageSize[1], text.Count(cfg.InChannels, "channel", "channels"), o.Data, h, w, c, shapeCure(cfg))
	}
	o.Network = &cfg
	return nil
}

// networkName says which network is trained.
func (o *TrainOptions) networkName() string {
	if o.Init != "" {
		return "that of " + o.Init + ","
	}
	return o.Preset + ","
}

// newModel draws the first weights of the resolved network.
func (o *TrainOptions) newModel(isa kernels.ISA) (*unet.Model, error) {
	var pcg rand.PCG
	seedStream(&pcg, o.Seed, streamInit, 0, 0)
	return unet.New(*o.Network, isa, rand.New(&pcg))
}

// plan returns the schedule of a new run: empty when only the clock will tell.
func (o *RunOptions) plan() Schedule {
	switch {
	case len(o.Schedule) > 0:
		return o.Schedule
	case o.Steps > 0:
		return Schedule{{0, o.Steps}}
	}
	return nil
}

// plan is that of a run over n images.
func (o *TrainOptions) plan(n int) Schedule {
	if s := o.RunOptions.plan(); s != nil || o.Epochs == 0 {
		return s
	}
	return epochs(o.Epochs, n, o.Batch)
}

// epochs returns the schedule of passes over n images, in batches.
func epochs(passes float64, n, batch int) Schedule {
	steps := math.Ceil(passes * float64(n) / float64(batch))
	return Schedule{{0, int(min(max(steps, 1), maxSteps))}}
}

// resumed returns the options of a recorded run with what may change when it goes on: the budget of
// the whole run and what no number depends on.
func resumed(recorded, given *TrainOptions) (o TrainOptions, newBudget bool) {
	o = *recorded
	newBudget = o.RunOptions.resume(&given.RunOptions, given.Epochs > 0 && given.Epochs != o.Epochs)
	if newBudget {
		o.Epochs = given.Epochs
	}
	o.Source, o.Validation, o.DataMemory = given.Source, given.Validation, given.DataMemory
	return o, newBudget
}

// resume takes over from the caller's options what may change when a recorded run goes on, and reports whether it
// has a new budget: other says that it has one of another kind. The instruction set may change too, which does
// alter the last bits.
func (o *RunOptions) resume(given *RunOptions, other bool) (newBudget bool) {
	o.Resume, o.Threads, o.StopAfter = true, given.Threads, given.StopAfter
	o.OnEvent, o.disk = given.OnEvent, given.disk
	option.Override(&o.ISA, given.ISA)
	option.Override(&o.SaveEvery, given.SaveEvery)
	option.Override(&o.PreviewEvery, given.PreviewEvery)
	option.Override(&o.ValidateEvery, given.ValidateEvery)
	option.Override(&o.Keep, given.Keep)
	option.Override(&o.TensorBoard, given.TensorBoard)
	if other || given.Steps > 0 && given.Steps != o.Steps || given.Time > 0 && given.Time != o.Time {
		o.Steps, o.Time, o.Schedule = given.Steps, given.Time, nil
		return true
	}
	return false
}

// mayChange are the options that a resumed run takes from its caller.
var mayChange = []string{
	"out", "resume", "steps", "epochs", "time", "stop-after", "threads", "isa", "save-every", "preview-every", "validate-every", "keep", "data-memory", "tensorboard",
}

// conflict returns an [*OptionError] for an option that the caller has given on purpose and that differs from that of
// the run recorded in a folder, whose numbers it would change. Options come by the names of their JSON form.
func conflict(folder string, recorded, wanted map[string]any, given []string) error {
	for _, name := range given {
		key := strings.ReplaceAll(name, "-", "_")
		want, known := wanted[key]
		had := recorded[key]
		if !known || slices.Contains(mayChange, name) || fmt.Sprint(want) == fmt.Sprint(had) || want == "auto" {
			continue
		}
		if had == nil {
			had = "none"
		}
		return option.Errorf(name, "%v: the run in %s has %v, which cannot change: leave the option out, or train anew", want, folder, had)
	}
	return nil
}

// fieldsOf returns options by the names of their JSON form.
func fieldsOf(options any) map[string]any {
	text, err := json.Marshal(options)
	if err != nil {
		panic(err) // plain data: options are validated before they are compared
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		panic(err)
	}
	return fields
}
