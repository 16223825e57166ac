package edit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// InterpolateOptions say which pairs of images are interpolated.
type InterpolateOptions struct {
	Options
}

// Interpolate walks between the images of pairs, as [Task.Interpolate] does. A row is the first
// image, Count images on the way, and the second image. A mistake in the options is an
// [*pipeline.OptionError].
func Interpolate(ctx context.Context, o InterpolateOptions) (*Result, error) {
	e, err := newEditor(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	if _, err := e.pairs(); err != nil {
		return nil, err
	}
	n, count, d := e.Inputs.Len(), e.Count, e.Inputs.ImageLen()
	if err := e.begin(n/2, count+2, n+n/2*count, false); err != nil {
		return nil, err
	}
	defer e.close()
	way, off, err := e.Interpolate(ctx)
	if err != nil {
		return nil, err
	}
	rows := e.rows(n/2, count+2)
	for i := range n / 2 {
		rows.Pixels = slices.Concat(rows.Pixels, e.input(2*i), way[i*count*d:(i+1)*count*d], e.input(2*i+1))
	}
	err = e.write(rows, count+2, InterpolateTexts(off)...)
	return &Result{Path: e.opt.Out, Inputs: n, Images: n / 2 * count, Model: e.Checkpoint.Path, RoundTrip: off}, err
}

// InterpolateTexts returns what a picture says of ways beside the texts of the task. roundTrip is
// as in [Task.Interpolate].
func InterpolateTexts(roundTrip float64) []picture.Text {
	return []picture.Text{
		{"fmimg.edit", "interpolation"}, {"fmimg.round-trip-error", strconv.FormatFloat(roundTrip, 'g', 3, 64)},
	}
}

// Interpolate walks between the images of pairs: the first and the second, the third and the
// fourth, and so on. It carries both images to their noise by solving the flow backwards, walks
// from one noise to the other along the sphere that noise lies on ([flow.Slerp]), and solves
// forward. It returns Count images on the way of each pair, [N/2, Count, H, W, C]: the first and
// the last are the pair itself after the round trip. roundTrip is how much that changed the pairs:
// the root mean square over all pixels, which are in [-1, 1].
func (t *Task) Interpolate(ctx context.Context) (way []float32, roundTrip float64, err error) {
	classes, err := t.pairs()
	if err != nil {
		return nil, 0, err
	}
	noise := slices.Clone(t.Inputs.Pixels)
	if err := t.each(ctx, noise, repeated(classes, 2), t.between(1, 0)); err != nil {
		return nil, 0, err
	}
	n, count, d := t.Inputs.Len(), t.Count, t.Inputs.ImageLen()
	way = make([]float32, n/2*count*d)
	for i := range n / 2 * count {
		pair := noise[i/count*2*d:][:2*d]
		flow.Slerp(way[i*d:(i+1)*d], pair[:d], pair[d:], float64(i%count)/float64(count-1))
	}
	if err := t.each(ctx, way, repeated(classes, count), t.between(0, 1)); err != nil {
		return nil, 0, err
	}
	squares := 0.0
	for i := range n / 2 {
		ends := way[i*count*d : (i+1)*count*d]
		squares += squaredDistance(t.input(2*i), ends[:d]) + squaredDistance(t.input(2*i+1), ends[(count-1)*d:])
	}
	return way, math.Sqrt(squares / float64(n*d)), nil
}

// pairs checks that the inputs are pairs with a way between them, and returns their classes.
func (t *Task) pairs() ([]int32, error) {
	n := t.Inputs.Len()
	switch {
	case n%2 != 0:
		return nil, option.Errorf("in", nil, "%s no pairs: name an even number of images", pairless(n))
	case t.Count < 2:
		return nil, option.Errorf("count", t.Count, "the two ends are part of the way: at least 2")
	}
	return t.pairClasses()
}

// pairless spells the number of images at the start of an error.
func pairless(n int) string {
	if n == 1 {
		return "1 image makes"
	}
	return fmt.Sprintf("%d images make", n)
}

// pairClasses returns the class of each pair: the class of both images, or -1 where they differ.
func (t *Task) pairClasses() ([]int32, error) {
	labels := t.Checkpoint.Labels()
	var classes []int32
	for i := 0; i < len(t.Classes); i += 2 {
		class := t.Classes[i]
		if t.Classes[i+1] != class {
			class = -1
		}
		if class < 0 && labels.Rows() > 0 && !labels.Null {
			return nil, option.Errorf("class", nil,
				"is needed: the two images have different ones, and %s always needs one", model.ModelName(t.Checkpoint.Path))
		}
		classes = append(classes, class)
	}
	return classes, nil
}

// squaredDistance returns Σ (a−b)².
func squaredDistance(a, b []float32) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += float64(d * d)
	}
	return sum
}
