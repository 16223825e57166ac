package likelihood

import (
	"context"
	"math"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// A Gauge finds how likely images in memory are under a model. Several goroutines may use it at
// once.
type Gauge struct {
	ck     *model.Checkpoint
	opt    Options
	method model.DensityMethod // with the defaults of the model
	model  model.DensityModel
	class  Class // which density is measured; "" for a model without classes
}

// NewGauge makes the gauge of a model, which computes in float32. It uses the options Class,
// Samples, Seed, and the method. A mistake is an [*pipeline.OptionError].
func NewGauge(ck *model.Checkpoint, o Options) (*Gauge, error) {
	o = o.WithDefaults()
	if err := o.validateMethod(); err != nil {
		return nil, err
	}
	g, err := newGauge(ck, o)
	if err != nil {
		return nil, err
	}
	err = g.settleClass(false, false)
	return g, err
}

// newGauge is NewGauge but for the class.
func newGauge(ck *model.Checkpoint, o Options) (*Gauge, error) {
	density, err := ck.DensityModel(ck.Path, o.DensityMethod)
	if err != nil {
		return nil, err
	}
	return &Gauge{ck: ck, opt: o, method: density.Method(), model: density}, nil
}

// Method returns how densities are found, with the defaults of the model.
func (g *Gauge) Method() model.DensityMethod { return g.method }

// settleClass decides which density is measured, see [Options]. labelled says that all images have
// classes of the model, and compared that there are images of two sets.
func (g *Gauge) settleClass(labelled, compared bool) error {
	labels, class, name := g.ck.Labels(), g.opt.Class, model.ModelName(g.ck.Path)
	if labels.Rows() == 0 {
		if class != "" {
			return option.Errorf("class", class, "%s takes no class", name)
		}
		return nil
	}
	switch {
	case class == "" && labelled && !compared:
		class = LabelClass
	case class == "" && labels.Null:
		class = NoClass
	case class == "":
		class = AllClasses
	case class == LabelClass && compared:
		return option.Errorf("class", "label", "images of other data have other classes: compare under none or all")
	case class == LabelClass && !labelled:
		return option.Errorf("class", "label", "not every image has a class of the model's: use none or all")
	case class == NoClass && !labels.Null:
		return option.Errorf("class", "none", "%s always needs a class: use label or all", name)
	}
	g.class = class
	return nil
}

// divergence names how the divergence is found.
func (g *Gauge) divergence() string {
	if g.method.Exact {
		return "exact"
	}
	return "hutchinson"
}

// Notes say what to know about the results.
func (g *Gauge) Notes() []pipeline.Event {
	var notes []pipeline.Event
	if !g.ck.Meta.Dequantized {
		notes = append(notes, pipeline.Note("the model was not trained with %v: its density lies between the bytes too, "+
			"or at them alone, and its bits say little", option.Setting{Option: "dequantize"}))
	}
	if !g.method.Exact && (g.opt.Samples > 1 || g.class == AllClasses) {
		notes = append(notes, pipeline.Note("a mean of densities is raised by the noise of the probes: "+
			"compare with more %v, or take %v", option.Setting{Option: "probes"}, option.Setting{Option: "exact"}))
	}
	return notes
}

// An Image is an image whose likelihood is measured.
type Image struct {
	// Index is the key of the random numbers, under the seed.
	Index int
	// Class is the image's class, as a row of the label embedding, for a gauge of [LabelClass], and
	// for others in place of what they measure; -1: none.
	Class int32
	// Set sets x to the pixels, [H, W, C] in [-1, 1].
	Set func(x []float32)
}

// Measure finds the likelihood of an image. It has an estimator of its own.
func (g *Gauge) Measure(ctx context.Context, image Image) (ImageReport, error) {
	tasks := g.tasks(image)
	size := min(sample.ReplicaImages, len(tasks))
	w := g.newWorker(ctx, size)
	for from := 0; from < len(tasks); from += size {
		if _, err := w.solve(ctx, tasks[from:min(from+size, len(tasks))]); err != nil {
			return ImageReport{}, err
		}
	}
	report := ImageReport{Index: image.Index}
	report.measure(tasks, g.ck.Shape().Len())
	return report, nil
}

// tasks returns the solutions that the likelihood of an image takes.
func (g *Gauge) tasks(image Image) []scoreTask {
	var tasks []scoreTask
	rows, weights := g.rows(image.Class)
	for draw := range g.opt.Samples {
		for k, class := range rows {
			task := scoreTask{image: image, sample: draw, class: class, logp: make([]float64, max(g.method.Probes, 1))}
			if weights != nil {
				task.weight = weights[k]
			}
			tasks = append(tasks, task)
		}
	}
	return tasks
}

// rows returns the classes under which an image of a class is measured, as rows of the label
// embedding. The weights are logarithms of how much each counts, relative to the mean; nil where
// all count the same.
func (g *Gauge) rows(class int32) (rows []int32, weights []float64) {
	switch {
	case g.class == "":
		return []int32{-1}, nil
	case class >= 0:
		return []int32{class}, nil
	case g.class == NoClass:
		return []int32{g.ck.Labels().NullRow()}, nil
	}
	all := g.ck.Meta.RowDraw(g.ck.Labels())
	for _, share := range all.Shares {
		weights = append(weights, math.Log(share*float64(len(all.Rows))))
	}
	return all.Rows, weights
}
