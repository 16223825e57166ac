package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

const editHelp = `Change images by a model: draw parts of them anew, turn one into another, vary them.

Images are pictures of any size (--in, several joined by commas), brought to the model's as --fit says, or images of
a data set that training does not see (--data and --index). The picture that --out names has a row for each.

A model with classes takes those of --class in turn, or else the labels of --data where they are its classes, or none.`

func (a *app) newEdit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "edit", Short: "Draw parts of images anew, interpolate or vary them", Long: editHelp,
		Example: "  fmimg edit inpaint --data mnist --index 0,1,2 --mask lower --out completed.png\n" +
			"  fmimg edit interpolate --in a.png,b.png --out way.png\n  fmimg edit vary --in a.png --level 0.6 --out varied.png",
		Args: knownCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newInpaint(), a.newInterpolate(), a.newVary())
	return cmd
}

const inpaintHelp = `Draw a part of images anew, so that it fits to the rest, which stays as it is.

--mask says which part: lower, upper, left or right, a half of the image, or a picture with the size or the proportions
of the image, where white is drawn anew and black is kept. Where a mask has transparent parts, what is painted on a
transparent layer is drawn anew, or the hole that was erased from a picture; a line says which it is, and where both may
be meant, the mask is refused. A row is an image, what is known of it (the rest is gray), and the completions.

The method resample moves what is known along its path with fresh noise and lets the flow move the rest beside it; each of
--steps is taken --times times, back along the path with new noise in between, until both agree. gradient instead
steers the flow by the gradient of the misfit, through the network.`

func (a *app) newInpaint() *cobra.Command {
	var o edit.InpaintOptions
	usual := o.WithDefaults()
	cmd := &cobra.Command{
		Use: "inpaint --mask PART --out FILE [flags]", Short: "Draw a part of images anew", Long: inpaintHelp,
		Example: "  fmimg edit inpaint --data mnist --index 0,1,2,3 --mask lower --class none --out completed.png\n" +
			"  fmimg edit inpaint --in photo.png --mask hole.png --model runs/photos --count 10 --out completed.png",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Method == edit.ResampleMethod {
				for _, name := range []string{"solver", "tol"} {
					if cmd.Flags().Changed(name) {
						return usagef("--%s: --method resample has a solver of its own: leave it out", name)
					}
				}
			} else if cmd.Flags().Changed("times") {
				return usagef("--times %d: only --method resample takes steps again: leave it out", o.Times)
			}
			return a.edit(cmd, &o.Options, func() (*edit.Result, error) { return edit.Inpaint(cmd.Context(), o) })
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	nameVar(f, &o.Mask, "mask", "",
		"`part` to draw: lower, upper, left, right, or a picture that is white there (needed)")
	editInputFlags(f, &o.Options, usual.Count, "completions of each image")
	nameVar(f, &o.Method, "method", usual.Method, "`how`: resample or gradient")
	f.IntVar(&o.Times, "times", usual.Times, "`number` of times that resample takes a step")
	editSolverFlags(f, &o.Options, "20 steps of resample, 40 of gradient")
	return cmd
}

const interpolateHelp = `Turn images into others: the first into the second, the third into the fourth, and so on.

The flow is solved backwards to the noise of both, and forwards from points between the two on the sphere that noise lies
on. A row is the first image, the images on the way, and the second image. Those at both ends of the way are the images
after the round trip, whose error (root mean square, pixels in [-1,1]) is told and is in the picture's text fields.`

func (a *app) newInterpolate() *cobra.Command {
	var o edit.InterpolateOptions
	usual := o.WithDefaults()
	cmd := &cobra.Command{
		Use: "interpolate --out FILE [flags]", Short: "Turn images into others", Long: interpolateHelp,
		Example: "  fmimg edit interpolate --data mnist --index 7,12 --count 10 --out way.png\n  fmimg edit interpolate --in a.png,b.png --out way.png",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.edit(cmd, &o.Options, func() (*edit.Result, error) { return edit.Interpolate(cmd.Context(), o) })
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	editInputFlags(f, &o.Options, usual.Count, "images on the way, both ends included")
	editSolverFlags(f, &o.Options, "40")
	return cmd
}

const varyHelp = `Draw variations of images: put noise on them, --level of the way, and solve the flow from there.

A low level keeps the image and changes its details; 1 draws a new one. A row is an image and its variations.`

func (a *app) newVary() *cobra.Command {
	var o edit.VaryOptions
	usual := o.WithDefaults()
	cmd := &cobra.Command{
		Use: "vary --out FILE [flags]", Short: "Draw variations of images", Long: varyHelp,
		Example: "  fmimg edit vary --data mnist --index 7,12 --level 0.6 --out varied.png",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := positive(cmd, "level"); err != nil {
				return err
			}
			return a.edit(cmd, &o.Options, func() (*edit.Result, error) { return edit.Vary(cmd.Context(), o) })
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	editInputFlags(f, &o.Options, usual.Count, "variations of each image")
	f.Float64Var(&o.Level, "level", usual.Level, "`share` of the way to noise, up to 1")
	editSolverFlags(f, &o.Options, "40")
	return cmd
}

// editInputFlags adds the flags that all commands of edit have: about the images, and about the
// picture.
func editInputFlags(f *pflag.FlagSet, o *edit.Options, usual int, made string) {
	f.StringVar(&o.Out, "out", "", "`file`.png to write (needed)")
	modelFlag(f, &o.Model, elseMNIST)
	f.StringSliceVar(&o.In, "in", nil, "`pictures` to edit, joined by commas")
	f.StringVar(&o.Data, "data", "", "`data` whose images --index counts (default what the model was trained on)")
	f.IntSliceVar(&o.Index, "index", nil, "`numbers` of images of --data, from 0, joined by commas")
	fitVar(f, &o.Fit, "", " (default as the model was trained)")
	f.IntVar(&o.Count, "count", usual, "`number` of "+made)
	f.StringVar(&o.Class, "class", "", "`classes` that the images take in turn (default the labels of --data, else none)")
	f.Float64Var(&o.Guidance, "guidance", o.WithDefaults().Guidance, "`weight` of the class, or of --guide, as for generate")
	guidanceFlags(f, &o.GuidanceInterval, &o.Guide, " (default none)", "")
}

// editSolverFlags adds the flags about how images are drawn.
func editSolverFlags(f *pflag.FlagSet, o *edit.Options, steps string) {
	usual := o.WithDefaults()
	f.StringVar(&o.Solver, "solver", usual.Solver,
		"`method`: euler, midpoint, heun, rk4, adams2, abm2, or dopri5 with steps of its own size")
	f.IntVar(&o.Steps, "steps", 0, "`number` of steps (default "+steps+")")
	f.Float64Var(&o.Tol, "tol", usual.Tol, "`error` that dopri5 allows a step")
	f.Uint64Var(&o.Seed, "seed", defaultSeed, "`seed` of the noise")
	amountVar(f, &o.Padding, "padding", usual.Padding, "`pixels` of the picture between images and around them")
	f.IntVar(&o.Scale, "scale", usual.Scale, "draw each pixel as `N` x N pixels")
	networkFlags(f, &o.Threads, &o.Arithmetic)
}

// edit runs one of its commands.
func (a *app) edit(cmd *cobra.Command, o *edit.Options, run func() (*edit.Result, error)) error {
	if err := positive(cmd, "count", "steps", "tol", "scale", "threads", "guidance", "times"); err != nil {
		return err
	}
	if o.Guide != "" && !cmd.Flags().Changed("guidance") {
		o.Guidance = 0 // the default with a guide
	}
	sample := sample.Options{Method: model.Method{Solver: o.Solver, Steps: o.Steps, Tol: o.Tol, Guidance: o.Guidance}}
	if err := checkSolver(cmd, &sample, o.Guide, ""); err != nil {
		return err
	}
	show := a.newReporter(false)
	o.OnEvent = show.event
	begin := time.Now()
	result, err := run()
	show.close()
	if err == nil && result.RoundTrip > 0 {
		fmt.Fprintf(a.stderr, "round trip to noise and back: error %.4f (root mean square, pixels in [-1,1])\n", result.RoundTrip)
	}
	if err == nil {
		fmt.Fprintf(a.stderr, "wrote %s: %s of %s in %.1f s\n", harmless(result.Path), text.Count(result.Images, "image", "images"), text.Count(result.Inputs, "input", "inputs"), time.Since(begin).Seconds())
	}
	return err
}
