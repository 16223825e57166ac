package evaluate

import (
	"context"
	"slices"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// generated returns the images to evaluate: drawn by the model, or those from elsewhere.
func (e *evaluator) generated(ctx context.Context) (*byteImages, error) {
	if e.ck != nil {
		begin, o := time.Now(), e.opt.Sample
		s, by, err := e.draw(ctx, o.Steps)
		if err != nil {
			return nil, err
		}
		e.out.Evaluations, e.out.DrawSeconds = by.evaluations, time.Since(begin).Seconds()
		m := by.method
		e.out.Solver, e.out.Steps, e.out.TimeShift, e.out.Guidance = m.Solver, m.Steps, m.TimeShift, m.Guidance
		if m.Guidance != 1 {
			e.out.GuidanceEvery = m.GuidanceEvery
		}
		e.out.Within, e.out.Guide, e.out.GuideHash = m.GuidedWithin(), m.GuideName(), m.GuideHash()
		e.out.GuideShare = m.GuideShare
		return s, nil
	}
	index := make([]int, e.opt.Count)
	for i := range index {
		index[i] = i
	}
	s := newByteImages(e.given, index)
	return s, e.nameClasses(s)
}

// nameClasses gives images from elsewhere the classes that they were asked for, as the classifier
// numbers classes. These are the classes of the option Classes in turn, or the names of the images'
// folders.
func (e *evaluator) nameClasses(s *byteImages) error {
	classes := e.classes()
	known := model.ClassList{Model: "the classifier", N: len(classes), Names: classes}
	if e.opt.Classes != "" {
		turn, notes, err := known.Parse(e.opt.Classes)
		if err != nil {
			return option.Rename(err, "class", "classes")
		}
		for _, note := range notes {
			e.emit(note)
		}
		for i := range s.labels {
			s.labels[i] = turn[i%len(turn)]
		}
		return nil
	}
	names := model.MatchClasses(e.given.Classes(), classes)
	for i, label := range s.labels {
		if s.labels[i] = -1; label >= 0 {
			s.labels[i] = int32(names[label])
		}
	}
	return nil
}

// classes returns the classes that the first judge finds, none if it finds none.
func (e *evaluator) classes() []string {
	if e.classifier == nil {
		return nil
	}
	return e.classifier.Network.Classes()
}

// evaluatedBlock is the number of images that are drawn before they are rounded.
const evaluatedBlock = 512

// A drawnBy says how images were drawn.
type drawnBy struct {
	method      model.Method
	evaluations float64 // of networks for an image, on average
}

// draw draws the images with the given number of steps, on all ranks.
func (e *evaluator) draw(ctx context.Context, steps int) (*byteImages, drawnBy, error) {
	e.toDraw--
	if err := cluster.Agree(e.opt.Sample.Ranks, nil); err != nil { // rank 0 may have failed
		return nil, drawnBy{}, err
	}
	images, by, err := e.drawTogether(ctx, steps)
	e.agreed = err != nil
	return images, by, err
}

// drawTogether draws the images once all ranks are there.
func (e *evaluator) drawTogether(ctx context.Context, steps int) (*byteImages, drawnBy, error) {
	o := e.opt.Sample
	o.Steps, o.OnEvent = steps, e.opt.OnEvent
	if f := e.opt.OnEvent; e.noted && f != nil { // what was assumed of classes is said once
		o.OnEvent = func(event pipeline.Event) {
			if event.Kind != pipeline.Noted {
				f(event)
			}
		}
	}
	e.noted = true
	sampler, err := sample.NewSampler(e.ck, o)
	if err != nil {
		return nil, drawnBy{}, err
	}
	defer sampler.Close()
	sampler.CycleClasses(e.frequentClasses())
	size := e.ck.Shape().Len()
	s := &byteImages{size: size, slab: make([]byte, 0, o.Count*size)}
	names := model.MatchClasses(e.ck.Meta.Classes, e.classes())
	for first := 0; first < o.Count; first += evaluatedBlock {
		images, err := sampler.Draw(ctx, first, min(evaluatedBlock, o.Count-first))
		if err != nil {
			return nil, drawnBy{}, err
		}
		for i := range images.Len() {
			s.add(images.Slice(i, i+1).Pixels, classOf(images, i, names))
		}
	}
	return s, drawnBy{sampler.Options().Method, sampler.Evaluations()}, nil
}

// classOf returns the class that image i was asked for, as the classifier numbers classes, -1 for
// none. names holds the classifier's number of each class of the model.
func classOf(images *picture.Images, i int, names []int) int {
	// The label after the last class means no class.
	if len(images.Labels) == 0 || int(images.Labels[i]) >= len(names) {
		return -1
	}
	return names[images.Labels[i]]
}

// frequentClasses returns rows of the label embedding that images take in turn, for drawings in
// which no class is asked for. Classes are as frequent as in the training data: a model p(x|y)
// stands for Σ p(y)·p(x|y), and real digits are not equally frequent. Images without a class are
// drawn too, by a model that learned from some. Classes that it did not learn are left out. The
// result is nil if the model does not have the classes of the data.
func (e *evaluator) frequentClasses() []int32 {
	labels := e.ck.Labels()
	names := model.MatchClasses(e.set.Train.Classes(), e.ck.Meta.Classes)
	if len(names) == 0 || slices.Contains(names, -1) || labels.Rows() == 0 {
		return nil
	}
	trained := e.ck.Meta.TrainedRows(labels)
	of := dataset.Labels(e.set.Train)
	var rows []int32
	for _, i := range e.training(e.opt.Count) {
		row := labels.NullRow()
		if of[i] >= 0 {
			row = int32(names[of[i]])
		}
		if _, ok := slices.BinarySearch(trained, row); ok {
			rows = append(rows, row)
		}
	}
	return rows
}
