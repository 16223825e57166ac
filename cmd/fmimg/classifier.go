package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/train"
)

const classifierHelp = `Train the network whose features fmimg eval measures with: a small classifier, on images with classes. That of
MNIST is part of the program; other data needs one of its own.

The file holds the averaged weights in float16 and, as what generated images are compared with, the mean and the
covariance of the features of the test images. The same seed gives the same bytes, for any number of threads on one
instruction set. Training takes minutes and is not resumed: Ctrl-C ends it and writes nothing. The file's path goes
to stdout.

Images are moved at random, so that each is seen in many ways; --shift 0 --rotate 0 --scale 0 --shear 0 leaves them
as they are.`

const classifierExample = `  fmimg classifier --data mnist --out mnist.safetensors
  fmimg classifier --data fashion-mnist --flip --rotate 0 --shear 0 --out clothes.safetensors
  fmimg classifier --data photos/ --size 32 --flip --epochs 40 --out photos.safetensors`

func (a *app) newClassifier() *cobra.Command {
	o := classify.DefaultOptions()
	data := train.DefaultOptions()
	var asJSON bool
	cmd := &cobra.Command{
		Use: "classifier --data NAME --out FILE [flags]", Short: "Train the network that eval measures with", Long: classifierHelp, Example: classifierExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Size, o.ImageChannels, o.HoldOut, o.Strict, o.DataMemory = data.Size, data.ImageChannels, data.HoldOut, data.Strict, data.DataMemory
			return a.classifier(cmd, o, asJSON)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Data, "data", "", "`data` with classes to train on: a known set such as mnist, or a folder or .zip of pictures, … (needed)")
	f.StringVar(&o.Out, "out", "", "safetensors `file` to write (needed)")
	f.IntVar(&o.Steps, "steps", 0, "budget: `number` of batches")
	f.Float64Var(&o.Epochs, "epochs", 0, "budget: `number` of passes over the data (default 6)")
	f.BoolVar(&asJSON, "json", false, "write progress as JSON lines to stdout")
	dataFlags(f, &data)
	classifierNumberFlags(f, &o)
	computeFlags(f, &o.Threads, &o.ISA)
	return cmd
}

// classifierNumberFlags adds the flags that change the trained numbers.
func classifierNumberFlags(f *pflag.FlagSet, o *classify.Options) {
	f.BoolVar(&o.Flip, "flip", false, "mirror every second image, left to right: not for digits")
	f.Float64Var(&o.Warp.Shift, "shift", o.Warp.Shift, "move images by up to so many `pixels`")
	f.Float64Var(&o.Warp.Rotate, "rotate", o.Warp.Rotate, "turn them by up to so many `degrees`")
	f.Float64Var(&o.Warp.Scale, "scale", o.Warp.Scale, "stretch or shrink them by up to this `share`")
	f.Float64Var(&o.Warp.Shear, "shear", o.Warp.Shear, "slant them by up to so many `pixels` a row")
	f.IntVar(&o.Batch, "batch", o.Batch, "`images` of a step")
	f.Float64Var(&o.LR, "lr", o.LR, "peak learning `rate`")
	f.IntVar(&o.Warmup, "warmup", o.Warmup, "`steps` of warm-up, at most a tenth of the run")
	f.Float64Var(&o.Decay, "weight-decay", o.Decay, "decoupled weight decay")
	f.Float64Var(&o.EMA, "ema", o.EMA, "`decay` of the averaged weights, 0 for none")
	f.Float64Var(&o.Smoothing, "smoothing", o.Smoothing, "`share` of each label that is spread over all classes")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "`seed` of everything random")
}

// classifier runs the command.
func (a *app) classifier(cmd *cobra.Command, o classify.Options, asJSON bool) error {
	if err := positive(cmd, "size", "data-memory", "steps", "epochs", "batch", "lr", "threads"); err != nil {
		return err
	}
	show := a.newReporter(asJSON)
	o.OnEvent = show.event
	result, err := classify.Train(cmd.Context(), o)
	show.close()
	if err == nil && !asJSON {
		fmt.Fprintln(a.stdout, result.Path)
	}
	return err
}
