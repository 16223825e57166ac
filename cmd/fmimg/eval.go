package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline/evaluate"
)

const evalHelp = `Measure how good generated images are: those of a model, or any in a folder, a .zip or a .npy file.

Features that a small classifier finds in them are compared with those of real test images, and so are as many
real training images, the floor: a perfect generator would score like them.

  FID         Fréchet distance of the features: quality and variety in one number, the smaller the better
  KID         kernel distance, which depends less on the number of images, with its standard error
  precision   share of the images that lie among real ones; recall: share of real ones that lie among them
  agreement   share of the images that the classifier takes for the class that was asked for
  nearest     mean distance in pixels to the nearest training image; well below the floor's means copies

The classifier of MNIST's digits is part of the program; for other data train one by fmimg classifier. Its FID is no
number to compare with those of other classifiers. Where no --class is given, a model draws its classes as often
as the training data has them. With --evaluations FID is measured for each of these numbers of evaluations too.`

const evalExample = `  fmimg eval --model runs/mnist
  fmimg eval --model runs/mnist --count 5000 --steps 10 --quick
  fmimg eval --model runs/mnist --solver euler --evaluations 2,4,8,16,32 --chart fid.png
  fmimg eval --images drawn/ --classes 0-9 --data mnist --json
  fmimg eval --model runs/clothes --classifier clothes.safetensors`

// evalFlags are the flags of eval that need more than to be copied into an option.
type evalFlags struct {
	chart string
	json  bool
}

func (a *app) newEval() *cobra.Command {
	var o evaluate.Options
	var x evalFlags
	cmd := &cobra.Command{
		Use: "eval [flags]", Short: "Measure how good generated images are", Long: evalHelp, Example: evalExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.eval(cmd, o, x) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	modelFlag(f, &o.Model, elseMNIST)
	f.StringVar(&o.Images, "images", "", "measure the images of a `folder`, .zip, .npy or IDX file instead")
	f.StringVar(&o.Classes, "classes", "", "`classes` that --images were asked for in turn, such as 0-9 (default the names of their folders)")
	f.StringVar(&o.Data, "data", "", "real `data` to compare with (default what the model was trained on; mnist for --images)")
	f.StringVar(&o.Classifier, "classifier", "", "`file` of the network whose features are compared (default MNIST's, part of the program)")
	fitVar(f, &o.Fit, "", " (default as the model was trained, else crop)")
	f.IntVar(&o.Count, "count", 0, "`number` of images (default 10000; with --images all)")
	f.BoolVar(&o.Quick, "quick", false, "only FID and classes")
	f.IntSliceVar(&o.NFE, "evaluations", nil, "`numbers` of evaluations to measure FID for, such as 2,4,8,16")
	f.StringVar(&x.chart, "chart", "", "draw FID against evaluations into a PNG `file`")
	sampleFlags(f, &o.Sample)
	networkFlags(f, &o.Sample.Threads, &o.Arithmetic)
	f.BoolVar(&x.json, "json", false, "write one JSON object")
	return cmd
}

func (a *app) eval(cmd *cobra.Command, o evaluate.Options, x evalFlags) error {
	if err := positive(cmd, "count", "steps", "tol", "noise-level", "threads"); err != nil {
		return err
	}
	if err := checkSolver(cmd, &o.Sample, ""); err != nil {
		return err
	}
	switch {
	case x.chart != "" && len(o.NFE) == 0:
		return usagef("--chart %s: it draws what --evaluations measures: add them, such as --evaluations 2,4,8,16", x.chart)
	case x.chart != "" && !strings.HasSuffix(strings.ToLower(x.chart), ".png"):
		return usagef("--chart %s: its name must end in .png", x.chart)
	}
	if o.Images != "" {
		for _, name := range []string{"class", "guidance", "solver", "steps", "tol", "noise-level", "precision"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s: it tells how a model draws, and --images are drawn already: leave one out", name)
			}
		}
	}
	if x.chart != "" {
		if err := atomicfile.Probe(x.chart); err != nil {
			return err
		}
	}
	show := a.newReporter(false)
	o.OnEvent = show.event
	result, err := evaluate.Evaluate(cmd.Context(), o)
	show.close()
	if err != nil {
		return err
	}
	if x.json {
		err = json.NewEncoder(a.stdout).Encode(result)
	} else {
		err = writeEvaluation(a.stdout, result)
	}
	if err != nil || x.chart == "" {
		return err
	}
	a.noteJoin(x.chart, result.Data, result.Images)
	return atomicfile.Write(x.chart, result.WriteChart)
}

// writeEvaluation writes the scores beside those of real images, the floor.
func writeEvaluation(w io.Writer, e *evaluate.Report) error {
	what, how := e.Images, ""
	if e.Model != "" {
		what, how = e.Model, fmt.Sprintf(", %s, %s, seed %d", e.Solver, evaluations(e.Evaluations), e.Seed)
		if e.DrawnIn != "" {
			how += ", in " + e.DrawnIn
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: %s%s; %s of %s\n\n\timages\treal training images\n", harmless(what),
		text.Count(e.Count, "image", "images"), how, text.Count(e.References, "test image", "test images"), harmless(e.Data))
	row := func(name, format string, a, b *float64) {
		if a != nil || b != nil {
			fmt.Fprintf(t, "%s\t%s\t%s\n", name, figure(format, a), figure(format, b))
		}
	}
	percent := "%.2f %%"
	var near, floor *float64
	if e.NearestDistance != nil {
		near, floor = &e.NearestDistance.Mean, &e.Floor.NearestDistance.Mean
	}
	row("FID", "%.3f", e.FID, e.Floor.FID)
	row("KID x 1000", "%.3f", scaled(e.KID, 1000), scaled(e.Floor.KID, 1000))
	row("its standard error", "%.3f", scaled(e.KIDStandardError, 1000), scaled(e.Floor.KIDStandardError, 1000))
	row("precision", percent, scaled(e.Precision, 100), scaled(e.Floor.Precision, 100))
	row("recall", percent, scaled(e.Recall, 100), scaled(e.Floor.Recall, 100))
	row("class agreement", percent, scaled(e.ClassAgreement, 100), scaled(e.Floor.ClassAgreement, 100))
	row("nearest training image", "%.3f", near, nil)
	row("the same of test images", "%.3f", nil, floor)
	row("classes differ by", percent, scaled(e.HistogramDistance, 100), scaled(e.Floor.HistogramDistance, 100))
	row("FID over the floor's", "%.2f", e.FIDRatio, nil)
	row("nearest over real", "%.3f", e.NearestRatio, nil)
	fmt.Fprintf(t, "images of each class\t%s\n", strings.Trim(fmt.Sprint(e.Histogram), "[]"))
	for i, p := range slices.All(e.Curve) {
		if i == 0 {
			fmt.Fprintf(t, "\nevaluations\tFID\tclass agreement\n")
		}
		fmt.Fprintf(t, "%d\t%s\t%s\n", p.Evaluations, figure("%.3f", p.FID), figure(percent, scaled(p.Agreement, 100)))
	}
	return t.Flush()
}

// evaluations counts evaluations, of which an adaptive solver takes a broken number on average.
func evaluations(n float64) string {
	if n == 1 {
		return "1 evaluation"
	}
	return fmt.Sprintf("%.4g evaluations", n)
}

func figure(format string, x *float64) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf(format, *x)
}

func scaled(x *float64, by float64) *float64 {
	if x == nil {
		return nil
	}
	y := *x * by
	return &y
}
