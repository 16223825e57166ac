package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/likelihood"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

const likelihoodHelp = `Measure how likely images are under a model: log p(x) by the change of variables along the flow.

Each image is carried back to noise by the solver, and the divergence of the velocity is integrated beside it:
log p(x) = log N(x0) - integral of div v. The divergence is estimated with random signs (Hutchinson), one backward
pass for each of --probes, or found exactly (--exact: one for each dimension, 784 for a digit).

Bytes b are spread over their width first, (b+u)/128 - 1 with u uniform on [0,1), and the bits are those of bytes:
bits/dim = -ln p(x)/(d ln 2) + 7, an upper bound of -log2 P(bytes)/d. The model must have been trained on such
data (fmimg train --dequantize). --samples K takes the mean density of K such u, a tighter (importance-weighted) bound,
for which the noise of the probes must be small: take --exact or many --probes.

A model with classes has several densities. --class label measures log p(x|y) of each image's class (the default),
none that of no class, which the network has learned beside them, all log p(x) = log of the mean of p(x|y) over all
classes, as frequent as in the training data, which takes as many times as long.

--against NAME measures other images too, and says how well likelihood tells them apart: AUROC is the share of pairs,
one image of each, in which that of --data is the likelier.`

const likelihoodExample = `  fmimg likelihood --model runs/density --count 1000
  fmimg likelihood --model runs/density --probes 4 --scores scores.csv --out extremes.png
  fmimg likelihood --model runs/density --count 8 --exact --samples 16 --json
  fmimg likelihood --model runs/density --against fashion-mnist`

// likelihoodFlags are the flags of likelihood that need more than to be copied into an option.
type likelihoodFlags struct {
	out, scores string
	json        bool
}

func (a *app) newLikelihood() *cobra.Command {
	var o likelihood.Options
	usual := o.WithDefaults()
	usual.DensityMethod = usual.DensityMethod.WithDefaults()
	var x likelihoodFlags
	cmd := &cobra.Command{
		Use: "likelihood [flags]", Short: "Measure how likely images are under a model", Long: likelihoodHelp, Example: likelihoodExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.likelihood(cmd, o, x) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	modelFlag(f, &o.Model, elseMNIST)
	f.StringVar(&o.Data, "data", "", "images to measure, those that training does not see, of this `data` (default what the model was trained on)")
	f.StringVar(&o.Against, "against", "", "other `data` whose images to tell from those")
	f.IntVar(&o.Count, "count", usual.Count, "`number` of images of each")
	nameVar(f, &o.Class, "class", "",
		"`which` density of a model with classes: label, none or all (default label; with --against none)")
	f.BoolVar(&o.Exact, "exact", false, "find the divergence exactly, instead of estimating it")
	f.IntVar(&o.Probes, "probes", 0, "`number` of random directions of its estimate (default 1)")
	f.IntVar(&o.Samples, "samples", usual.Samples,
		"`number` of draws of the dequantisation noise whose mean density is taken")
	f.StringVar(&o.Solver, "solver", usual.Solver,
		"`method`: dopri5 with steps of its own size, or euler, midpoint, heun, rk4, adams2, abm2")
	f.IntVar(&o.Steps, "steps", usual.Steps, "`number` of steps of the others")
	f.Float64Var(&o.Tol, "tol", usual.Tol, "`error` that dopri5 allows a step")
	f.Uint64Var(&o.Seed, "seed", defaultSeed, "`seed` of the dequantisation and the directions")
	f.StringVar(&x.out, "out", "", "draw the likeliest and the least likely images into a PNG `file`")
	f.StringVar(&x.scores, "scores", "", "write a line for each image into a CSV `file`")
	computeFlags(f, &o.Threads, &o.ISA)
	f.BoolVar(&x.json, "json", false, "write one JSON object")
	return cmd
}

func (a *app) likelihood(cmd *cobra.Command, o likelihood.Options, x likelihoodFlags) error {
	if err := checkLikelihood(cmd, o, x); err != nil {
		return err
	}
	if err := a.lead(x.probe); err != nil {
		return err
	}
	// A normalizing flow refuses settings that were given, but not the defaults of other models.
	for flag, reset := range map[string]func(){"solver": func() { o.Solver = "" }, "steps": func() { o.Steps = 0 }, "tol": func() { o.Tol = 0 }} {
		if !cmd.Flags().Changed(flag) {
			reset()
		}
	}
	show := a.newReporter(false)
	o.OnEvent, o.Ranks = show.event, a.ranks
	result, err := likelihood.Measure(cmd.Context(), o)
	show.close()
	if err != nil || !a.leads() {
		return err
	}
	if x.json {
		err = json.NewEncoder(a.stdout).Encode(result)
	} else {
		err = writeLikelihood(a.stdout, result)
	}
	if err == nil && x.out != "" {
		a.noteJoin(x.out, result.Data, o.Data, o.Against)
		err = atomicfile.Write(x.out, result.WriteExtremes)
	}
	if err == nil && x.scores != "" {
		err = atomicfile.Write(x.scores, result.WriteScores)
	}
	return err
}

// checkLikelihood refuses flags that would do nothing.
func checkLikelihood(cmd *cobra.Command, o likelihood.Options, x likelihoodFlags) error {
	if err := positive(cmd, "count", "probes", "samples", "steps", "tol", "threads"); err != nil {
		return err
	}
	sample := sample.Options{Method: model.Method{Solver: o.Solver, Steps: o.Steps, Tol: o.Tol, Guidance: 1}}
	if err := checkSolver(cmd, &sample, "", ""); err != nil {
		return err
	}
	for _, file := range []struct{ flag, name, ending string }{{"out", x.out, ".png"}, {"scores", x.scores, ".csv"}} {
		if file.name == "" {
			continue
		}
		if !strings.HasSuffix(strings.ToLower(file.name), file.ending) {
			return usagef("--%s %s: its name must end in %s", file.flag, file.name, file.ending)
		}
	}
	return nil
}

// probe tries whether the output files can be written.
func (x likelihoodFlags) probe() error {
	for _, name := range []string{x.out, x.scores} {
		if name == "" {
			continue
		}
		if err := atomicfile.Probe(name); err != nil {
			return err
		}
	}
	return nil
}

// writeLikelihood writes the result for a person.
func writeLikelihood(w io.Writer, l *likelihood.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	divergence := l.Divergence
	if l.Probes > 0 {
		divergence += ", " + text.Count(l.Probes, "probe", "probes")
	}
	fmt.Fprintf(t, "%s: divergence %s; %s, %s; seed %d\n\n", harmless(l.Model), divergence, l.Solver, evaluations(l.Evaluations), l.Seed)
	row := func(what string, set *likelihood.SetReport) {
		probes := ""
		if set.ProbeError != nil {
			probes = fmt.Sprintf(", of which probes %.4f", *set.ProbeError)
		}
		spread := "" // of one image there is none
		if set.Count > 1 {
			spread = fmt.Sprintf("\tstandard error %.4f", set.StandardError)
		}
		fmt.Fprintf(t, "%s\t%s of %s\t%.4f bits/dim%s%s\n", what, text.Count(set.Count, "image", "images"), harmless(set.Data), set.BitsPerDimension, spread, probes)
	}
	density := map[likelihood.Class]string{
		"": "log p(x)", likelihood.LabelClass: "log p(x|label)", likelihood.NoClass: "log p(x|no class)",
		likelihood.AllClasses: "log p(x), all classes",
	}[l.Class]
	row(density, &l.SetReport)
	if l.Against != nil {
		row("against", l.Against)
		fmt.Fprintf(t, "AUROC\t%.4f\t\n", *l.AUROC)
		fmt.Fprintf(t, "told apart\t%.2f %% of the images\t\n", 100**l.ToldApart)
	}
	return t.Flush()
}
