package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/train"
)

const trainHelp = `Train a network on images and leave everything in a run folder: the model, what is needed to resume,
the settings, the loss of each step, previews and a description.

The data is a set that is known by name (fmimg data list), a folder, .zip or .tar of pictures (PNG, JPEG, GIF,
WebP, AVIF, HEIC and others; sub-folders are classes), or IDX, CIFAR, .npy, .npz, .parquet or .csv files.
fmimg data show says how it is understood.
Pictures are cropped in the middle to the proportions of --size and resized; --fit pad or stretch keeps all of them.
What is transparent becomes white, but with --image-channels rgba or gray-alpha the model learns and draws it.

The budget is a number of steps, epochs or a time; all three shape the learning rate, which is zero at
the end. Ctrl-C, and SIGTERM or SIGUSR1 of a scheduler, save at once and say how to go on. The same seed gives
the same tensors, byte for byte, for any number of threads on one instruction set, and of ranks that mpirun starts
(fmimg-mpi). The folder's path goes to stdout.

The network predicts the velocity on the straight path from noise to data, or with --objective the noise or the
data, with --path on a curved one; whatever it is, generate, eval and field find the velocity in it.
docs/theory.md says what that means. A network that predicts noise takes the longest to draw anything.
--objective nf trains a normalizing flow instead (RealNVP), by maximum likelihood; its loss is in bits per dimension.

A run's README.md holds the command that repeats it, step for step. --schedule alone takes no more from another
run than the steps that it believed to have before it, which shape the learning rate.`

const trainExample = `  fmimg train --data mnist                              ten minutes, into runs/mnist, then runs/mnist-2, …
  fmimg train --data mnist --time 1h --preset large
  fmimg train --data mnist --watch                      with a page in the browser that shows the run
  fmimg train --data photos/ --size 32 --flip           your own pictures (fmimg data show looks at them first)
  fmimg train --data photos/ --size 64x48               wide ones
  fmimg train --data sprites/ --image-channels rgba     with transparency
  fmimg train --data mnist --steps 3000 --batch 128 --seed 7 --out runs/seven
  fmimg train --resume --out runs/seven                 go on after Ctrl-C or a crash
  fmimg train --resume --out runs/seven --steps 6000    train a finished run further
  fmimg train --init runs/mnist --data mnist --time 5m  start from a model, also one made by PyTorch`

func (a *app) newTrain() *cobra.Command {
	var o train.Options
	var extra runExtra
	cmd := &cobra.Command{
		Use: "train --data NAME [flags]", Short: "Train a network on images", Long: trainHelp, Example: trainExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.train(cmd, o, extra) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	trainFlags(f, &o)
	budgetFlags(f, &o.Options, &o.Epochs, &extra)
	recordFlags(f, &o.Options, &extra)
	watchFlags(f, &extra)
	f.Var(amount[float64]{&o.KeepGuide}, "keep-guide", fmt.Sprintf(
		"`share` of the run's steps after which the averaged weights are kept as the guide of generate, 0 for none (default %v with classes or clusters and without --init, else 0)", model.SuggestedGuideShare))
	dataFlags(f, &o.DataOptions, clusteredLabels)
	trainNumberFlags(f, &o)
	networkFlags(f, &o.Threads, &o.Arithmetic)
	return cmd
}

// runExtra are the flags of a run that need more than to be copied into an option.
type runExtra struct {
	time     time.Duration
	schedule string
	json     bool
	watch    bool
	addr     string // of the page; only with watch
	page     *watchedPage
}

// trainFlags adds the flags about what to train, and the run folder.
func trainFlags(f *pflag.FlagSet, o *train.Options) {
	f.StringVar(&o.Data, "data", "", "`data` to train on: a known set such as mnist, or a folder or .zip of pictures, … (needed)")
	folderFlags(f, &o.Options, "DATA")
	f.StringVar(&o.Init, "init", "", "start from the weights in a `file` or run folder, and with its network, which may be PyTorch's or a folder of diffusers; none: from nothing (default none, and emoji for up to 500 pictures in colour)")
	f.StringVar(&o.Preset, "preset", o.NetworkOptions.WithDefaults().Preset, "`network`: tiny, base, large or patch")
	f.IntVar(&o.Heads, "heads", 0, "`number` of attention heads (default the preset's; 1 with --init of PyTorch weights)")
	f.IntVar(&o.NormGroups, "norm-groups", 0, "`number` of groups of a group norm (default the preset's; 32 with --init of PyTorch weights)")
	f.Float64Var(&o.TimeScale, "time-scale", 0, "`factor` on the time (default the preset's; 1 with --init of PyTorch weights)")
}

// folderFlags adds the flags about the run folder; name is the usual name of a new folder.
func folderFlags(f *pflag.FlagSet, o *run.Options, name string) {
	f.StringVar(&o.Out, "out", "", fmt.Sprintf("run `folder` (default runs/%s, then runs/%s-2, …; with --resume the newest run)", name, name))
	f.BoolVar(&o.Resume, "resume", false, "go on with the run in the folder")
}

// budgetFlags adds the flags about the length of the training; epochs is nil for a command without
// epochs.
func budgetFlags(f *pflag.FlagSet, o *run.Options, epochs *float64, x *runExtra) {
	f.IntVar(&o.Steps, "steps", 0, "budget: `number` of batches")
	if epochs != nil {
		f.Float64Var(epochs, "epochs", 0, "budget: `number` of passes over the data")
	}
	f.DurationVar(&x.time, "time", 0, "budget: training `time`, such as 90s, 10m or 2h (default 10m)")
	f.StringVar(&x.schedule, "schedule", "", "`record` of the steps that a run by time believed to have: its folder, or step:total pairs")
	f.IntVar(&o.StopAfter, "stop-after", 0, "stop and save after this `step` of the budget, as Ctrl-C does")
}

// recordFlags adds the flags about what a run leaves and shows.
func recordFlags(f *pflag.FlagSet, o *run.Options, x *runExtra) {
	f.IntVar(&o.SaveEvery, "save-every", 0, "`steps` between checkpoints (default about every minute)")
	f.IntVar(&o.PreviewEvery, "preview-every", 0, "`steps` between previews, -1 for none (default about ten in a run)")
	f.IntVar(&o.ValidateEvery, "validate-every", 0, "`steps` between validation losses, -1 for none (default as often as takes 1 % of the time)")
	f.IntVar(&o.Keep, "keep", 0, "`number` of numbered checkpoints to keep beside the last one")
	f.BoolVar(&o.TensorBoard, "tensorboard", false, "also write event files into the run folder, for tensorboard --logdir runs")
	f.BoolVar(&x.json, "json", false, "write progress as JSON lines to stdout")
}

// watchFlags adds the flags about a page that shows the run.
func watchFlags(f *pflag.FlagSet, x *runExtra) {
	f.BoolVar(&x.watch, "watch", false, "serve a page that shows the run, as fmimg serve does, for as long as it trains")
	f.StringVar(&x.addr, "watch-addr", watchAddr, "`address` of that page on this machine, host:port; port 0 takes a free one")
}

// clusteredLabels is the default of the flag labels for what trains models that draw.
const clusteredLabels = "what is there, and clusters where 200 images or more have no labels, one for 50 images, at most 32"

// dataFlags adds the flags about how data is read. labels says where classes come from by default.
func dataFlags(f *pflag.FlagSet, o *feed.DataOptions, labels string) {
	usual := o.WithDefaults()
	f.Var(sizeValue{&o.Size}, "size",
		"bring images to this `size` in pixels, a side or WIDTHxHEIGHT (default as they are, pictures 32)")
	fitVar(f, &o.Fit, usual.Fit, "")
	nameVar(f, &o.ImageChannels, "image-channels", usual.ImageChannels,
		"`colours`: gray, gray-alpha, rgb, rgba, or auto: as they are, and pictures gray or rgb, over white where they are transparent")
	f.StringVar(&o.Labels, "labels", "",
		"`where` the classes of pictures come from: folders, none, a .csv of file names and labels, or clusters:32 of pictures that look alike (default "+labels+")")
	amountVar(f, &o.HoldOut, "hold-out", usual.HoldOut,
		"`share` of the images to keep for the validation loss, in sets without test images; 0 for none")
	f.BoolVar(&o.Strict, "strict", false, "refuse a folder with files that cannot be used, instead of leaving them out")
	f.IntVar(&o.DataMemory, "data-memory", 0, "most `MB` that the images may take (default 4096)")
}

// trainNumberFlags adds the flags of train that change the trained numbers.
func trainNumberFlags(f *pflag.FlagSet, o *train.Options) {
	f.BoolVar(&o.Flip, "flip", false,
		"mirror every second image, left to right: for pictures without letters or a side (default for up to 500 unlabelled pictures in colour)")
	f.Var(amount[int]{&o.Shift}, "shift",
		"move each image by up to so many `pixels`, 0 for none (default a sixteenth of the side of up to 500 pictures)")
	f.BoolVar(&o.EarlyStop, "early-stop", false,
		"stop when the loss of held-out images turns, and keep the weights where it was least (default for up to 500 pictures)")
	f.BoolVar(&o.Dequantize, "dequantize", false, "spread each byte over its width by noise, for a model whose fmimg likelihood means something")
	recipeFlags(f, &o.Recipe, 0, " (default 0.004, with --optimizer adamw 0.002)")
	usual := o.MatchOptions.WithDefaults()
	f.StringVar(&o.Path, "path", usual.Path,
		"`path` from noise to data: linear, linear-power(N), cosine, vp or vp(BMIN,BMAX)")
	nameVar(f, &o.Objective, "objective", usual.Objective,
		"`what` the network predicts: velocity, noise or data; or nf, a normalizing flow trained by its likelihood")
	nameVar(f, &o.LossWeight, "loss-weight", "",
		"weigh the loss as if `what` is predicted were velocity, noise or data (default what --objective says)")
	f.StringVar(&o.TimeDist, "time-dist", "",
		"`distribution` of t: uniform, logit-normal, logit-normal(MEAN,STD), or curriculum(UNTIL), which is logit-normal at first "+
			"(default curriculum(0.5); uniform with --early-stop, and for --objective noise and data)")
	nameVar(f, &o.Coupling, "coupling", usual.Coupling,
		"`pairs` of noise and image: ot for the shortest paths of each class in some batches, or independent")
	f.IntVar(&o.Paired, "paired", 0,
		"most `images` that --coupling ot pairs together (default 256 of the largest class, at most 2048 in all)")
	nameVar(f, &o.Conditional, "conditional", usual.Conditional,
		"train on labels: yes, no or auto, `which` is yes where the data has them")
	amountVar(f, &o.LabelDrop, "label-drop", usual.LabelDrop,
		"`share` of the labels to leave out, so that --guidance works, 0 for none")
}

// defaultSeed is that of every command. For programs 0 is a seed like any other.
const defaultSeed = 1

// recipeFlags adds the flags that numbers of every run depend on. rate is the default learning
// rate; rates says it in words where it is 0.
func recipeFlags(f *pflag.FlagSet, o *run.Recipe, rate float64, rates string) {
	usual := o.WithDefaults()
	f.IntVar(&o.Batch, "batch", usual.Batch, "`images` of a step")
	f.IntVar(&o.MicroBatch, "micro-batch", 0, "`images` that a thread takes at once (default a quarter of the batch, at most 8)")
	nameVar(f, &o.Optimizer, "optimizer", usual.Optimizer,
		"`name`: adamw, or muon for the matrices and adamw for the rest, or normuon, which also evens out their neurons")
	f.Float64Var(&o.LR, "lr", rate, "peak learning `rate`"+rates)
	amountVar(f, &o.Warmup, "warmup", usual.Warmup, "`steps` of warm-up, at most a tenth of the run")
	nameVar(f, &o.Decay, "decay", usual.Decay, "`shape` of the learning rate: cosine, linear or constant")
	amountVar(f, &o.Beta1, "beta1", usual.Beta1, "AdamW's decay of the gradient's mean")
	amountVar(f, &o.Beta2, "beta2", usual.Beta2, "AdamW's decay of the gradient's square")
	f.Float64Var(&o.Eps, "eps", usual.Eps, "AdamW's smallest divisor")
	amountVar(f, &o.WeightDecay, "weight-decay", usual.WeightDecay, "decoupled weight decay")
	amountVar(f, &o.Clip, "clip", usual.Clip, "largest `norm` of a gradient, 0 for any")
	amountVar(f, &o.EMA, "ema", usual.EMA, "`decay` of the averaged weights, 0 for none")
	f.Uint64Var(&o.Seed, "seed", defaultSeed, "`seed` of everything random")
}

// train runs the command.
func (a *app) train(cmd *cobra.Command, o train.Options, x runExtra) error {
	if err := positive(cmd, "size", "data-memory", "epochs", "heads", "norm-groups", "time-scale", "paired"); err != nil {
		return err
	}
	if err := a.settle(cmd, &x, &o.Options); err != nil {
		return err
	}
	ctx := cmd.Context()
	if cmd.Flags().Changed("watch-addr") && !x.watch {
		return usagef("--watch-addr %s: it is the address of a page: add --watch", x.addr)
	}
	if x.watch {
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		defer stop()
		var err error
		if x.page, err = a.openPage(cmd.Context(), o.Out, x.addr, stop); err != nil {
			return err
		}
		defer x.page.close()
	}
	return a.runTraining(&o.Options, x, func() (run.Result, error) { return train.Train(ctx, o) })
}

// settle puts the flags into the options, and checks the flags that all runs have. Of several ranks
// all return an error of one, and rank 0 reads the record of another run for all.
func (a *app) settle(cmd *cobra.Command, x *runExtra, o *run.Options) error {
	err := x.check(cmd)
	if a.ranks != nil {
		err = cluster.Agree(a.ranks, err)
	}
	if err != nil {
		return err
	}
	o.Time = run.Duration(x.time)
	cmd.Flags().Visit(func(f *pflag.Flag) { o.Given = append(o.Given, f.Name) })
	err = a.lead(func() error {
		var err error
		o.Schedule, err = schedule(x.schedule)
		return err
	})
	if err != nil || a.ranks == nil {
		return err
	}
	return cluster.BroadcastValue(a.ranks, 0, &o.Schedule)
}

// check checks the flags that all runs have.
func (x *runExtra) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("time") && x.time <= 0 {
		return usagef("--time %v: a duration such as 10m or 90s is needed", x.time)
	}
	if err := positive(cmd, "steps", "batch", "micro-batch", "lr", "eps", "threads", "save-every", "stop-after"); err != nil {
		return err
	}
	return notZero(cmd, "a number above 0 is needed, or -1 for none", "preview-every", "validate-every")
}

// runTraining runs a training, shows its progress and names the run folder.
func (a *app) runTraining(o *run.Options, x runExtra, work func() (run.Result, error)) error {
	show := a.newReporter(x.json)
	o.OnEvent, o.Words, o.Ranks = x.page.events(show.event), flags{}, a.ranks
	result, err := work()
	show.close()
	var stopped *run.InterruptedError
	// By --stop-after, or on the page: not a failure.
	if errors.As(err, &stopped) && (stopped.Cause == nil || x.page.wasStopped()) {
		fmt.Fprintf(a.stderr, "%s: go on with %s\n", stopped, flags{}.Action(stopped.GoOn))
		err = nil
	}
	if err == nil && !x.json {
		fmt.Fprintln(a.stdout, result.Dir)
	}
	return err
}

// positive rejects a zero that was given on purpose. In the options a zero means the default.
func positive(cmd *cobra.Command, names ...string) error {
	return notZero(cmd, "a number above 0 is needed", names...)
}

// notZero rejects a zero that was given on purpose, and says what is needed.
func notZero(cmd *cobra.Command, needed string, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() == "0" {
			return usagef("--%s 0: %s", name, needed)
		}
	}
	return nil
}

// schedule reads the flag of this name: a run folder, or step:total pairs.
func schedule(text string) (engine.RateSchedule, error) {
	if text == "" {
		return nil, nil
	}
	s, err := engine.ParseRateSchedule(text)
	if err == nil {
		return s, nil
	}
	recorded, runErr := run.ReadOptions(text)
	if runErr != nil {
		return nil, usagef("--schedule %s: it is neither a run folder nor a list of step:total pairs such as 3:1200,60:1180", text)
	}
	return recorded.Schedule, nil
}
