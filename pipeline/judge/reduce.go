package judge

import (
	"context"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
)

// mostSide is the longest side in pixels of what judges without labels see. Larger images are
// reduced, which bounds the memory and the time of a judge.
const mostSide = 64

// A reduction makes images smaller: each of their pixels becomes the mean of a square of side times
// side pixels. At the lower and right edges squares may be cut.
type reduction struct {
	from, to pipeline.Shape
	side     int
}

// reductionOf returns the reduction of images of a shape. Its side is 1 where they are small
// enough.
func reductionOf(s pipeline.Shape) reduction {
	side := (max(s.Height, s.Width) + mostSide - 1) / mostSide
	to := s
	to.Height, to.Width = (s.Height+side-1)/side, (s.Width+side-1)/side
	return reduction{s, to, side}
}

// ReducedShape returns the shape of what judges without labels see of images of a shape.
func ReducedShape(s pipeline.Shape) pipeline.Shape { return reductionOf(s).to }

// apply writes the reduced image to dst.
func (r reduction) apply(dst, image []float32) {
	channels := r.from.Channels
	for y := range r.to.Height {
		for x := range r.to.Width {
			bottom, right := min((y+1)*r.side, r.from.Height), min((x+1)*r.side, r.from.Width)
			share := 1 / float32((bottom-y*r.side)*(right-x*r.side))
			for c := range channels {
				var sum float32
				for i := y * r.side; i < bottom; i++ {
					for j := x * r.side; j < right; j++ {
						sum += image[(i*r.from.Width+j)*channels+c]
					}
				}
				dst[(y*r.to.Width+x)*channels+c] = sum * share
			}
		}
	}
}

// Reduced returns a judge of images of a shape, which shows them reduced to a judge that sees
// [ReducedShape] of it.
func Reduced(j Judge, s pipeline.Shape) Judge {
	r := reductionOf(s)
	if r.side == 1 {
		return j
	}
	return &reducedJudge{j, r}
}

// A reducedJudge shows reduced images to a judge.
type reducedJudge struct {
	Judge
	reduction reduction
}

// Shape implements [Judge].
func (r *reducedJudge) Shape() (h, w, c int) {
	s := r.reduction.from
	return s.Height, s.Width, s.Channels
}

// Features implements [Judge].
func (r *reducedJudge) Features(ctx context.Context, on *crew.Crew, images Images) (metrics.Features, error) {
	return r.Judge.Features(ctx, on, &reducedImages{Images: images, reduction: r.reduction})
}

// reducedImages are images that are reduced when they are read.
type reducedImages struct {
	Images
	reduction reduction
	whole     states.FreeList[[]float32] // images before they are reduced
}

// Image implements [Images].
func (r *reducedImages) Image(i int, dst []float32) int {
	whole := r.whole.Get()
	defer r.whole.Put(whole)
	*whole = states.Sized(*whole, r.reduction.from.Len())
	label := r.Images.Image(i, *whole)
	r.reduction.apply(dst, *whole)
	return label
}

// A reducedSource is a data set whose images are reduced.
type reducedSource struct {
	dataset.Source
	images reducedImages
}

// reduced returns a data set of the images as judges without labels see them.
func reduced(data dataset.Source) dataset.Source {
	r := reductionOf(pipeline.ShapeOf(data))
	if r.side == 1 {
		return data
	}
	return &reducedSource{Source: data, images: reducedImages{Images: data, reduction: r}}
}

// Shape implements [dataset.Source].
func (r *reducedSource) Shape() (h, w, c int) {
	s := r.images.reduction.to
	return s.Height, s.Width, s.Channels
}

// Image implements [dataset.Source].
func (r *reducedSource) Image(i int, dst []float32) int { return r.images.Image(i, dst) }
