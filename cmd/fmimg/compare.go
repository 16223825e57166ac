package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/compare"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
)

const methodsHelp = `Train five ways to learn a distribution on the same points of the plane, each for about the same time, and draw
what they learned beside what it cost:

  normalizing-flow   invertible layers, trained by likelihood
  cnf                a continuous normalizing flow: an ODE, trained by likelihood through its solver
  flow-matching      an ODE, trained by regression on the velocity of straight lines from noise to data
  flow-matching-ot   the same, with noise and data paired by optimal transport
  diffusion          regression on the noise, on the variance-preserving path

The picture shows densities, samples, and ways from noise to data. Log-likelihoods are means over held-out points, in nats; the
energy distance is that of samples to held-out points. The numbers of steps are fixed, so a seed gives the same numbers, but
for the seconds, for any --threads. Points of your own are standardised first, and so are the numbers.`

const methodsExample = `  fmimg compare --data checkerboard --out compare.png
  fmimg compare --data moons --budget 0.1 --out quick.png
  fmimg compare --data points.csv --out compare.png --json`

// compareFlags are the flags of compare that are not options of the comparison.
type compareFlags struct {
	out  string
	isa  string
	json bool
}

func (a *app) newCompare() *cobra.Command {
	var o compare.Options
	var x compareFlags
	cmd := &cobra.Command{
		Use:   "compare --data NAME --out FILE.png [flags]",
		Short: "Compare ways to learn a distribution, in one picture", Long: methodsHelp, Example: methodsExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compare(cmd, o, x) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Data, "data", "", "`points`: "+strings.Join(compare.Names(), ", ")+", or a .csv file of two columns (needed)")
	f.StringVar(&x.out, "out", "", "PNG `file` to draw into")
	f.Float64Var(&o.Budget, "budget", o.WithDefaults().Budget, "`factor` on the training of each method")
	f.IntVar(&o.Samples, "samples", 0, "`number` of points to draw, and of the 4000 held-out ones to measure (default 4000)")
	f.IntVar(&o.Resolution, "resolution", 0, "`cells` on a side of the densities in the picture (default 110)")
	f.Uint64Var(&o.Seed, "seed", defaultSeed, "`seed` of points, networks and draws")
	computeFlags(f, &o.Threads, &x.isa)
	f.BoolVar(&x.json, "json", false, "write one JSON object")
	return cmd
}

func (a *app) compare(cmd *cobra.Command, o compare.Options, x compareFlags) error {
	if err := positive(cmd, "budget", "samples", "resolution", "threads"); err != nil {
		return err
	}
	switch {
	case x.out == "" && !x.json:
		return usagef("--out is needed, such as --out compare.png, or --json for the numbers alone")
	case x.out != "" && !strings.HasSuffix(strings.ToLower(x.out), ".png"):
		return usagef("--out %s: its name must end in .png", x.out)
	}
	if x.out != "" {
		if err := atomicfile.Probe(x.out); err != nil {
			return err
		}
	}
	err := o.Validate()
	if err != nil {
		return err
	}
	if o.ISA, err = pipeline.ParseISA(x.isa); err != nil {
		return err
	}
	show := a.newReporter(false)
	o.Report = func(r compare.Report) { show.event(comparisonEvent(r)) }
	result, err := compare.Run(cmd.Context(), o)
	show.close()
	if err != nil {
		return err
	}
	if x.out != "" {
		if err := atomicfile.Write(x.out, result.WritePNG); err != nil {
			return err
		}
	}
	if x.json {
		return json.NewEncoder(a.stdout).Encode(result)
	}
	return writeComparison(a.stdout, result)
}

// comparisonEvent turns a report into an event for the reporters.
func comparisonEvent(r compare.Report) pipeline.Event {
	if r.Row == nil {
		return pipeline.Event{Kind: pipeline.Stepped, Step: r.Step, Total: r.Steps, Text: r.Method}
	}
	text := fmt.Sprintf("%s: %s in %.1f s, log-likelihood %.3f", r.Method, text.Count(r.Row.Steps, "step", "steps"), r.Row.Seconds, r.Row.LogLikelihood)
	return pipeline.Event{Kind: pipeline.Noted, Text: text}
}

// writeComparison writes a table of the methods.
func writeComparison(w io.Writer, c *compare.Comparison) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s, seed %d\n\n", harmless(c.Data), c.Seed)
	fmt.Fprintf(t, "\tlog-likelihood\tsteps\tms a step\tevaluations\tenergy distance\n")
	for _, r := range c.Rows {
		fmt.Fprintf(t, "%s\t%.3f ± %.3f\t%d\t%.3g\t%.3g\t%.4f\n", r.Method, r.LogLikelihood, r.LogError, r.Steps, 1000*r.SecondsPerStep, r.Evaluations, r.EnergyDistance)
	}
	fmt.Fprintf(t, "the truth\t%s\t\t\t\t%.4f\n", figure("%.3f", c.Truth.LogLikelihood), c.Truth.EnergyDistance)
	return t.Flush()
}
