package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/pipeline/classify"
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
	var o classify.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use: "classifier --data NAME --out FILE [flags]", Short: "Train the network that eval measures with", Long: classifierHelp, Example: classifierExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.classifier(cmd, o, asJSON) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Data, "data", "", "`data` with classes to train on: a known set such as mnist, or a folder or .zip of pictures, … (needed)")
	f.StringVar(&o.Out, "out", "", "safetensors `file` to write (needed)")
	f.StringVar((*string)(&o.Kind), "kind", string(classify.Residual), "`shape` of the network: residual, pooled or deep; judges of one panel should differ in it")
	f.IntVar(&o.Steps, "steps", 0, "budget: `number` of batches")
	f.Float64Var(&o.Epochs, "epochs", 0, "budget: `number` of passes over the data (default 6)")
	f.BoolVar(&asJSON, "json", false, "write progress as JSON lines to stdout")
	dataFlags(f, &o.DataOptions, "what is there")
	classifierNumberFlags(f, &o)
	computeFlags(f, &o.Threads, &o.ISA)
	return cmd
}

// classifierNumberFlags adds the flags that change the trained numbers.
func classifierNumberFlags(f *pflag.FlagSet, o *classify.Options) {
	usual := o.WithDefaults()
	f.BoolVar(&o.Flip, "flip", false, "mirror every second image, left to right: not for digits")
	amountVar(f, &o.Warp.Shift, "shift", usual.Warp.Shift, "move images by up to so many `pixels`")
	amountVar(f, &o.Warp.Rotate, "rotate", usual.Warp.Rotate, "turn them by up to so many `degrees`")
	amountVar(f, &o.Warp.Scale, "scale", usual.Warp.Scale, "stretch or shrink them by up to this `share`")
	amountVar(f, &o.Warp.Shear, "shear", usual.Warp.Shear, "slant them by up to so many `pixels` a row")
	f.IntVar(&o.Batch, "batch", usual.Batch, "`images` of a step")
	f.Float64Var(&o.LR, "lr", usual.LR, "peak learning `rate`")
	amountVar(f, &o.Warmup, "warmup", usual.Warmup, "`steps` of warm-up, at most a tenth of the run")
	amountVar(f, &o.WeightDecay, "weight-decay", usual.WeightDecay, "decoupled weight decay")
	amountVar(f, &o.EMA, "ema", usual.EMA, "`decay` of the averaged weights, 0 for none")
	amountVar(f, &o.Smoothing, "smoothing", usual.Smoothing, "`share` of each label that is spread over all classes")
	f.Uint64Var(&o.Seed, "seed", defaultSeed, "`seed` of everything random")
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
