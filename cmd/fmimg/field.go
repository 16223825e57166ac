package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/field"
)

const fieldHelp = `Evaluate a network's velocity v(x, t, y) on tensors of your own, to compare it with another implementation.

The input is a safetensors file with x [N,C,H,W] and t [N] as floats and, for a network with classes, y [N] as
int64. The output holds v [N,C,H,W]. With --grad the input also holds target [N,C,H,W], and the output loss, the
mean of (v-target)² over all numbers, and its gradients: grad.x, and grad.PARAMETER for each parameter.

Where the network predicts noise or data, v is the velocity that follows from that, and the output holds prediction
too, which is what the target and the gradients are about then.`

const fieldExample = `  fmimg field --model model.safetensors --in tensors.safetensors --out v.safetensors
  fmimg field --model runs/mnist --in tensors.safetensors --out v.safetensors --grad --isa generic`

func (a *app) newField() *cobra.Command {
	var o field.Options
	cmd := &cobra.Command{
		Use: "field --in FILE --out FILE [flags]", Short: "Evaluate a network on tensors from a file", Long: fieldHelp, Example: fieldExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.field(cmd, o) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	modelFlag(f, &o.Model, elseNone)
	f.StringVar(&o.In, "in", "", "safetensors `file` with x, t and, where needed, y and target (needed)")
	f.StringVar(&o.Out, "out", "", "safetensors `file` to write (needed)")
	f.BoolVar(&o.Grad, "grad", false, "also write the loss against target and its gradients")
	networkFlags(f, &o.Threads, &o.Arithmetic)
	return cmd
}

func (a *app) field(cmd *cobra.Command, o field.Options) error {
	if err := positive(cmd, "threads"); err != nil {
		return err
	}
	result, err := field.Evaluate(cmd.Context(), o)
	if err != nil {
		return err
	}
	loss := ""
	if o.Grad {
		loss = fmt.Sprintf(", loss %.8g", result.Loss)
	}
	fmt.Fprintf(a.stderr, "wrote %s: %s through %s%s\n", result.Path, text.Count(result.Images, "image", "images"), result.Model, loss)
	return nil
}
