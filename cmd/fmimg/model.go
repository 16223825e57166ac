package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/convert"
	"github.com/fmimg/fmimg/pipeline/model"
)

const modelShowHelp = `Show what a model is: its network, what it was trained on and for how long, its classes, its hash. The model
is a run folder, a safetensors file, or mnist, mnist-fast or emoji, which are part of the program. Of weights that PyTorch
saved it shows what their shapes tell.`

func (a *app) newModel() *cobra.Command {
	cmd := &cobra.Command{
		Use: "model", Short: "Look into models, pass them on, make them of PyTorch's weights",
		Example: "  fmimg model show runs/mnist\n  fmimg model export runs/mnist --float16 --out digits.safetensors",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newModelShow(), a.newModelExport(), a.newModelImport())
	return cmd
}

// modelArgument makes a command take a model as its argument, or by --model.
func (a *app) modelArgument(cmd *cobra.Command, model *string, otherwise string, run func() error) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("%q is one model too many: see %s --help", args[1], cmd.CommandPath())
		}
		return nil
	}
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			if *model != "" {
				return usagef("--model %s: the model %s is named already: leave one out", *model, args[0])
			}
			*model = args[0]
			a.noteName(args[0])
		}
		return run()
	}
	cmd.Flags().SortFlags = false
	modelFlag(cmd.Flags(), model, otherwise)
}

func (a *app) newModelShow() *cobra.Command {
	var model string
	var asJSON, tensors bool
	cmd := &cobra.Command{
		Use: "show [MODEL] [flags]", Short: "Show what a model is", Long: modelShowHelp,
		Example: "  fmimg model show\n  fmimg model show runs/mnist --json\n  fmimg model show weights.safetensors --tensors",
	}
	a.modelArgument(cmd, &model, elseMNIST, func() error { return a.showModel(model, asJSON, tensors) })
	cmd.Flags().BoolVar(&tensors, "tensors", false, "list the tensors too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON, with the tensors")
	return cmd
}

const modelExportHelp = `Write the model of a run to a file of its own, to give away or to embed in a program. --float16 halves its size,
with weights rounded to 11 bits.

--format onnx writes what other programs run, such as onnxruntime: the network, with the inputs x [N,C,H,W] in [-1, 1],
t [N] and y [N] for the class, or with --sampler the whole drawing, from noise and class to image. A drawing takes the
guide that generate would take, and the file holds it too; --guide none leaves it out.

--format diffusers writes a folder that UNet2DModel.from_pretrained of diffusers loads, with a README.md that draws.`

func (a *app) newModelExport() *cobra.Command {
	var from, out, format string
	var half bool
	var o convert.ONNXOptions
	cmd := &cobra.Command{
		Use: "export [MODEL] --out PATH [flags]", Short: "Write a model to a file of its own", Long: modelExportHelp,
		Example: "  fmimg model export runs/mnist --float16 --out digits.safetensors\n" +
			"  fmimg model export mnist --format onnx --sampler --out digits.onnx\n" +
			"  fmimg model export mnist --format diffusers --out digits",
	}
	a.modelArgument(cmd, &from, elseNone, func() error {
		if err := a.exportModel(cmd, from, out, format, half, o); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.stdout, out)
		return err
	})
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "`file` to write, or folder for --format diffusers (needed)")
	f.StringVar(&format, "format", "", "safetensors, onnx or diffusers, `which` is the one that the name of the file says by default, else safetensors")
	f.BoolVar(&half, "float16", false, "round the weights to float16")
	f.BoolVar(&o.Sampler, "sampler", false, "with --format onnx: write the whole drawing, not the network alone")
	f.Float64Var(&o.Method.Guidance, "guidance", 0, "`weight` of the class in the drawing (default as for generate)")
	f.Var(intervalValue{&o.Method.Interval}, "guidance-interval", "`times` LOW,HIGH in which guidance acts in the drawing (default as for generate)")
	f.StringVar(&o.Guide, "guide", "", "a weaker `model` that guidance leads away from, which becomes a part of the file; none leaves it out (default as for generate)")
	f.Float64Var(&o.Method.GuideShare, "guide-share", 0, shareUsage)
	f.IntVar(&o.Method.GuidanceEvery, "guidance-every", 0, everyUsage)
	f.StringVar(&o.Method.Solver, "solver", "", "`method` of the drawing: euler, midpoint, heun, rk4, adams2, abm2 or ddim (default as for generate)")
	f.IntVar(&o.Method.Steps, "steps", 0, "steps of the drawing (default as for generate)")
	f.Float64Var(&o.Method.TimeShift, "time-shift", 0, shiftUsage)
	return cmd
}

// exportModel writes a model in a format.
func (a *app) exportModel(cmd *cobra.Command, from, out, format string, half bool, o convert.ONNXOptions) error {
	if format == "" {
		format = model.SafetensorsFormat
		if convert.IsONNX(out) {
			format = convert.ONNXFormat
		}
	}
	switch {
	case format != model.SafetensorsFormat && format != convert.ONNXFormat && format != convert.DiffusersFormat:
		return usagef("--format %s: choose %s, %s or %s", format, model.SafetensorsFormat, convert.ONNXFormat, convert.DiffusersFormat)
	case format != convert.ONNXFormat && o.Sampler:
		return usagef("--sampler: only --format %s holds a drawing: add it, or leave it out", convert.ONNXFormat)
	}
	for _, name := range []string{"guidance", "guidance-interval", "guidance-every", "guide", "guide-share", "solver", "steps", "time-shift"} {
		if cmd.Flags().Changed(name) && !o.Sampler {
			return usagef("--%s: only a drawing has one: add --sampler, or leave it out", name)
		}
	}
	switch format {
	case model.SafetensorsFormat:
		return model.Export(from, out, half)
	case convert.DiffusersFormat:
		return convert.Diffusers(convert.DiffusersOptions{Model: from, Out: out, Half: half})
	}
	if err := positive(cmd, "guidance", "guidance-every", "guide-share", "steps", "time-shift"); err != nil {
		return err
	}
	o.Model, o.Out, o.Half = from, out, half
	m, err := convert.ONNX(o)
	if err != nil || !o.Sampler {
		return err
	}
	how := text.Count(m.Steps, "step", "steps") + " of " + m.Solver
	if guidance := m.DescribeGuidance(); guidance != "" {
		how += ", " + guidance
	}
	_, err = fmt.Fprintf(a.stderr, "the drawing: %s\n", harmless(how))
	return err
}

const modelImportHelp = `Make a model of weights that another program saved: a file of PyTorch's torch.save (.pt, .pth, .ckpt), or safetensors
without a configuration. Nothing in the file is run. The network is the U-Net of guided diffusion, as torchcfm ships it,
with the names of its state dict; a prefix such as module. or ema_model. does not matter.

A folder that diffusers saved, or its file of weights beside config.json, is a UNet2DModel: config.json tells the network.
Where that is not this U-Net, the error lists what it has otherwise. The scheduler of a pipeline says what the network
predicts and when; flags go before it.

Shapes tell other networks but for the flags below. To train on from such a file, train --init takes it as it is.`

func (a *app) newModelImport() *cobra.Command {
	var o convert.ImportOptions
	cmd := &cobra.Command{
		Use: "import PATH [flags]", Short: "Make a model of PyTorch's weights", Long: modelImportHelp,
		Example: "  fmimg model import unet.pt --size 32 --heads 4 --out unet.safetensors\n" +
			"  fmimg model import last.ckpt --part ema_model --size 28 --classes 0,1,2,3,4,5,6,7,8,9 --out digits.safetensors\n" +
			"  fmimg model import ddpm-cat/ --out cat.safetensors                  a pipeline of diffusers says what it predicts",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one file of weights: see %s --help", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := positive(cmd, "size", "heads", "head-channels", "norm-groups", "time-scale"); err != nil {
				return err
			}
			show := a.newReporter(false)
			o.File, o.OnEvent = args[0], show.event
			err := convert.Import(o)
			show.close()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, o.Out)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Out, "out", "", "`file` to write (needed)")
	f.Var(sizeValue{&o.Size}, "size", "`size` of the images in pixels, a side or WIDTHxHEIGHT (needed, but where config.json has one)")
	f.StringVar(&o.Part, "part", "", "`network` to take, where the file holds several (default the averages, where one is called ema)")
	f.IntVar(&o.Heads, "heads", 0, "`number` of attention heads (default 1)")
	f.IntVar(&o.HeadChannels, "head-channels", 0, "`number` of channels of an attention head, in place of --heads (guided diffusion's num_head_channels)")
	f.BoolVar(&o.NewAttentionOrder, "new-attention-order", false, "queries, keys and values of all heads stand one after another (guided diffusion's use_new_attention_order)")
	f.IntVar(&o.NormGroups, "norm-groups", 0, "`groups` of each group norm (default 32)")
	f.Float64Var(&o.TimeScale, "time-scale", 0, "`factor` on t in [0,1] before its embedding (default 1; of diffusers 1000)")
	f.Var(timesValue{&o.Times}, "times", "`times` NOISE,IMAGE of the network, in place of --time-scale: 999,-1 for diffusion models; where they fall, a velocity is that towards noise")
	f.StringSliceVar(&o.Classes, "classes", nil, "`names` of the classes, joined by commas; one less than the network has: its last class is no class (default 0, 1, …)")
	f.StringVar(&o.Path, "path", "", "`path` from noise to data that it was trained on: linear, linear-power(N), cosine, vp or vp(BMIN,BMAX) (default as a scheduler says, else linear)")
	nameVar(f, &o.Objective, "predicts", "", "`what` the network predicts: velocity, noise or data (default as a scheduler says, else velocity)")
	f.BoolVar(&o.Half, "float16", false, "round the weights to float16")
	return cmd
}

func (a *app) showModel(path string, asJSON, tensors bool) error {
	info, err := model.Describe(path)
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(info)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, line := range info.Lines(flags{}) {
		fmt.Fprintf(w, "%s\t%s\n", line[0], harmless(line[1]))
	}
	if err := w.Flush(); err != nil || !tensors {
		return err
	}
	w = tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, t := range info.List {
		fmt.Fprintf(w, "%s\t%s\t%v\n", harmless(t.Name), t.Type, t.Shape)
	}
	return w.Flush()
}
