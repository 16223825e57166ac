package evaluate

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/judge"
)

// CopyScore has the figures behind a [Copying].
type CopyScore = metrics.CopyScore

// Copying says whether generated images copy training images: whether they lie nearer to these
// than to images that training did not see. Images count mirrored too, as training may have
// mirrored them.
type Copying struct {
	// Verdict is one of [metrics.CopiesFound], [metrics.CopiesNotFound] and
	// [metrics.CopiesUnknown]. An image that copies nothing is taken for a copy by one of the two
	// tests in at most one of 100 evaluations.
	Verdict string `json:"verdict"`
	// Text says it in a sentence.
	Text string `json:"text"`
	// Pixels compares pixels, Features what the judge sees that nobody trained: to one that was
	// trained, training images are not like others. Both are nil where fewer than two images are
	// held out.
	Pixels   *CopyScore `json:"pixels,omitempty"`
	Features *CopyScore `json:"features,omitempty"`
	Judge    string     `json:"judge,omitempty"` // whose features
}

// unknownCopying says why nobody can tell.
func unknownCopying(why string) *Copying {
	return &Copying{Verdict: metrics.CopiesUnknown, Text: "nobody can tell whether training images are copied: " + why}
}

// The number of generated and of held-out images of a test of copying is bounded, by a number that
// is enough to tell a share, and by the numbers in them.
const (
	mostCompared    = 2000
	leastCompared   = 200
	comparedNumbers = 1 << 25
)

// findCopies tests whether the generated images copy training images. Where training may have seen
// the images that are taken for held out, nothing is tested.
func (e *evaluator) findCopies(ctx context.Context) error {
	switch {
	case e.opt.Quick:
		return nil
	case !e.knowsHeldOut():
		e.out.Copying = unknownCopying("nobody knows which images training has not seen")
		return nil
	}
	random, err := e.random() // which has seen none of the images
	if err != nil {
		return err
	}
	t := copyTest{
		on: e, train: e.set.Train, held: e.set.Test, generated: e.drawn,
		judge: random, most: comparedAtMost(e.shape),
	}
	found, err := t.run(ctx)
	if err != nil {
		return err
	}
	e.out.Copying = found
	return nil
}

// comparedAtMost returns how many images of a shape are compared.
func comparedAtMost(s pipeline.Shape) int {
	return min(max(comparedNumbers/s.Len(), leastCompared), mostCompared)
}

// A copyTest compares generated images with training and held-out images.
type copyTest struct {
	on          *evaluator
	train, held dataset.Source // held may be nil
	generated   judge.Images
	judge       judge.Judge
	most        int // generated and held-out images
}

// run does the test by pixels and by features.
func (t *copyTest) run(ctx context.Context) (*Copying, error) {
	if t.held == nil || t.held.Len() < 2 {
		return unknownCopying("fewer than two images were held out of training"), nil
	}
	generated, held := t.some(t.generated), t.some(t.held)
	c := &Copying{Judge: t.judge.Name()}
	var err error
	if c.Pixels, err = t.byPixels(ctx, generated, held); err != nil {
		return nil, fmt.Errorf("copies by pixels: %w", err)
	}
	if c.Features, err = t.byFeatures(ctx, generated, held); err != nil {
		return nil, fmt.Errorf("copies by features: %w", err)
	}
	c.conclude()
	return c, nil
}

// some returns the images that are compared.
func (t *copyTest) some(of judge.Images) judge.Images {
	return &chosenImages{of, t.on.subset(t.most, of.Len())}
}

// score compares rows of numbers.
func (t *copyTest) score(
	ctx context.Context, generated, held []metrics.Features, train metrics.References,
) (*metrics.CopyScore, error) {
	rng := rand.New(rand.NewPCG(t.on.opt.Sample.Seed, 0))
	s, err := metrics.Copies(generated, held, train, rng, t.on.compute(ctx))
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// byPixels compares pixels. Where they have an alpha channel, colours are those over the middle
// gray.
func (t *copyTest) byPixels(ctx context.Context, generated, held judge.Images) (*metrics.CopyScore, error) {
	h, w, c := t.train.Shape()
	size := h * w * c
	read := func(from judge.Images, first int, dst []float32) {
		for i := 0; i < len(dst); i += size {
			from.Image(first+i/size, dst[i:i+size])
		}
		feed.OverGray(dst, c)
	}
	views := func(of judge.Images) []metrics.Features {
		var views []metrics.Features
		for _, view := range []judge.Images{of, mirrored{of, w, c}} {
			f := metrics.Features{N: of.Len(), D: size, Data: make([]float32, of.Len()*size)}
			read(view, 0, f.Data)
			views = append(views, f)
		}
		return views
	}
	train := metrics.References{N: t.train.Len(), D: size, Rows: func(first int, dst []float32) error {
		read(t.train, first, dst)
		return nil
	}}
	return t.score(ctx, views(generated), views(held), train)
}

// byFeatures compares what the judge sees.
func (t *copyTest) byFeatures(ctx context.Context, generated, held judge.Images) (*metrics.CopyScore, error) {
	_, w, c := t.train.Shape()
	var found []metrics.Features
	for _, of := range []judge.Images{generated, mirrored{generated, w, c}, held, mirrored{held, w, c}, t.train} {
		f, err := t.judge.Features(ctx, t.on.crew, of)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return t.score(ctx, found[:2], found[2:4], found[4].References())
}

// mirrored are images with left and right exchanged.
type mirrored struct {
	judge.Images
	width, channels int
}

// Image implements [judge.Images].
func (m mirrored) Image(i int, dst []float32) int {
	label := m.Images.Image(i, dst)
	feed.Mirror(dst, m.width*m.channels, m.channels)
	return label
}

// conclude sets the verdict and its sentence. One test is enough to find copies; both must be
// clear to clear the images.
func (c *Copying) conclude() {
	p, f := c.Pixels.Verdict(), c.Features.Verdict()
	held := text.Count(c.Pixels.HeldOut, "image that was held out", "images that were held out")
	switch {
	case p == metrics.CopiesFound || f == metrics.CopiesFound:
		share := 0.0
		for _, s := range []*metrics.CopyScore{c.Pixels, c.Features} {
			if s.Verdict() == metrics.CopiesFound {
				share = max(share, s.Copied)
			}
		}
		c.Verdict = metrics.CopiesFound
		c.Text = fmt.Sprintf("copies: about %.0f %% of the images are near copies of training images, "+
			"so what was learned is these and not their kind: train for less long, or on more images", 100*share)
	case p == metrics.CopiesUnknown || f == metrics.CopiesUnknown:
		unknown := unknownCopying(held + " are too few")
		c.Verdict, c.Text = unknown.Verdict, unknown.Text
	case c.Pixels.Nearer() || c.Features.Nearer():
		c.Verdict = metrics.CopiesNotFound
		c.Text = fmt.Sprintf("few copies: the images lie nearer to training images than to %s, as after long training, "+
			"but most of them are no copies", held)
	default:
		c.Verdict = metrics.CopiesNotFound
		c.Text = fmt.Sprintf("no copies: the images lie about as near to %s as to training images", held)
	}
}
