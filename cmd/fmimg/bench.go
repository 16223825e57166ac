package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/bench"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
)

const benchHelp = `Measure how fast this CPU is, and compare CPUs.

Figures are medians of repeated calls after a warm-up, with quartiles. Every convolution is counted as a
direct one, and the peak is that of multiply-adds in registers alone, measured in the same run: an algorithm
that multiplies less may exceed 100%. The direct limit of a network is the peak over the operations of its
convolutions and linear layers; training counts them three times.

--out adds what was measured to a report of this machine, which "bench compare" sets beside others.`

const benchExample = `  fmimg bench kernels --out epyc.json          every kernel of the base network, in a minute
  fmimg bench train --out epyc.json            training steps, and evaluations
  fmimg bench compare epyc.json graviton.json  side by side, with --chart as a picture too`

func (a *app) newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure how fast this CPU is, and compare CPUs", Long: benchHelp, Example: benchExample,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newBenchKernels(), a.newBenchTrain(), a.newBenchGenerate(), a.newBenchCluster(), a.newBenchCompare())
	return cmd
}

// A destination says where the results of a bench go.
type destination struct {
	json  bool
	out   string
	label string
}

func (d *destination) flags(f *pflag.FlagSet) {
	f.BoolVar(&d.json, "json", false, "write the result as one JSON object")
	f.StringVar(&d.out, "out", "", "add the result to a report, a JSON `file` for bench compare")
	f.StringVar(&d.label, "label", "", "`name` for this machine in the report, such as its model or price")
}

// check finds out whether the results can be written, before anything is measured.
func (d *destination) check() error {
	if d.out == "" {
		if d.label != "" {
			return usagef("--label %s: it names the machine in a report: add --out FILE.json", d.label)
		}
		return nil
	}
	_, err := bench.Destination(d.out)
	return err
}

// write writes a result to stdout, as JSON or as text, and to the report.
func (a *app) writeBench(d destination, result bench.Section, text func(io.Writer) error) error {
	if d.json {
		text = func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(result)
		}
	}
	if err := text(a.stdout); err != nil {
		return err
	}
	if d.out == "" {
		return nil
	}
	if err := bench.Record(d.out, d.label, result); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "wrote %s\n", d.out)
	return nil
}

const kernelsHelp = `Measure the kernels of a network: each convolution, linear layer, norm and attention of it, each
pass, by the algorithm that the network uses, on each instruction set of this CPU, with one thread and with
all, each on data of its own.

A case is named kernel/shape/pass/algorithm, with /bf16 behind it in that precision; --run selects by a regular
expression over that. "of peak" is the share of the peak of as many threads, for convolutions in bf16 that of
instructions for it where the set has them, "x plain" the rate over plain Go's on one thread, "of work" the
share of the network's operations.`

const kernelsExample = `  fmimg bench kernels
  fmimg bench kernels --run 'conv3x3/28x28' --algorithms --isa avx2 --time 20s
  fmimg bench kernels --list --run winograd`

func (a *app) newBenchKernels() *cobra.Command {
	var o bench.KernelOptions
	usual := o.WithDefaults()
	var d destination
	var list bool
	cmd := &cobra.Command{
		Use: "kernels [flags]", Short: "Measure each kernel of a network", Long: kernelsHelp, Example: kernelsExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchKernels(cmd, o, d, list) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Run, "run", "", "`pattern` of the cases to measure, a regular expression (default all)")
	f.BoolVar(&list, "list", false, "list the cases without measuring them")
	f.BoolVar(&o.Algorithms, "algorithms", false, "measure every algorithm that can compute a convolution, not only the one used")
	f.StringVar(&o.Preset, "preset", usual.Preset, "`network` whose shapes to measure: tiny, base, large or patch")
	f.IntVar(&o.Batch, "batch", usual.Batch, "`images` of a call")
	f.DurationVar(&o.Time, "time", usual.Time, "`bound` of the whole, shared by the cases")
	m := pipeline.ThisMachine()
	f.IntVar(&o.Threads, "threads", 0, fmt.Sprintf("measure with 1 and with so many `threads` (default all that this process may use: %d)", m.Threads))
	f.StringVar(&o.ISA, "isa", "", fmt.Sprintf("instruction `sets`, joined by commas, of %s (default all but generic and the unchosen)", strings.Join(m.ISAs, ", ")))
	nameVar(f, &o.Precision, "precision", pipeline.AutoPrecision,
		"`formats` of what the network passes from layer to layer, joined by commas, of f32, bf16 and auto: the fastest on the instruction set")
	d.flags(f)
	return cmd
}

func (a *app) benchKernels(cmd *cobra.Command, o bench.KernelOptions, d destination, list bool) error {
	if err := checkBench(cmd); err != nil {
		return err
	}
	if list {
		return a.listKernels(o)
	}
	if err := o.Validate(); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	var failed error // the first error of stdout
	if !d.json {
		failed = bench.ThisMachine().WriteText(a.stdout)
		o.OnLimit = func(l bench.Limit) { failed = errors.Join(failed, l.WriteText(a.stdout)) }
		o.OnResult = func(r bench.KernelResult) { failed = errors.Join(failed, r.WriteText(a.stdout)) }
	}
	report, err := bench.Kernels(cmd.Context(), o)
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	return a.writeBench(d, report, func(w io.Writer) error { return report.WriteSummary(w, flags{}) })
}

func (a *app) listKernels(o bench.KernelOptions) error {
	names, err := bench.KernelNames(o)
	for _, name := range names {
		if _, err := fmt.Fprintln(a.stdout, name); err != nil {
			return err
		}
	}
	return err
}

const benchTrainHelp = `Measure training steps, as fmimg train does them, and evaluations of the network: on MNIST, or on images
of noise of another --size or other --image-channels, for what they show does not change the time.
The JSON object has at least images_per_s, forward_images_per_s, percent_of_direct_limit,
peak_memory_bytes, allocations_per_step, threads, batch, preset, size, channels, optimizer, isa and
precision.

Several sizes and optimisers are measured one after another, each for --time. A table at the end
shows what an image costs; the JSON object then has a list, train, of such objects.`

const benchTrainExample = `  fmimg bench train
  fmimg bench train --preset large --batch 64 --threads 1 --json
  fmimg bench train --optimizer muon,adamw                             the default beside AdamW alone
  fmimg bench train --size 32,64,128 --image-channels rgb --batch 32   what an image costs as pictures grow`

func (a *app) newBenchTrain() *cobra.Command {
	var o bench.TrainOptions
	usual := o.WithDefaults()
	sizes, optimizers := []pipeline.Size{usual.Size}, []engine.Optimizer{usual.Optimizer}
	var d destination
	cmd := &cobra.Command{
		Use: "train [flags]", Short: "Measure training steps and evaluations", Long: benchTrainHelp,
		Example: benchTrainExample, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(checkBench(cmd), d.check()); err != nil {
				return err
			}
			o.OnStart = a.tellStart(o.Time)
			r, err := bench.TrainEach(cmd.Context(), o, sizes, optimizers)
			if err != nil {
				return err
			}
			return a.writeBench(d, r, r.WriteText)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	workloadFlags(f, &o.Options, usual.Options, "`images` of a step")
	f.Var(sizesValue{&sizes}, "size", "`sizes` of the images in pixels, joined by commas: sides or WIDTHxHEIGHT")
	imageChannelsVar(f, &o.Options, usual.Options)
	f.Var(namesValue[engine.Optimizer]{&optimizers}, "optimizer",
		"`names`, joined by commas: adamw, or muon for the matrices and adamw for the rest, or normuon, which also evens out their neurons")
	f.DurationVar(&o.Time, "time", usual.Time,
		"`time` to measure each for, exceeded where a few steps take longer")
	d.flags(f)
	return cmd
}

const benchGenerateHelp = `Measure drawing images, as fmimg generate does but for the encoding of pictures, from a network with
drawn weights. The JSON object has at least images_per_s, forward_images_per_s (evaluations),
percent_of_direct_limit, peak_memory_bytes, allocations_per_step, ms_to_first_image, threads, batch, preset,
isa and precision.`

func (a *app) newBenchGenerate() *cobra.Command {
	var o bench.GenerateOptions
	usual := o.WithDefaults()
	var d destination
	cmd := &cobra.Command{
		Use: "generate [flags]", Short: "Measure drawing images", Long: benchGenerateHelp,
		Example: "  fmimg bench generate\n  fmimg bench generate --batch 1 --solver euler --steps 10 --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(checkBench(cmd), d.check()); err != nil {
				return err
			}
			o.OnStart = a.tellStart(o.Time)
			r, err := bench.Generate(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.writeBench(d, r, r.WriteText)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	workloadFlags(f, &o.Options, usual.Options, "`images` to draw at once")
	o.Size = usual.Size
	f.Var(sizeValue{&o.Size}, "size", "`size` of the images in pixels, a side or WIDTHxHEIGHT")
	imageChannelsVar(f, &o.Options, usual.Options)
	f.StringVar(&o.Solver, "solver", usual.Solver,
		"`method`: euler, midpoint, heun, rk4, adams2, abm2, dopri5, ddim, ddpm or sde")
	f.IntVar(&o.Steps, "steps", usual.Steps, "`number` of steps from noise to image")
	f.DurationVar(&o.Time, "time", usual.Time, "`time` to measure for, exceeded where a few batches take longer")
	d.flags(f)
	return cmd
}

// tellStart returns a function that says on stderr what will be measured, and for how long.
func (a *app) tellStart(d time.Duration) func(bench.Workload) {
	return func(w bench.Workload) { fmt.Fprintf(a.stderr, "measuring %v, for about %v\n", w, d) }
}

// workloadFlags adds the flags that say what to run.
func workloadFlags(f *pflag.FlagSet, o *bench.Options, usual bench.Options, usage string) {
	f.StringVar(&o.Preset, "preset", usual.Preset, "`network`: tiny, base, large or patch")
	f.IntVar(&o.Batch, "batch", usual.Batch, usage)
	m := pipeline.ThisMachine()
	f.IntVar(&o.Threads, "threads", 0, fmt.Sprintf("worker `threads` (default all that this process may use: %d)", m.Threads))
	f.StringVar(&o.ISA, "isa", "", fmt.Sprintf("instruction `set`: %s (default %s)", strings.Join(m.ISAs, ", "), m.Best))
	precisionFlag(f, &o.Precision)
}

// imageChannelsVar adds the flag for the colours of the images.
func imageChannelsVar(f *pflag.FlagSet, o *bench.Options, usual bench.Options) {
	nameVar(f, &o.ImageChannels, "image-channels", usual.ImageChannels,
		"`colours` of the images: gray, gray-alpha, rgb, rgba, or auto: gray, as in MNIST")
}

// checkBench rejects zeros that were given on purpose. In the options a zero means the default.
func checkBench(cmd *cobra.Command) error {
	names := []string{"batch", "threads", "size"}
	if cmd.Flags().Lookup("steps") != nil {
		names = append(names, "steps")
	}
	if f := cmd.Flags().Lookup("time"); f.Changed && f.Value.String() == "0s" {
		return usagef("--time 0s: a duration such as 30s or 2m is needed")
	}
	return positive(cmd, names...)
}

const compareHelp = `Set reports of bench --out side by side: limits, training, generating and the convolutions of the
network, on the best instruction set of each machine unless one is named. Every report but the first shows how
it compares with the first: as a factor, or where all are of one machine in percent, which shows its drift.
A star marks a difference beyond the spread of the measurements.`

func (a *app) newBenchCompare() *cobra.Command {
	var pattern, chart string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "compare REPORT.json... [flags]", Short: "Compare reports of CPUs", Long: compareHelp,
		Example: "  fmimg bench compare epyc.json graviton.json --chart cpus.png\n  fmimg bench compare monday.json friday.json --run 'conv3x3/.*/forward'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the reports to compare, such as a.json b.json, which bench kernels --out and bench train --out write")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.benchCompare(args, pattern, chart, asJSON) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&pattern, "run", "", "`pattern` of kernels to show too, a regular expression over their names (. for all)")
	f.StringVar(&chart, "chart", "", "draw a chart into a PNG `file`")
	f.BoolVar(&asJSON, "json", false, "write the comparison as one JSON object")
	return cmd
}

func (a *app) benchCompare(paths []string, pattern, chart string, asJSON bool) error {
	if chart != "" && !strings.HasSuffix(strings.ToLower(chart), ".png") {
		return usagef("--chart %s: its name must end in .png", chart)
	}
	c, err := bench.Compare(paths, pattern)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(a.stdout).Encode(c)
	} else {
		err = c.WriteText(a.stdout)
	}
	if err != nil || chart == "" {
		return err
	}
	if err := atomicfile.Write(chart, c.WriteChart); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "wrote %s\n", chart)
	return nil
}
