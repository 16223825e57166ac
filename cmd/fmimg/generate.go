package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

const generateHelp = `Draw new images from a trained model.

The name of --out says what to write: .png a grid, .gif the way of a grid from noise to images, .npy the
numbers as a float32 array [N, H, W, C] where -1 is black and 1 is white (some lie beyond), a name that ends in
/ a folder of PNGs, - a PNG on stdout. Image i depends on the model, the seed, its class and i alone: its noise is the
same in any grid or folder and for any number of threads. A PNG carries how it was made in its text fields. With
--padding 0 --scale 1 a grid is exactly the images, edge to edge.

--strip 9 draws the way from noise (left) to image (right) as a .png: a row for each image, with nine evenly spaced
moments t = 0, 1/8, …, 1. It has an image for each class of --class, or --count of them (8 where neither is given). A
moment between two steps of a solver with fixed steps lies on the straight line between them; dopri5 computes each by
its dense output.

The solvers euler to dopri5 follow the velocity. ddim does so along the path that the model learned, ddpm and sde
add fresh noise in each step, which forgives errors and takes more steps; sde as much as --noise-level says.
Both assume that training paired noise and images at random (train --coupling independent).

Classes are names, numbers from 0, and ranges, joined by commas. The exact name comes first, then one that differs by
capitals alone; a name with a comma may go in quotation marks, as in --class '"b, c",dog'. The ends of a range are names
where both are: of the folders 0 to 10, 0-9 means those called so. none means no class; where a class is called none,
the number after the last class means it. A class that had no picture to train on is refused. A picture of several has a row of 8 images for each, and a
--grid of as many rows as classes a row for each; on other grids, and with --count, the images take the classes in
turn, row by row, so that on a grid as wide as the list each column is a class. Without --class each image gets a
random one, as often as the training data had it. Guidance draws images of their class more clearly, and less variously; models that were trained for it have some
unless --guidance 1 turns it off. Where it acts, a step evaluates two networks, or three with a guide, and takes longer;
--guidance-interval says where on the way that is. The evaluations that are counted are all of them.

With --guide another model takes a share of the place of no class (--guide-share): one that is like the model and worse,
because it is smaller or was trained for less long. What the model does better is exaggerated, and no classes are needed.
A run that was trained with classes or clusters has kept one, which is used unless a flag says how guidance is to be;
--guide none does without. For images of more than 32x32 pixels, or with fewer than 300 steps, it must be named.`

const generateExample = `  fmimg generate --grid 8x8 --out samples.png              64 images from the newest run, or of digits
  fmimg generate --class 0-9 --out digits.png              a row of 8 for each digit
  fmimg generate --grid 4x10 --class 0-9 --out digits.png  a column for each digit
  fmimg generate --class 7 --guidance 2 --out sevens.png   clearer, less varied sevens
  fmimg generate --model runs/mnist --guide auto --guidance 1.5 --out samples.png   away from the guide that the run kept
  fmimg generate --count 1000 --out images/                a folder of single images
  fmimg generate --solver dopri5 --tol 1e-4 --model runs/mnist --out samples.png
  fmimg generate --solver ddpm --steps 100 --out samples.png  with fresh noise in each step
  fmimg generate --grid 4x4 --scale 4 --out flow.gif       from noise to images
  fmimg generate --class 0-9 --strip 9 --out strip.png     the same side by side, a row for each digit`

func (a *app) newGenerate() *cobra.Command {
	o := sample.GenerateOptions{Stdout: a.stdout}
	cmd := &cobra.Command{
		Use: "generate --out FILE [flags]", Short: "Draw new images from a trained model", Long: generateHelp, Example: generateExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.generate(cmd, o) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Out, "out", "", "`file`.png, .gif or .npy, folder/, or - (needed)")
	modelFlag(f, &o.Model, elseMNIST)
	f.Var(gridValue{&o.Grid}, "grid", "rows x columns (default 8x8, a row of 8 for each of several classes, or what --count needs)")
	f.IntVar(&o.Sample.Count, "count", 0, "`number` of images (default what --grid holds)")
	f.IntVar(&o.Strip, "strip", 0, "show each image's way from noise in a row of its own, at `N` moments, N of 2 or more")
	sampleFlags(f, &o.Sample, &o.Guide)
	amountVar(f, &o.Grid.Padding, "padding", o.Grid.WithDefaults().Padding,
		"`pixels` of the picture between images and around them")
	f.IntVar(&o.Grid.Scale, "scale", o.Grid.WithDefaults().Scale, "draw each pixel as `N` x N pixels")
	networkFlags(f, &o.Sample.Threads, &o.Arithmetic)
	return cmd
}

// everyUsage describes --guidance-every.
const everyUsage = "compute what guidance adds for the first of this `number` of velocities in a row, and add the same to all of them, 1 for each (default 2 of abm2 and adams2 on the linear path for weights from 0.75 to 1.25, and 3 for those to 1.5 with a guide that shares with no class; 1 of others)"

// shareUsage describes --guide-share.
var shareUsage = fmt.Sprintf("`share` of the guide in what guidance leads away from; the rest is no class, which takes one more evaluation where guidance is computed (default %v where the model was trained without a class too, else 1)", model.DefaultGuideShare)

// shiftUsage describes --time-shift.
var shiftUsage = fmt.Sprintf("`shift` S of the times of the steps, t = u/(u + S(1-u)) for equal steps of u: above 1 steps near noise are shorter, 1 leaves all equal (default %d of abm2 and adams2 on the linear path, else 1)", model.DefaultShift)

// sampleFlags adds the flags about how images are drawn.
func sampleFlags(f *pflag.FlagSet, o *sample.Options, guide *string) {
	f.StringVar(&o.Class, "class", "", "`classes` to draw, such as 7, 0-9, or 1,sneaker,none (default random ones)")
	f.Float64Var(&o.Guidance, "guidance", 0, fmt.Sprintf("`weight` W of the class: v_none + W(v_class - v_none); 1 is off, 0 draws no class, without a guide (default %s)", usualGuidance))
	guidanceFlags(f, &o.Interval, guide, " (default auto where the run kept one of at least 300 steps, for images of up to 32x32 pixels, and --guidance, --guidance-interval and --guidance-every are left out, or --guide-share is there)",
		fmt.Sprintf("; with a guide that shares with no class %v, by the solvers and weights for which --guidance-every is %d then, if both flags are left out", model.UsualGuideInterval(), model.DefaultGuideEvery))
	f.Float64Var(&o.GuideShare, "guide-share", 0, shareUsage)
	f.IntVar(&o.GuidanceEvery, "guidance-every", 0, everyUsage)
	f.StringVar(&o.Solver, "solver", "", "`method`: euler, midpoint, heun, rk4, adams2, abm2, dopri5 with steps of its own size; ddim; with fresh noise in each step ddpm or sde (default abm2; a distilled model has none)")
	f.IntVar(&o.Steps, "steps", 0, "`number` of steps from noise to image (default 8 of abm2 and adams2, 16 of others; of a distilled model 1, 2 or 4, default 4); with dopri5, frames of a .gif")
	f.Float64Var(&o.TimeShift, "time-shift", 0, shiftUsage)
	f.Float64Var(&o.Tol, "tol", 0, "`error` that dopri5 allows a step (default 0.0001)")
	f.Float64Var(&o.NoiseLevel, "noise-level", 0, "`amount` of the noise that sde adds and removes, where 0 would be none (default 1)")
	f.Uint64Var(&o.Seed, "seed", defaultSeed, "`seed` of the noise")
}

func (a *app) generate(cmd *cobra.Command, o sample.GenerateOptions) error {
	if err := positive(cmd, "count", "strip", "guide-share", "guidance-every", "steps", "time-shift", "tol", "noise-level", "scale", "threads"); err != nil {
		return err
	}
	if err := a.checkGenerate(cmd, &o); err != nil {
		return err
	}
	show := a.newReporter(false)
	o.Sample.OnEvent, o.Sample.Ranks = show.event, a.ranks
	begin := time.Now()
	result, err := sample.Generate(cmd.Context(), o)
	show.close()
	if err == nil {
		guided := ""
		if words := result.DescribeGuidance(); words != "" {
			guided = ", " + harmless(words) + ","
		}
		fmt.Fprintf(a.stderr, "wrote %s: %s of %s%s in %.1f s\n", harmless(result.Path),
			text.Count(result.Images, "image", "images"), text.Count(int(math.Round(result.Evaluations)), "evaluation", "evaluations"), guided, time.Since(begin).Seconds())
	}
	return err
}

// checkGenerate refuses flags that would do harm, or nothing.
func (a *app) checkGenerate(cmd *cobra.Command, o *sample.GenerateOptions) error {
	if o.Out == "-" && isTerminal(a.stdout) {
		return usagef("--out -: a PNG would garble the terminal: send it on, as in fmimg generate --out - > samples.png")
	}
	return checkSolver(cmd, &o.Sample, o.Guide, o.Out)
}

// checkSolver refuses flags that do nothing for the solver. Guidance 0 asks for no class: its
// velocity is v_none alone.
func checkSolver(cmd *cobra.Command, o *sample.Options, guide, out string) error {
	adaptive := o.Solver == "dopri5"
	switch {
	case cmd.Flags().Changed("tol") && !adaptive:
		return usagef("--tol %g: only --solver dopri5 has a tolerance: add it, or use --steps", o.Tol)
	case cmd.Flags().Changed("steps") && adaptive && !strings.HasSuffix(strings.ToLower(out), ".gif"):
		return usagef("--steps %d: --solver dopri5 chooses its own: use --tol", o.Steps)
	case cmd.Flags().Changed("time-shift") && adaptive:
		return usagef("--time-shift %g: --solver dopri5 chooses its own steps: leave it out", o.TimeShift)
	case cmd.Flags().Changed("guidance-every") && adaptive && o.GuidanceEvery > 1:
		return usagef("--guidance-every %d: --solver dopri5 chooses its own steps: leave it out", o.GuidanceEvery)
	case cmd.Flags().Changed("noise-level") && o.Solver != "sde":
		return usagef("--noise-level %g: only --solver sde has one: add it, or leave it out", o.NoiseLevel)
	}
	asked := cmd.Flags().Changed("guidance") && o.Guidance == 0
	if asked && guide != "" && guide != model.NoGuide {
		return usagef("--guidance 0: it draws by the guide alone: name that by --model, and leave --guide out")
	}
	if asked {
		o.Guidance, o.NoClass = 1, true
	}
	return nil
}

// usualGuidance says in help which weight of guidance is the default.
var usualGuidance = fmt.Sprintf("%v where the model was trained for it, with a guide %v; where its classes are clusters %v, with a guide %v",
	model.DefaultGuidance, model.DefaultGuideWeight, model.DefaultClusterGuidance, model.DefaultClusterGuideWeight)
