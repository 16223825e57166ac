package evaluate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/pipeline/model"
)

// digits is the shape of the images that the judges of MNIST take.
var digits = pipeline.Shape{Height: 28, Width: 28, Channels: 1}

// trainClassifier is the action that makes a classifier.
var trainClassifier = option.Action{Command: "classifier"}

// openClassifiers reads the classifiers that files hold. All of them take images of one shape.
func (e *evaluator) openClassifiers() error {
	for i, path := range e.opt.Classifiers {
		if slices.Contains(e.opt.Classifiers[:i], path) {
			return option.Errorf("classifier", path, "it is named twice: a judge has one voice")
		}
		net, err := readClassifier(path, e.isa)
		if err != nil {
			return err
		}
		if len(e.own) > 0 && shapeOf(e.own[0]) != shapeOf(&judge.Classifier{Network: net}) {
			return option.Errorf("classifier", path, "it takes images of another shape than %s", e.opt.Classifiers[0])
		}
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		taken := name == judge.RandomName || name == judge.SelfName
		if taken || slices.ContainsFunc(e.own, func(c *judge.Classifier) bool { return c.Title == name }) {
			name = path
		}
		e.own = append(e.own, &judge.Classifier{Title: name, Network: net})
	}
	return nil
}

// readClassifier reads the file of a classifier.
func readClassifier(path string, isa kernels.ISA) (*classify.Network, error) {
	file, err := regular.Open(path)
	if errors.Is(err, regular.ErrURL) {
		return nil, option.Errorf("classifier", path, "%v", regular.Reason(err))
	}
	if err != nil {
		return nil, option.Faultf("classifier: %v", err).Cured("name its file, or train one by %v", trainClassifier)
	}
	defer file.Close()
	net, err := classify.Read(file, isa)
	if err != nil {
		return nil, fmt.Errorf("classifier %s: %w", path, err)
	}
	return net, nil
}

// shapeOf returns the shape of the images that a judge takes.
func shapeOf(j judge.Judge) pipeline.Shape {
	h, w, c := j.Shape()
	return pipeline.Shape{Height: h, Width: w, Channels: c}
}

// settleShape finds the shape in which images are compared: what the classifiers take, what the
// model draws, what the judges of MNIST take where these are named, and else that of the data as
// the options want it, which is then open.
func (e *evaluator) settleShape(ctx context.Context) error {
	if len(e.own) > 0 {
		e.shape = shapeOf(e.own[0])
	}
	if e.ck != nil {
		drawn := e.ck.Shape()
		if len(e.own) > 0 && drawn != e.shape {
			return option.Errorf("classifier", nil,
				"takes images of %s with %s, and the model draws %s with %d: train one for them by %v",
				e.shape.Sides(), text.Count(e.shape.Channels, "channel", "channels"), drawn.Sides(), drawn.Channels, trainClassifier)
		}
		e.shape = drawn
	}
	if e.shape == (pipeline.Shape{}) && e.namesDigitJudges() {
		e.shape = digits
	}
	if e.shape != (pipeline.Shape{}) {
		return e.refuseShape()
	}
	set, err := e.openAsItIs(ctx)
	if err == nil {
		e.set, e.shape = set, pipeline.ShapeOf(set.Train)
	}
	return err
}

// refuseShape returns an error for a shape that was asked for where another one is settled.
func (e *evaluator) refuseShape() error {
	const settled = "the images are %s with %s, which the model or the judge says: leave it out"
	has := text.Count(e.shape.Channels, "channel", "channels")
	switch {
	case e.opt.Size != (pipeline.Size{}):
		return option.Errorf("size", e.opt.Size, settled, e.shape.Sides(), has)
	case e.opt.ImageChannels != "" && e.opt.ImageChannels != feed.AnyChannels:
		return option.Errorf("image-channels", e.opt.ImageChannels, settled, e.shape.Sides(), has)
	}
	return nil
}

// namesDigitJudges reports whether a judge was asked for that only knows MNIST's digits.
func (e *evaluator) namesDigitJudges() bool {
	return slices.ContainsFunc(e.opt.Judges, func(name string) bool {
		return name == judge.ClassifierName || name == judge.PooledName
	})
}

// chooseJudges fills the panel: the judges that are named, or all that suit the data. The first one
// has the report's own scores.
func (e *evaluator) chooseJudges(ctx context.Context) error {
	if err := e.openKept(); err != nil {
		return err
	}
	suitable, err := e.suitableJudges(ctx)
	if err != nil {
		return err
	}
	if e.judges = suitable; len(e.opt.Judges) > 0 {
		if e.judges, err = named(suitable, e.opt.Judges); err != nil {
			return err
		}
	}
	if e.opt.Quick && len(e.opt.Judges) == 0 {
		e.judges = e.judges[:1]
	}
	first := e.judges[0]
	if c, ok := first.(*judge.Classifier); ok && e.knowsClasses(c) {
		e.classifier = c
	} else if e.opt.Classes != "" {
		return option.Errorf("classes", e.opt.Classes,
			"no judge can tell them: the first one, %s, is not a classifier; train one by %v", first.Name(), trainClassifier)
	}
	return nil
}

// knowsClasses reports whether a judge was trained to find classes.
func (e *evaluator) knowsClasses(c *judge.Classifier) bool {
	return slices.Contains(e.own, c) || c.Title == judge.ClassifierName || c.Title == judge.PooledName
}

// named returns the judges with the given names, in their order.
func named(of []judge.Judge, names []string) ([]judge.Judge, error) {
	var known []string
	for _, j := range of {
		known = append(known, j.Name())
	}
	var chosen []judge.Judge
	for i, name := range names {
		if name == judge.KeptName && !slices.Contains(known, name) {
			return nil, option.Errorf("judges", name, "this judge is kept for final figures").
				Cured("ask it by %v when all is decided", option.Setting{Option: "kept"})
		}
		if err := option.OneOf("judges", name, known...); err != nil {
			return nil, err
		}
		if slices.Contains(names[:i], name) {
			return nil, option.Errorf("judges", name, "it is named twice: a judge has one voice")
		}
		chosen = append(chosen, of[slices.Index(known, name)])
	}
	return chosen, nil
}

// suitableJudges returns the judges that suit the images: classifiers from files, those of digits,
// or those that need no labels.
func (e *evaluator) suitableJudges(ctx context.Context) ([]judge.Judge, error) {
	var all []judge.Judge
	switch {
	case len(e.own) > 0:
		if err := e.trainsNone("classifiers are given"); err != nil {
			return nil, err
		}
		for _, c := range e.own {
			all = append(all, c)
		}
		random, err := e.random()
		return append(all, random), err
	case e.judgesOfDigits():
		if err := e.trainsNone("the judges of digits look"); err != nil {
			return nil, err
		}
		for _, name := range judge.MNISTNames() {
			j, err := judge.MNIST(name, e.isa)
			if err != nil {
				return nil, err
			}
			all = append(all, j)
		}
		return all, nil
	}
	return e.labelFree(ctx)
}

// judgesOfDigits reports whether the judges of MNIST are to look: at digits, or because they are
// named.
func (e *evaluator) judgesOfDigits() bool {
	return len(e.own) == 0 && e.shape == digits && (e.namesDigitJudges() || e.hasDigits())
}

// hasDigits reports whether the classes of the data are those of MNIST.
func (e *evaluator) hasDigits() bool {
	classes := e.set.Train.Classes()
	return len(classes) == 10 && !slices.Contains(model.MatchClasses(classes, judge.MNISTClasses()), -1)
}

// random returns the judge that nobody trained.
func (e *evaluator) random() (judge.Judge, error) {
	seen := judge.ReducedShape(e.shape)
	j, err := judge.NewRandom(seen.Height, seen.Width, seen.Channels, e.isa)
	if err != nil {
		return nil, err
	}
	return judge.Reduced(j, e.shape), nil
}

// openKept opens the judge that is kept for final figures, if it was asked for.
func (e *evaluator) openKept() error {
	if !e.opt.Kept {
		return nil
	}
	if !e.judgesOfDigits() {
		return option.Errorf("kept", nil, "asks a judge that knows MNIST's digits alone").
			Cured("for other data train one more classifier by %v, and show it no choice", trainClassifier)
	}
	kept, err := judge.MNIST(judge.KeptName, e.isa)
	e.kept = kept
	return err
}

// look lets the first judge find features, and classes if it knows some.
func (e *evaluator) look(ctx context.Context, images judge.Images) (*classify.Classification, error) {
	if e.classifier != nil {
		return e.classifier.Classify(ctx, e.crew, images)
	}
	f, err := e.judges[0].Features(ctx, e.crew, images)
	return &classify.Classification{Features: f}, err
}

// hearJudges asks all judges for their verdict, and the one that is kept for its own. What the
// first judge saw it need not see again.
func (e *evaluator) hearJudges(ctx context.Context) error {
	if e.opt.Quick && len(e.opt.Judges) == 0 && e.kept == nil {
		return nil
	}
	n := min(e.drawn.Len(), e.floor.Len()) // distances compare at one number
	drawn := proportional(e.opt.Sample.Seed, n, e.drawn.labels)
	floor := proportional(e.opt.Sample.Seed, n, e.floor.labels)
	sight := judge.Sight[judge.Images]{
		Images: &chosenImages{e.drawn, drawn}, Floor: &chosenImages{e.floor, floor}, Real: e.references,
	}
	options := metrics.CompareOptions{SlicedOptions: metrics.SlicedOptions{Seed: e.opt.Sample.Seed}}
	options.Strata[0], options.Strata[1] = at(e.drawn.labels, drawn), at(e.floor.labels, floor)
	options.Strata[2] = at(dataset.Labels(e.references), allBelow(e.references.Len()))
	panel, kept := judge.Panel{Options: options}, judge.Panel{Options: options}
	if !e.opt.Quick || len(e.opt.Judges) > 0 {
		first := judge.Sight[metrics.Features]{
			Images: e.found.Features.Rows(drawn), Floor: e.foundFloor.Features.Rows(floor), Real: e.real.Features,
		}
		if err := panel.Add(ctx, e.crew, e.isa, e.judges[0].Name(), first); err != nil {
			return err
		}
		for _, j := range e.judges[1:] {
			e.emit(pipeline.Note("asking the judge %s", j.Name()))
			if err := panel.Hear(ctx, e.crew, e.isa, j, sight); err != nil {
				return err
			}
		}
		e.out.Panel = panel.Verdict()
	}
	if e.kept == nil {
		return nil
	}
	if err := kept.Hear(ctx, e.crew, e.isa, e.kept, sight); err != nil {
		return err
	}
	e.out.Kept = &kept.Verdict().Judges[0]
	return nil
}

// allBelow returns the numbers from 0 to n-1.
func allBelow(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// chosenImages are some of other images, by their numbers.
type chosenImages struct {
	of      judge.Images
	numbers []int
}

// Len implements [judge.Images].
func (c *chosenImages) Len() int { return len(c.numbers) }

// Image implements [judge.Images].
func (c *chosenImages) Image(i int, dst []float32) int { return c.of.Image(c.numbers[i], dst) }
