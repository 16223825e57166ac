package evaluate

import (
	"context"
	"slices"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// generated draws or reads the images that an evaluation is about.
func (e *evaluator) generated(ctx context.Context) (*byteImages, error) {
	if e.ck != nil {
		begin, o := time.Now(), e.opt.Sample
		s, evaluations, err := e.draw(ctx, o.Steps)
		if err != nil {
			return nil, err
		}
		e.out.Evaluations, e.out.DrawSeconds = evaluations, time.Since(begin).Seconds()
		_, m, err := e.ck.Settle(e.ck.Path, o.Method)
		e.out.Solver, e.out.Steps, e.out.Guidance = m.Solver, m.Steps, m.Guidance
		return s, err
	}
	index := make([]int, e.opt.Count)
	for i := range index {
		index[i] = i
	}
	s := newByteImages(e.given, index)
	return s, e.nameClasses(s)
}

// nameClasses turns the labels of images from elsewhere into the classifier's classes: those asked for in turn, or
// those of their folders' names.
func (e *evaluator) nameClasses(s *byteImages) error {
	known := model.ClassList{Model: "the classifier", N: len(e.classifier.Classes()), Names: e.classifier.Classes()}
	if e.opt.Classes != "" {
		turn, err := known.Parse(e.opt.Classes)
		if err != nil {
			return option.Rename(err, "class", "classes")
		}
		for i := range s.labels {
			s.labels[i] = int(turn[i%len(turn)])
		}
		return nil
	}
	names := model.MatchClasses(e.given.Classes(), e.classifier.Classes())
	for i, label := range s.labels {
		if s.labels[i] = -1; label >= 0 {
			s.labels[i] = names[label]
		}
	}
	return nil
}

// evaluatedBlock is the number of images that are drawn before they are rounded.
const evaluatedBlock = 512

// draw draws the images by so many steps of the solver, and says how many evaluations an image took.
func (e *evaluator) draw(ctx context.Context, steps int) (*byteImages, float64, error) {
	o := e.opt.Sample
	o.Steps, o.OnEvent = steps, e.opt.OnEvent
	sampler, err := sample.NewSampler(e.ck, o)
	if err != nil {
		return nil, 0, err
	}
	defer sampler.Close()
	sampler.CycleClasses(e.frequentClasses())
	size := e.ck.Shape().Len()
	s := &byteImages{size: size, slab: make([]byte, 0, o.Count*size)}
	names := model.MatchClasses(e.ck.Meta.Classes, e.classifier.Classes())
	for first := 0; first < o.Count; first += evaluatedBlock {
		images, err := sampler.Draw(ctx, first, min(evaluatedBlock, o.Count-first))
		if err != nil {
			return nil, 0, err
		}
		for i := range images.Len() {
			s.add(images.Slice(i, i+1).Pixels, classOf(images, i, names))
		}
	}
	return s, sampler.Evaluations(), nil
}

// classOf returns the class that image i was asked for, as the classifier counts classes; -1 for none.
func classOf(images *picture.Images, i int, names []int) int {
	if len(images.Labels) == 0 || int(images.Labels[i]) >= len(names) { // the class after the last one means none
		return -1
	}
	return names[images.Labels[i]]
}

// frequentClasses returns a class of the model for each image, as frequent as among the training images, where no class
// is asked for: a model p(x|y) stands for Σ p(y)·p(x|y), and real digits are not equally frequent. nil when the model
// does not have the data's classes.
func (e *evaluator) frequentClasses() []int32 {
	names := model.MatchClasses(e.set.Train.Classes(), e.ck.Meta.Classes)
	if len(names) == 0 || slices.Contains(names, -1) || e.ck.Labels().Rows() == 0 {
		return nil
	}
	h, w, c := e.set.Train.Shape()
	pixels := make([]float32, h*w*c)
	var classes []int32
	for _, i := range e.subset(e.opt.Count, e.set.Train.Len()) {
		if label := e.set.Train.Image(i, pixels); label >= 0 {
			classes = append(classes, int32(names[label]))
		}
	}
	return classes
}
