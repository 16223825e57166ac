package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/fmimg/fmimg/bijection"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/realnvp"
)

// validateFlow checks the options of a normalizing flow. It refuses options of flow matching, which
// would have no effect.
func (o *Options) validateFlow() error {
	d := Options{}.WithDefaults()
	for _, other := range []struct {
		option       string
		value, usual any
	}{
		{"path", o.Path, d.Path}, {"loss-weight", o.LossWeight, model.FlowObjective},
		{"time-dist", o.TimeDist, d.TimeDist}, {"paired", o.Paired, d.Paired},
		{"init", o.Init, d.Init}, {"heads", o.Heads, d.Heads},
		{"norm-groups", o.NormGroups, d.NormGroups}, {"time-scale", o.TimeScale, d.TimeScale},
	} {
		if other.value != other.usual {
			return option.Errorf(other.option, other.value,
				"a normalizing flow (objective %s) has nothing of the kind: leave it out",
				model.FlowObjective)
		}
	}
	if _, err := o.InF32(flowComputes); err != nil {
		return err
	}
	if o.LabelDrop != d.LabelDrop && o.LabelDrop > 0 {
		return option.Errorf("label-drop", o.LabelDrop,
			"a normalizing flow (objective %s) takes no class: leave it out", model.FlowObjective)
	}
	if slices.Contains(o.Given, "dequantize") && !o.Dequantize {
		return option.Errorf("dequantize", false,
			"only bytes that are spread have a density, which objective %s learns: leave it out", model.FlowObjective)
	}
	if slices.Contains(o.Given, "coupling") {
		return option.Errorf("coupling", o.Coupling,
			"a normalizing flow (objective %s) pairs no noise with images: leave it out", model.FlowObjective)
	}
	if o.Conditional == ConditionalYes {
		return option.Errorf("conditional", "yes",
			"a normalizing flow (objective %s) takes no class: use auto or no", model.FlowObjective)
	}
	if o.Network != nil {
		return option.Errorf("network", nil,
			"is one of velocities, and objective %s trains a normalizing flow", model.FlowObjective)
	}
	return nil
}

// resolveFlow settles the normalizing flow, and what depends on it, for the data at hand. Only
// dequantised bytes have a density.
func (o *Options) resolveFlow(data dataset.Source) error {
	o.Conditional, o.LabelDrop, o.Dequantize = ConditionalNo, option.None, true
	h, w, c := data.Shape()
	if o.Flow == nil {
		cfg, err := realnvp.Preset(o.Preset, h, w, c)
		if err != nil {
			return option.Of("preset", err)
		}
		o.Flow = &cfg
	}
	if err := o.Flow.Validate(); err != nil {
		return fmt.Errorf("no %s normalizing flow can be trained on %s (%dx%d, %s): %w",
			o.Preset, o.Data, w, h, text.Count(c, "channel", "channels"), err)
	}
	if o.Flow.ImageSize != [2]int{h, w} || o.Flow.Channels != c {
		return fmt.Errorf("the normalizing flow takes images of %dx%d with %s, those of %s have %dx%d with %d",
			o.Flow.ImageSize[1], o.Flow.ImageSize[0], text.Count(o.Flow.Channels, "channel", "channels"),
			o.Data, w, h, c)
	}
	return nil
}

// flowComputes begins the sentence that says in which precision.
var flowComputes = fmt.Sprintf("a normalizing flow (objective %s) computes", model.FlowObjective)

// A fitLesson is maximum likelihood: a normalizing flow learns the density of images.
type fitLesson struct{}

// resolve implements [lesson].
func (*fitLesson) resolve(r *training, _ kernels.ISA) error {
	r.Settings.Precision = kernels.F32.String()
	return r.options.resolveFlow(r.data)
}

// layers implements [lesson].
func (*fitLesson) layers(o *Options) run.LayerShapes { return run.LayerShapes{Convs: o.Flow.Convs()} }

// labelled implements [lesson].
func (*fitLesson) labelled() bool { return false }

// about implements [lesson].
func (*fitLesson) about(*Options) lessonText {
	return lessonText{
		network: "normalizing flow", method: "Maximum likelihood", by: "by maximum likelihood, a normalizing flow,",
		loss: "bits per dimension of dequantised images",
	}
}

// meta implements [lesson].
func (*fitLesson) meta(m *model.Meta, _ *Options) { m.Path = "" }

// build implements [lesson].
func (l *fitLesson) build(r *training, isa kernels.ISA) error {
	feed := r.newFeed()
	net, err := l.makeModel(r, isa, feed)
	if err != nil {
		return err
	}
	r.SetNetwork(&model.NormalizingFlow{Model: net}, model.Plan{})
	r.Validated = r.heldOut != nil
	fit := &fitting{feed: feed, seed: r.Settings.Seed, batch: r.Settings.Batch, held: r.heldOut}
	var drawers []model.Drawer
	for range r.Workers() {
		one := &fitter{
			fitting: fit, flow: net.NewReplica(r.Settings.MicroBatch, true), imageLen: r.Images.Len(),
			x: make([]float32, r.Settings.MicroBatch*r.Images.Len()), logp: make([]float64, r.Settings.MicroBatch),
		}
		r.Tasks, drawers = append(r.Tasks, one), append(drawers, model.NewPassDrawer(one.flow, r.Images.Len()))
	}
	r.DrawBy(drawers)
	r.PrepareBy(fit.prepare)
	return nil
}

// makeModel makes the model with its first weights. A resumed run reads its weights later.
func (*fitLesson) makeModel(r *training, isa kernels.ISA, f *feed.Feed) (*realnvp.Model, error) {
	if r.Settings.Resume {
		return realnvp.New(*r.options.Flow, isa, nil)
	}
	var pcg rand.PCG
	pipeline.Seed(&pcg, r.Settings.Seed, pipeline.StreamInit, 0, 0)
	model, err := realnvp.New(*r.options.Flow, isa, rand.New(&pcg))
	if err == nil {
		initialise(model, f, r.Settings.Batch)
	}
	return model, err
}

// Activation norms are set from about initialPixels pixels, in some images of the first batch. The
// number bounds the memory of their maps.
const (
	initialPixels = 1 << 15
	leastInitial  = 8  // images
	mostInitial   = 64 // images
)

// initialise sets the activation norms of a flow from the first batch.
func initialise(model *realnvp.Model, f *feed.Feed, batch int) {
	var rng rand.PCG
	side, size := model.Config().ImageSize, model.Config().ImageLen()
	n := min(batch, mostInitial, max(initialPixels/(side[0]*side[1]), leastInitial))
	x := make([]float32, n*size)
	f.Prepare(0, batch)
	for i := range n {
		f.Image(&rng, 0, i, x[i*size:(i+1)*size])
	}
	model.NewReplica(n, false).Initialise(x, n)
	model.Repack(0, 1)
}

// A fitting is what the workers of a run by maximum likelihood share.
type fitting struct {
	feed  *feed.Feed
	seed  uint64
	batch int
	held  dataset.Source // for the validation loss; nil for none
}

// prepare readies the batch of a step.
func (f *fitting) prepare(_ context.Context, step int) error {
	f.feed.Prepare(step, f.batch)
	return nil
}

// A fitter is the task of maximum likelihood. It computes the gradient of one micro-batch at a
// time, in buffers of its own.
type fitter struct {
	*fitting
	flow     *realnvp.Replica
	rng      rand.PCG
	imageLen int
	x        []float32 // [micro, H, W, C]
	logp     []float64 // [micro]
}

// Gradient implements [engine.Task]. The loss is the mean over the batch of −log₂ p/d, where p is
// the density of bytes: bits per dimension.
func (w *fitter) Gradient(grad []float32, step, first, n int) float64 {
	for i := range n {
		w.feed.Image(&w.rng, step, first+i, w.slot(i))
	}
	return w.bits(w.flow.Gradient(grad, w.x[:n*w.imageLen], n, w.share()), n) / float64(w.batch)
}

// share returns the weight of an image's −log p in the loss.
func (w *fitter) share() float64 { return 1 / (float64(w.batch*w.imageLen) * math.Ln2) }

// bits returns the sum of the bits per dimension of n images. nats is the sum of −log p.
func (w *fitter) bits(nats float64, n int) float64 {
	return float64(n) * bijection.BitsPerDimension(-nats/float64(n), w.imageLen, dataset.BitsOfScale)
}

// slot returns the image of slot i.
func (w *fitter) slot(i int) []float32 { return w.x[i*w.imageLen : (i+1)*w.imageLen] }

// Probe implements [run.Task].
func (w *fitter) Probe(grad []float32) {
	clear(w.x)
	w.flow.Gradient(grad, w.x, len(w.logp), 0)
}

// Validate implements [run.Task].
func (w *fitter) Validate(first, n int) float64 {
	for i := range n {
		feed.HeldImage(w.held, w.seed, first+i, true, &w.rng, w.slot(i))
	}
	w.flow.LogProb(w.logp[:n], w.x[:n*w.imageLen])
	return w.bits(-inorder.Sum(w.logp[:n]), n)
}
