package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/pipeline/model"
)

const modelShowHelp = `Show what a model is: its network, what it was trained on and for how long, its classes, its hash. The model
is a run folder, a safetensors file, or mnist or mnist-fast, which are part of the program. Of weights that PyTorch saved it
shows what their shapes tell.`

func (a *app) newModel() *cobra.Command {
	cmd := &cobra.Command{
		Use: "model", Short: "Look into models, pass them on",
		Example: "  fmimg model show runs/mnist\n  fmimg model export runs/mnist --float16 --out digits.safetensors",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newModelShow(), a.newModelExport())
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
with weights rounded to 11 bits.`

func (a *app) newModelExport() *cobra.Command {
	var from, out string
	var half bool
	cmd := &cobra.Command{
		Use: "export [MODEL] --out FILE [flags]", Short: "Write a model to a file of its own", Long: modelExportHelp,
		Example: "  fmimg model export runs/mnist --float16 --out digits.safetensors",
	}
	a.modelArgument(cmd, &from, elseNone, func() error {
		if err := model.Export(from, out, half); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.stdout, out)
		return err
	})
	cmd.Flags().StringVar(&out, "out", "", "safetensors `file` to write (needed)")
	cmd.Flags().BoolVar(&half, "float16", false, "round the weights to float16")
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
