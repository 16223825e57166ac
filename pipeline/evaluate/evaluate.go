package evaluate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say which generated images to measure, and against which real ones. The zero value of
// each option is its default.
type Options struct {
	// Model is a run folder or a checkpoint whose images are drawn; empty: the newest run under
	// runs/, else mnist, which is part of the program.
	Model string
	// Images come from anywhere instead of a model: a folder or .zip of pictures, a .npy file, IDX
	// files.
	Images string
	// Classes are those that Images were asked for in turn, such as 0-9; empty: the names of their
	// folders, if any.
	Classes string

	// Data names the real images; empty: what the model was trained on, mnist for Images.
	Data string
	// Classifier is the file of the network whose features are compared; empty: that of MNIST,
	// which is part of the program.
	Classifier string
	// Count is the number of images to draw, or to take of Images; 0: 10000, and all of Images.
	Count int
	// NFE are numbers of evaluations, for the curve of FID against them. It costs as many more
	// drawings.
	NFE []int
	// Quick measures only FID and the classes, which takes seconds.
	Quick bool

	// Sample says how images are drawn. Its Count is that of the options, its Threads are those of
	// the whole evaluation.
	Sample sample.Options
	// ISA names the instruction set; empty: the best of this machine.
	ISA string
	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// An Report is how good images are.
type Report struct {
	Model       string  `json:"model,omitempty"`
	Hash        string  `json:"model_hash,omitempty"`
	Images      string  `json:"images,omitempty"` // where they came from instead
	Data        string  `json:"data"`
	Classifier  string  `json:"classifier"` // the data that it was trained on
	Solver      string  `json:"solver,omitempty"`
	Steps       int     `json:"steps,omitempty"`
	Evaluations float64 `json:"evaluations,omitempty"` // of the velocity, of an image on average; twice as many of the network with guidance
	Guidance    float64 `json:"guidance,omitempty"`
	Seed        uint64  `json:"seed"`

	metrics.Scores
	// Floor are the scores of real training images, drawn at random: as many, or all where there are fewer. A generator
	// of the training images' distribution would score like them. Its nearest distance is that of real test images to
	// the training images.
	Floor metrics.Scores `json:"floor"`
	// FIDRatio is the FID over the floor's, where both are of as many images.
	FIDRatio *float64 `json:"fid_over_floor,omitempty"`
	// NearestRatio is the mean distance to the nearest training image over that of real test images: well below 1
	// where training images are copied.
	NearestRatio *float64 `json:"nearest_over_real,omitempty"`

	Curve []CurvePoint `json:"curve,omitempty"`

	DrawSeconds float64 `json:"draw_seconds,omitempty"`
	Seconds     float64 `json:"seconds"`
}

// A CurvePoint is the FID at a number of evaluations.
type CurvePoint struct {
	Evaluations int      `json:"evaluations"`
	FID         *float64 `json:"fid"`
	Agreement   *float64 `json:"class_agreement,omitempty"`
}

const defaultEvaluated = 10000

// WithDefaults fills in what has one default. The method is up to the network.
func (o Options) WithDefaults() Options {
	if o.Images == "" {
		option.SetDefault(&o.Count, defaultEvaluated)
	}
	o.Sample.Count = o.Count
	option.SetDefault(&o.Sample.Threads, runtime.GOMAXPROCS(0))
	return o
}

// validate reports the first option that cannot be used.
func (o *Options) validate() error {
	if o.Images != "" && o.Model != "" {
		return option.Errorf("images", "%s: images are drawn by a model or come from elsewhere: give one of the two", o.Images)
	}
	if o.Images != "" && len(o.NFE) > 0 {
		return option.Errorf("evaluations", "%v: a curve needs a model that draws: leave images out", o.NFE)
	}
	if o.Classes != "" && o.Images == "" {
		return option.Errorf("classes", "%s: they go with images; a model is asked for classes by class", o.Classes)
	}
	if o.Count != 0 {
		if err := option.Between("count", o.Count, minEvaluated, sample.MaxCount); err != nil {
			return err
		}
	}
	if err := o.Sample.Validate(); err != nil {
		return err
	}
	return pipeline.ValidateISA(o.ISA)
}

// minEvaluated is the least number of images that are worth a score: features have 64 numbers.
const minEvaluated = 100

// Evaluate measures generated images: it draws them from a model, or reads them, finds their features by a
// classifier, and compares these with those of real test images. Pixels are rounded to bytes first, as in a
// PNG. A mistake in the options is an [*OptionError].
func Evaluate(ctx context.Context, o Options) (*Report, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	begin := time.Now()
	e := &evaluator{opt: o, out: &Report{Seed: o.Sample.Seed}}
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	defer e.crew.Close()
	for _, part := range []func(context.Context) error{e.readReal, e.scoreFloor, e.scoreGenerated, e.drawCurve} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	e.out.Seconds = time.Since(begin).Seconds()
	return e.out, nil
}

// An evaluator is an evaluation under way.
type evaluator struct {
	opt        Options
	out        *Report
	isa        kernels.ISA
	crew       *crew.Crew
	classifier *classify.Network
	ck         *model.Checkpoint // nil for images from elsewhere
	given      dataset.Source    // those
	set        *dataset.Set      // the real images

	real      *classify.Classification // of test images, as many as are compared
	reference metrics.Gaussian
	labels    []int // of the test images, -1 for none
}

// open opens the model or the images, the classifier and the data, and starts the workers.
func (e *evaluator) open(ctx context.Context) error {
	var err error
	if e.isa, err = kernels.Parse(e.opt.ISA); err != nil {
		return err
	}
	if e.opt.Images == "" {
		if e.ck, err = model.Open(e.opt.Model, e.opt.ISA); err != nil {
			return err
		}
		e.out.Model, e.out.Hash = e.ck.Path, e.ck.Hash
		option.SetDefault(&e.opt.Data, e.ck.Meta.Data)
		if err := e.checkCurve(); err != nil {
			return err
		}
	}
	option.SetDefault(&e.opt.Data, "mnist")
	e.out.Data = e.opt.Data
	if err := e.openClassifier(); err != nil {
		return err
	}
	if err := e.openImages(ctx); err != nil {
		return err
	}
	e.crew = crew.New(e.opt.Sample.Threads)
	e.emit(pipeline.Event{Kind: pipeline.Started, Total: e.opt.Count, Text: e.describe()})
	return nil
}

// checkCurve makes sure that the model can draw with each number of evaluations.
func (e *evaluator) checkCurve() error {
	for _, n := range e.opt.NFE {
		if _, err := e.stepsFor(n); err != nil {
			return err
		}
	}
	return nil
}

// stepsFor returns the number of steps in which the model evaluates its network so many times.
func (e *evaluator) stepsFor(evaluations int) (int, error) {
	return e.ck.StepsFor(e.ck.Path, evaluations, e.opt.Sample.Method)
}

// openClassifier reads the network of the features.
func (e *evaluator) openClassifier() error {
	var err error
	if e.opt.Classifier == "" {
		e.classifier, err = classify.EmbeddedMNIST(e.isa)
		return err
	}
	file, err := os.Open(e.opt.Classifier)
	if err != nil {
		return fmt.Errorf("classifier: %w: train one by fmimg classifier", err)
	}
	defer file.Close()
	if e.classifier, err = classify.Read(file, e.isa); err != nil {
		return fmt.Errorf("classifier %s: %w", e.opt.Classifier, err)
	}
	return nil
}

// openImages opens the real images and those from elsewhere, in the shape that the classifier takes.
func (e *evaluator) openImages(ctx context.Context) error {
	h, w, c := e.classifier.Shape()
	if e.ck != nil {
		if s := e.ck.Shape(); s != (pipeline.Shape{Height: h, Width: w, Channels: c}) {
			return option.Errorf("classifier", "takes images of %dx%d with %d channels, and the model draws %dx%d with %d: train one for them by fmimg classifier",
				h, w, c, s.Height, s.Width, s.Channels)
		}
	}
	var err error
	if e.set, err = e.openShaped(ctx, e.opt.Data, "data"); err != nil {
		return err
	}
	if err := e.checkTest(); err != nil {
		return err
	}
	if e.opt.Images == "" {
		return e.checkMemory()
	}
	given, err := e.openShaped(ctx, e.opt.Images, "images")
	if err != nil {
		return err
	}
	e.given = given.Train
	e.out.Images = e.opt.Images
	switch n := e.given.Len(); {
	case n < minEvaluated:
		return option.Errorf("images", "%s: it holds %s, and %d are the least that a score says something of", e.opt.Images, text.Count(n, "image", "images"), minEvaluated)
	case e.opt.Count > n:
		return option.Errorf("count", "%d: %s holds %d images", e.opt.Count, e.opt.Images, n)
	case e.opt.Count == 0:
		e.opt.Count = n
	}
	return e.checkMemory()
}

// checkMemory bounds what the images take as numbers.
func (e *evaluator) checkMemory() error {
	h, w, c := e.classifier.Shape()
	if e.opt.Count > sample.MaxElements/(h*w*c) {
		return option.Errorf("count", "%d images of %dx%d are too many to compare at once: at most %d", e.opt.Count, h, w, sample.MaxElements/(h*w*c))
	}
	return nil
}

// checkTest makes sure that there are real images to compare with, which training did not see.
func (e *evaluator) checkTest() error {
	if e.set.Test == nil || e.set.Test.Len() < minEvaluated {
		n := 0
		if e.set.Test != nil {
			n = e.set.Test.Len()
		}
		return option.Errorf("data", "%s: it has %s that training does not see, and %d are the least to compare with: take a larger set", e.opt.Data, text.Count(n, "image", "images"), minEvaluated)
	}
	if e.ck != nil && !e.set.OwnTest && (e.ck.Meta.HoldOut == 0 || e.ck.Meta.Data != e.opt.Data) {
		e.emit(pipeline.Event{Kind: pipeline.Noted, Text: "nobody knows whether the model was trained on the images that it is compared with: the data has no test images of its own"})
	}
	return nil
}

// openShaped opens a data set whose images are brought into the classifier's shape. Of generated
// images, which the role images names, none is held out.
func (e *evaluator) openShaped(ctx context.Context, name, role string) (*dataset.Set, error) {
	r := feed.Request{Option: role, Taker: "the classifier", Reader: feed.Reader{Seed: 1, Threads: e.opt.Sample.Threads, OnEvent: e.opt.OnEvent}}
	r.Data = name
	if role == "images" {
		r.HoldOut = option.None
	} else if e.ck != nil {
		if share, seed, ok := e.ck.Meta.HeldOut(name); ok { // the same images as training held out
			r.HoldOut, r.Seed = share, seed
		}
	}
	r.Shape.Height, r.Shape.Width, r.Shape.Channels = e.classifier.Shape()
	return r.Open(ctx)
}

func (e *evaluator) describe() string {
	what := e.out.Images
	if e.ck != nil {
		what = sample.DescribeCheckpoint(e.ck)
	}
	return fmt.Sprintf("%s: %d images against %s", what, e.opt.Count, e.set.Test.Name())
}

func (e *evaluator) emit(event pipeline.Event) {
	if e.opt.OnEvent != nil {
		e.opt.OnEvent(event)
	}
}

// compute says how package metrics works: on the workers of the crew.
func (e *evaluator) compute(ctx context.Context) metrics.Compute {
	return metrics.Compute{ISA: e.isa, Parallel: func(n int, do func(i int)) error {
		return e.crew.Each(ctx, e.crew.Size(), n, func(_, i int) { do(i) })
	}}
}

// readReal finds the features of the test images.
func (e *evaluator) readReal(ctx context.Context) error {
	all, labels, err := classify.ClassifySource(ctx, e.crew, e.classifier, e.set.Test)
	if err != nil {
		return err
	}
	e.real, e.labels = all, labels
	if r := e.classifier.Reference(); r != nil {
		e.out.Classifier = r.Data
		if e.opt.Classifier == "" && e.opt.Data == r.DataSet() {
			e.reference = r.Gaussian()
			return nil
		}
		if e.opt.Classifier == "" {
			e.emit(pipeline.Event{Kind: pipeline.Noted, Text: fmt.Sprintf("features are those of a classifier of %s: for scores that mean more, train one on %s by fmimg classifier", r.Data, e.opt.Data)})
		}
	}
	var m metrics.Moments
	if err := m.Add(all.Features, e.compute(ctx)); err != nil {
		return err
	}
	e.reference, err = m.Gaussian()
	return err
}

// subset returns n of the indices below total, in an order of the seed's.
func (e *evaluator) subset(n, total int) []int {
	order := dataset.Order(total, e.opt.Sample.Seed, 0)
	index := make([]int, min(n, total))
	for i := range index {
		index[i] = order.At(i)
	}
	return index
}

// scoreFloor measures real training images.
func (e *evaluator) scoreFloor(ctx context.Context) error {
	s := newByteImages(e.set.Train, e.subset(e.opt.Count, e.set.Train.Len()))
	found, err := s.classify(ctx, e.crew, e.classifier)
	if err != nil {
		return err
	}
	if e.out.Floor, err = e.score(ctx, found, s.labels); err != nil || e.opt.Quick {
		return err
	}
	test := newByteImages(e.set.Test, e.subset(e.opt.Count, e.set.Test.Len()))
	e.out.Floor.NearestDistance, err = e.nearest(ctx, test)
	return err
}

// scoreGenerated measures the images that the evaluation is about.
func (e *evaluator) scoreGenerated(ctx context.Context) error {
	s, err := e.generated(ctx)
	if err != nil {
		return err
	}
	found, err := s.classify(ctx, e.crew, e.classifier)
	if err != nil {
		return err
	}
	if e.out.Scores, err = e.score(ctx, found, s.labels); err != nil {
		return err
	}
	if e.out.Count == e.out.Floor.Count { // FID falls with the number of images
		e.out.FIDRatio = ratio(e.out.FID, e.out.Floor.FID)
	}
	if e.opt.Quick {
		return nil
	}
	if e.out.NearestDistance, err = e.nearest(ctx, s); err != nil {
		return err
	}
	e.out.NearestRatio = ratio(&e.out.NearestDistance.Mean, &e.out.Floor.NearestDistance.Mean)
	return nil
}

func ratio(a, b *float64) *float64 {
	if a == nil || b == nil || *b == 0 {
		return nil
	}
	return metrics.Measured(*a / *b)
}

// score compares images with the real ones by their features and classes.
func (e *evaluator) score(ctx context.Context, found *classify.Classification, asked []int) (metrics.Scores, error) {
	on := e.compute(ctx)
	s := metrics.Scores{Count: found.Features.N, References: e.real.Features.N}
	fid, err := e.frechet(ctx, found)
	if err != nil {
		return s, err
	}
	s.FID = metrics.Measured(fid)
	if err := e.scoreClasses(&s, found, asked); err != nil || e.opt.Quick {
		return s, err
	}
	truth := rows(e.real.Features, e.subset(found.Features.N, e.real.Features.N))
	fake := rows(found.Features, e.subset(truth.N, found.Features.N)) // one size for both
	kid, err := metrics.KID(fake, truth, metrics.KIDOptions{Rand: rand.New(rand.NewPCG(e.opt.Sample.Seed, 0))}, on)
	if err != nil {
		return s, err
	}
	s.SetKID(kid)
	manifold, err := metrics.PrecisionRecall(truth, fake, metrics.DefaultNeighbours, on)
	if err != nil {
		return s, err
	}
	s.SetManifold(manifold)
	return s, nil
}

// frechet returns the Fréchet distance from all test images.
func (e *evaluator) frechet(ctx context.Context, found *classify.Classification) (float64, error) {
	var m metrics.Moments
	if err := m.Add(found.Features, e.compute(ctx)); err != nil {
		return 0, err
	}
	g, err := m.Gaussian()
	if err != nil {
		return 0, err
	}
	return metrics.Frechet(g, e.reference)
}

// scoreClasses counts the predicted classes, and how many are those asked for, where they are known.
func (e *evaluator) scoreClasses(s *metrics.Scores, found *classify.Classification, asked []int) error {
	classes := len(e.classifier.Classes())
	var err error
	if s.Histogram, err = metrics.Histogram(found.Predictions, classes); err != nil {
		return err
	}
	truth, err := metrics.Histogram(e.real.Predictions, classes)
	if err != nil {
		return err
	}
	distance, err := metrics.TotalVariation(s.Histogram, truth)
	if err != nil {
		return err
	}
	s.HistogramDistance = metrics.Measured(distance)
	var want, got []int
	for i, class := range asked {
		if class >= 0 {
			want, got = append(want, class), append(got, found.Predictions[i])
		}
	}
	if len(want) == 0 {
		return nil
	}
	agreement, err := metrics.ClassAgreement(want, got)
	s.SetClassAgreement(agreement)
	return err
}

// rows returns some rows of features.
func rows(f metrics.Features, index []int) metrics.Features {
	part := metrics.Features{N: len(index), D: f.D, Data: make([]float32, 0, len(index)*f.D)}
	for _, i := range index {
		part.Data = append(part.Data, f.Row(i)...)
	}
	return part
}

// nearest describes the distances, in pixels' values, to the nearest training image.
func (e *evaluator) nearest(ctx context.Context, s *byteImages) (*metrics.Distances, error) {
	e.emit(pipeline.Event{Kind: pipeline.Noted, Text: fmt.Sprintf("looking for the nearest of %d training images to each of %d", e.set.Train.Len(), s.len())})
	queries := metrics.Features{N: s.len(), D: s.size, Data: make([]float32, s.len()*s.size)}
	for i := range s.len() {
		s.image(i, queries.Row(i))
	}
	train := e.set.Train
	found, err := metrics.Nearest(queries, metrics.References{N: train.Len(), D: s.size, Rows: func(first int, dst []float32) error {
		for i := 0; i < len(dst); i += s.size {
			train.Image(first+i/s.size, dst[i:i+s.size])
		}
		return nil
	}}, 1, e.compute(ctx))
	if err != nil {
		return nil, err
	}
	d, err := found.Summary()
	return &d, err
}

// drawCurve measures the FID for each number of evaluations.
func (e *evaluator) drawCurve(ctx context.Context) error {
	for _, n := range e.opt.NFE {
		steps, err := e.stepsFor(n)
		if err != nil {
			return err
		}
		s, _, err := e.draw(ctx, steps)
		if err != nil {
			return err
		}
		found, err := s.classify(ctx, e.crew, e.classifier)
		if err != nil {
			return err
		}
		fid, err := e.frechet(ctx, found)
		if err != nil {
			return err
		}
		var scores metrics.Scores
		if err := e.scoreClasses(&scores, found, s.labels); err != nil {
			return err
		}
		e.out.Curve = append(e.out.Curve, CurvePoint{n, metrics.Measured(fid), scores.ClassAgreement})
		e.emit(pipeline.Event{Kind: pipeline.Noted, Text: fmt.Sprintf("%d evaluations: FID %.3f", n, fid)})
	}
	return nil
}
