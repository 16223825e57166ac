package evaluate

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
)

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
			e.emit(pipeline.Note("features are those of a classifier of %s: "+
				"for scores that mean more, train one on %s by %v", r.Data, e.opt.Data, trainClassifier))
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

// rows returns some rows of features.
func rows(f metrics.Features, index []int) metrics.Features {
	part := metrics.Features{N: len(index), D: f.D, Data: make([]float32, 0, len(index)*f.D)}
	for _, i := range index {
		part.Data = append(part.Data, f.Row(i)...)
	}
	return part
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
