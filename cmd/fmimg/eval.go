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
	"github.com/fmimg/fmimg/pipeline/judge"
)

const evalHelp = `Measure how good generated images are: those of a model, or any in a folder, a .zip or a .npy file.

Features that small networks, the judges, find in them are compared with those of real test images, and so are as
many real training images, the floor: a perfect generator would score like them. Judges differ in kind, because a
setting that is chosen by one judge flatters this judge. The first one has these scores:

  FID         Fréchet distance of the features: quality and variety in one number, the smaller the better
  KID         kernel distance, which depends less on the number of images, with its standard error
  precision   share of the images that lie among real ones; recall: share of real ones that lie among them
  agreement   share of the images that the classifier takes for the class that was asked for
  nearest     mean distance in pixels to the nearest training image; well below the floor's means copies

Then each judge has a line: its Fréchet distance and its sliced Wasserstein distance, which sees whole distributions
and not their means and variances alone; both beside the floor's, and their ratio with its standard error, by the
bootstrap. The last line has the geometric means of the ratios: compare settings by these.

The judges of MNIST's digits are part of the program: classifier, pooled (another shape, seed and augmentation),
self-supervised (trained without labels) and random (random weights). For other data with classes train two or three
by fmimg classifier, of several kinds and seeds, and give --classifier several times. Without one, the data trains a
self-supervised judge in a minute or two, and classes are not counted. Distances compare within one judge alone;
ratios compare between judges. --kept asks one more judge of digits, which must never be shown a choice: keep it for
figures that are final. --quick asks the first judge only, and leaves out KID, precision, recall, distances in pixels
and the panel; judges that --judges names look all the same.

Pictures without labels need no classifier: the judge self-supervised is trained on the training pictures in a minute
or two, which no score counts as training, and kept in the run folder or in --judge-file; random looks too. Where
fewer than 100 pictures are held out, one half of the training pictures is compared with, and the other is the floor.

copies says whether images are near copies of training images, mirrored ones too. Of all real images, training or held
out, each is the nearest of as many generated images by chance; where training images are it far more often, they are
copied. The share nearer to training images is 0.5 without copies and 1 with nothing else. P is the chance of such
figures without copies, and a judge that nobody trained compares as pixels do.

Where no --class is given, a model draws its classes as often as the training data has them. With --evaluations FID is
measured for each of these numbers of evaluations of the network too, of which a step takes twice as many where
guidance acts.`

const evalExample = `  fmimg eval --model runs/mnist
  fmimg eval --model runs/mnist --count 5000 --steps 10 --quick
  fmimg eval --model runs/mnist --solver euler --evaluations 2,4,8,16,32 --chart fid.png
  fmimg eval --images drawn/ --classes 0-9 --data mnist --json
  fmimg eval --images drawn/ --data sprites/ --image-channels rgba
  fmimg eval --model runs/mnist --judges pooled,random --quick
  fmimg eval --model runs/clothes --classifier clothes.safetensors --classifier clothes-pooled.safetensors`

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
	f.StringArrayVar(&o.Classifiers, "classifier", nil, "`file` of a network whose features are compared; may be given several times (default MNIST's, part of the program)")
	f.StringSliceVar(&o.Judges, "judges", nil, "`names` of the judges that look, the first one finds the classes (default all: classifier, pooled, self-supervised, random; with --classifier the names of the files, and random; for other data self-supervised, random)")
	f.StringVar(&o.JudgeFile, "judge-file", "", "`file` that keeps the judge which data without labels trains (default judge.safetensors in the run folder of --model)")
	f.BoolVar(&o.Kept, "kept", false, "ask the judge that is kept for final figures too: never choose a setting by it")
	f.Var(sizeValue{&o.Size}, "size", "bring --images and --data to this `size`, a side or WIDTHxHEIGHT (default as --data is, its pictures 32)")
	fitVar(f, &o.Fit, "", " (default as the model was trained, else crop)")
	nameVar(f, &o.ImageChannels, "image-channels", "",
		"`colours` in which --images are compared: gray, gray-alpha, rgb, rgba, or auto, as for train (default auto)")
	f.IntVar(&o.Count, "count", 0, "`number` of images (default 10000; with --images all)")
	f.BoolVar(&o.Quick, "quick", false, "only FID and classes, by the first judge")
	f.IntSliceVar(&o.NFE, "evaluations", nil, "`numbers` of evaluations to measure FID for, such as 3,6,12")
	f.StringVar(&x.chart, "chart", "", "draw FID against evaluations into a PNG `file`")
	sampleFlags(f, &o.Sample, &o.Guide)
	networkFlags(f, &o.Sample.Threads, &o.Arithmetic)
	f.BoolVar(&x.json, "json", false, "write one JSON object")
	return cmd
}

func (a *app) eval(cmd *cobra.Command, o evaluate.Options, x evalFlags) error {
	if err := positive(cmd, "count", "size", "guide-share", "guidance-every", "steps", "time-shift", "tol", "noise-level", "threads"); err != nil {
		return err
	}
	if err := checkSolver(cmd, &o.Sample, o.Guide, ""); err != nil {
		return err
	}
	switch {
	case x.chart != "" && len(o.NFE) == 0:
		return usagef("--chart %s: it draws what --evaluations measures: add them, such as --evaluations 3,6,12", x.chart)
	case x.chart != "" && !strings.HasSuffix(strings.ToLower(x.chart), ".png"):
		return usagef("--chart %s: its name must end in .png", x.chart)
	}
	if o.Images != "" {
		for _, name := range []string{"class", "guidance", "guidance-interval", "guidance-every", "guide", "guide-share", "solver", "steps", "time-shift", "tol", "noise-level", "precision"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s: it tells how a model draws, and --images are drawn already: leave one out", name)
			}
		}
	}
	if x.chart != "" {
		if err := a.lead(func() error { return atomicfile.Probe(x.chart) }); err != nil {
			return err
		}
	}
	show := a.newReporter(false)
	o.OnEvent, o.Sample.Ranks = show.event, a.ranks
	result, err := evaluate.Evaluate(cmd.Context(), o)
	show.close()
	if err != nil || !a.leads() {
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
		if e.TimeShift > 0 && e.TimeShift != 1 {
			how += fmt.Sprintf(", time shift %g", e.TimeShift)
		}
		if guidance := e.DescribeGuidance(); guidance != "" {
			how += ", " + harmless(guidance)
		}
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
	if e.Histogram != nil {
		fmt.Fprintf(t, "images of each class\t%s\n", strings.Trim(fmt.Sprint(e.Histogram), "[]"))
	}
	for i, p := range slices.All(e.Curve) {
		if i == 0 {
			fmt.Fprintf(t, "\nevaluations\tFID\tclass agreement\n")
		}
		fmt.Fprintf(t, "%d\t%s\t%s\n", p.Evaluations, figure("%.3f", p.FID), figure(percent, scaled(p.Agreement, 100)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := writeJudges(w, e.Panel, e.Kept); err != nil {
		return err
	}
	return writeLabelFree(w, e)
}

// writeJudges writes a line for each judge, and the geometric means of their ratios.
func writeJudges(w io.Writer, panel *judge.Verdict, kept *judge.Score) error {
	if panel == nil && kept == nil {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\njudge\tFréchet\tfloor\tratio\tsliced Wasserstein\tfloor\tratio\n")
	line := func(name string, s judge.Score) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", harmless(name),
			figure("%.4g", s.Frechet.Value), figure("%.4g", s.Frechet.Floor), withError(s.Frechet.Ratio, s.Frechet.RatioError),
			figure("%.4g", s.Sliced.Value), figure("%.4g", s.Sliced.Floor), withError(s.Sliced.Ratio, s.Sliced.RatioError))
	}
	if panel != nil {
		for _, s := range panel.Judges {
			line(s.Judge, s)
		}
		fmt.Fprintf(t, "geometric mean\t\t\t%s\t\t\t%s\n",
			withError(panel.Frechet.Ratio, panel.Frechet.Error), withError(panel.Sliced.Ratio, panel.Sliced.Error))
	}
	if kept != nil {
		line(kept.Judge+", kept", *kept)
	}
	return t.Flush()
}

// withError writes a ratio and its standard error.
func withError(ratio, standardError *float64) string {
	if standardError == nil {
		return figure("%.3f", ratio)
	}
	return figure("%.3f", ratio) + figure(" ± %.3f", standardError)
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
