package edit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// InterpolateOptions say which pairs of images are interpolated.
type InterpolateOptions struct {
	Options
}

// Interpolate walks between the images of pairs: the first and the second, the third and the
// fourth, and so on. It carries both images to their noise by solving the flow backwards, walks
// from one noise to the other along the sphere that noise lies on ([flow.Slerp]), and solves
// forward. A row is the first image, Count images on the way, and the second image. The first and
// the last image on the way are the pair itself after the round trip. A mistake in the options is
// an [*pipeline.OptionError].
func Interpolate(ctx context.Context, o InterpolateOptions) (*Result, error) {
	e, err := newEditor(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	switch {
	case n%2 != 0:
		return nil, option.Errorf("in", nil, "%s no pairs: name an even number of images", pairless(n))
	case count < 2:
		return nil, option.Errorf("count", count, "the two ends are part of the way: at least 2")
	}
	classes, err := e.pairClasses()
	if err != nil {
		return nil, err
	}
	if err := e.begin(n/2, count+2, false); err != nil {
		return nil, err
	}
	defer e.close()
	solve := func(t0, t1 float64) solveFunc {
		return func(ctx context.Context, _, _ int, f ode.Field, x []float32) error {
			_, err := e.solver.Solve(ctx, f, x, len(x)/d, t0, t1)
			return err
		}
	}
	total := n + n/2*count
	noise := slices.Clone(e.inputs.Pixels)
	if err := e.each(ctx, noise, repeated(classes, 2), total, solve(1, 0)); err != nil {
		return nil, err
	}
	way := make([]float32, n/2*count*d)
	for i := range n / 2 * count {
		pair := noise[i/count*2*d:][:2*d]
		flow.Slerp(way[i*d:(i+1)*d], pair[:d], pair[d:], float64(i%count)/float64(count-1))
	}
	if err := e.each(ctx, way, repeated(classes, count), total, solve(0, 1)); err != nil {
		return nil, err
	}
	return e.writeWay(way)
}

// pairless spells the number of images at the start of an error.
func pairless(n int) string {
	if n == 1 {
		return "1 image makes"
	}
	return fmt.Sprintf("%d images make", n)
}

// pairClasses returns the class of each pair: the class of both images, or -1 where they differ.
func (e *editor) pairClasses() ([]int32, error) {
	labels := e.ck.Labels()
	var classes []int32
	for i := 0; i < len(e.classes); i += 2 {
		class := e.classes[i]
		if e.classes[i+1] != class {
			class = -1
		}
		if class < 0 && labels.Rows() > 0 && !labels.Null {
			return nil, option.Errorf("class", nil,
				"is needed: the two images have different ones, and %s always needs one", model.ModelName(e.ck.Path))
		}
		classes = append(classes, class)
	}
	return classes, nil
}

// writeWay writes a row for each pair with the images on its way.
func (e *editor) writeWay(way []float32) (*Result, error) {
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	rows, squares := e.rows(n/2, count+2), 0.0
	for i := range n / 2 {
		between := way[i*count*d : (i+1)*count*d]
		a, b := e.input(2*i), e.input(2*i+1)
		rows.Pixels = slices.Concat(rows.Pixels, a, between, b)
		squares += squaredDistance(a, between[:d]) + squaredDistance(b, between[(count-1)*d:])
	}
	off := math.Sqrt(squares / float64(n*d))
	err := e.write(rows, count+2, picture.Text{"fmimg.edit", "interpolation"},
		picture.Text{"fmimg.round-trip-error", strconv.FormatFloat(off, 'g', 3, 64)})
	return &Result{Path: e.opt.Out, Inputs: n, Images: n / 2 * count, Model: e.ck.Path, RoundTrip: off}, err
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
