package evaluate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// compute lets package metrics work on the crew.
func (e *evaluator) compute(ctx context.Context) metrics.Compute {
	return metrics.Compute{ISA: e.isa, Parallel: func(n int, do func(i int)) error {
		return e.crew.Each(ctx, e.crew.Size(), n, func(_, i int) { do(i) })
	}}
}

// readReal finds the features of the test images, and their mean and covariance.
func (e *evaluator) readReal(ctx context.Context) error {
	all, err := e.look(ctx, e.references)
	if err != nil {
		return err
	}
	e.real = all
	if e.classifier != nil {
		if r := e.classifier.Network.Reference(); r != nil {
			e.out.Classifier = r.Data
			if len(e.own) == 0 && e.opt.Data == r.DataSet() {
				e.reference = r.Gaussian()
				return nil
			}
		}
	}
	e.noteJudges()
	var m metrics.Moments
	if err := m.Add(all.Features, e.compute(ctx)); err != nil {
		return err
	}
	e.reference, err = m.Gaussian()
	return err
}

// noteJudges says what the first judge does not know of the data.
func (e *evaluator) noteJudges() {
	switch {
	case e.classifier == nil:
		e.emit(pipeline.Note("no classifier of %s: features are those of the judge %s, and classes are not counted; "+
			"for more scores train one by %v", e.opt.Data, e.judges[0].Name(), trainClassifier))
	case len(e.own) == 0 && e.out.Classifier != "" && !e.hasDigits():
		e.emit(pipeline.Note("features are those of a classifier of %s: "+
			"for scores that mean more, train one on %s by %v", e.out.Classifier, e.opt.Data, trainClassifier))
	}
}

// subset returns n of the indices below total, or all if there are fewer, in an order that depends
// on the seed.
func (e *evaluator) subset(n, total int) []int {
	return proportional(e.opt.Sample.Seed, n, make([]int32, total))
}

// training returns the numbers of n training images, or of all if there are fewer, with classes as
// frequent as in all.
func (e *evaluator) training(n int) []int {
	return proportional(e.opt.Sample.Seed, n, dataset.Labels(e.set.Train))
}

// scoreFloor measures real training images. Its nearest distance is that of real test images.
func (e *evaluator) scoreFloor(ctx context.Context) error {
	s := newByteImages(e.floorOf, proportional(e.opt.Sample.Seed, e.opt.Count, dataset.Labels(e.floorOf)))
	found, err := e.look(ctx, s)
	if err != nil {
		return err
	}
	e.floor, e.foundFloor = s, found
	if e.out.Floor, err = e.score(ctx, found, s.labels); err != nil || e.opt.Quick {
		return err
	}
	if e.testImages() == 0 {
		return nil
	}
	test := newByteImages(e.set.Test, e.subset(e.opt.Count, e.set.Test.Len()))
	e.out.Floor.NearestDistance, err = e.nearest(ctx, test)
	return err
}

// scoreGenerated measures the generated images.
func (e *evaluator) scoreGenerated(ctx context.Context) error {
	s, err := e.generated(ctx)
	if err != nil {
		return err
	}
	found, err := e.look(ctx, s)
	if err != nil {
		return err
	}
	e.drawn, e.found = s, found
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
	if floor := e.out.Floor.NearestDistance; floor != nil {
		e.out.NearestRatio = ratio(&e.out.NearestDistance.Mean, &floor.Mean)
	}
	return nil
}

// ratio returns a/b, nil where that is unknown.
func ratio(a, b *float64) *float64 {
	if a == nil || b == nil || *b == 0 {
		return nil
	}
	return metrics.Measured(*a / *b)
}

// score compares images with the test images by their features and classes. asked holds the class
// that each image was asked for, -1 for none.
func (e *evaluator) score(
	ctx context.Context, found *classify.Classification, asked []int32,
) (metrics.Scores, error) {
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
	truth := e.real.Features.Rows(e.subset(found.Features.N, e.real.Features.N))
	fake := found.Features.Rows(e.subset(truth.N, found.Features.N)) // as many of both
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

// frechet returns the Fréchet distance to all test images.
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

// scoreClasses counts the predicted classes. Where classes were asked for, it also counts how many
// images have theirs. It does nothing if the first judge knows no classes.
func (e *evaluator) scoreClasses(s *metrics.Scores, found *classify.Classification, asked []int32) error {
	if e.classifier == nil {
		return nil
	}
	classes := len(e.classes())
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
			want, got = append(want, int(class)), append(got, found.Predictions[i])
		}
	}
	if len(want) == 0 {
		return nil
	}
	agreement, err := metrics.ClassAgreement(want, got)
	s.SetClassAgreement(agreement)
	return err
}

// nearest describes the distances of images to their nearest training images, as vectors of pixels.
// Where they have an alpha channel, colours are those over the middle gray.
func (e *evaluator) nearest(ctx context.Context, s *byteImages) (*metrics.Distances, error) {
	e.emit(pipeline.Event{Kind: pipeline.Noted, Text: fmt.Sprintf(
		"looking for the nearest of %s to each of %d", text.Count(e.set.Train.Len(), "training image", "training images"), s.Len())})
	queries := metrics.Features{N: s.Len(), D: s.size, Data: make([]float32, s.Len()*s.size)}
	for i := range s.Len() {
		s.Image(i, queries.Row(i))
	}
	train := e.set.Train
	_, _, channels := train.Shape()
	feed.OverGray(queries.Data, channels)
	read := func(first int, dst []float32) error {
		for i := 0; i < len(dst); i += s.size {
			train.Image(first+i/s.size, dst[i:i+s.size])
		}
		feed.OverGray(dst, channels)
		return nil
	}
	references := metrics.References{N: train.Len(), D: s.size, Rows: read}
	found, err := metrics.Nearest(queries, references, 1, e.compute(ctx))
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
		s, by, err := e.draw(ctx, steps)
		if err != nil {
			return err
		}
		found, err := e.look(ctx, s)
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
		e.out.Curve = append(e.out.Curve, CurvePoint{
			Evaluations: int(math.Round(by.evaluations)), FID: metrics.Measured(fid), Agreement: scores.ClassAgreement,
		})
		e.emit(pipeline.Note("%s: FID %.3f", text.Count(n, "evaluation", "evaluations"), fid))
	}
	return nil
}
