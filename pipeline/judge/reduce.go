package judge

import (
	"context"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// mostSide is the longest side in pixels of what judges without labels see. Larger images are
// reduced, which bounds the memory and the time of a judge.
const mostSide = 64

// A reduction makes images smaller: each of their pixels becomes the mean of a square of side times
// side pixels. At the lower and right edges squares may be cut. Where images have an alpha channel,
// colours count by what is seen of them.
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
			pixel := dst[(y*r.to.Width+x)*channels:][:channels]
			in := square{y * r.side, min((y+1)*r.side, r.from.Height), x * r.side, min((x+1)*r.side, r.from.Width)}
			weight := r.sum(pixel, image, in, feed.HasAlpha(channels))
			if weight == 0 { // nothing is seen
				weight = r.sum(pixel, image, in, false)
			}
			last := channels - 1 // alpha, or a colour that weighs as the others do
			for c := range last {
				pixel[c] *= 1 / weight
			}
			pixel[last] *= 1 / float32((in.bottom-in.top)*(in.right-in.left))
		}
	}
}

// A square is a part of an image, without the row bottom and the column right.
type square struct{ top, bottom, left, right int }

// sum sets a pixel to the sum over a square, and returns the weight of the colours in it. They
// weigh 1 each, or what is seen of them.
func (r reduction) sum(pixel, image []float32, in square, bySight bool) (weight float32) {
	clear(pixel)
	last := len(pixel) - 1
	for i := in.top; i < in.bottom; i++ {
		for j := in.left; j < in.right; j++ {
			from, seen := image[(i*r.from.Width+j)*len(pixel):][:len(pixel)], float32(1)
			if bySight {
				seen = feed.Seen(from[last])
			}
			weight += seen
			for c, v := range from[:last] {
				pixel[c] += float32(seen * v)
			}
			pixel[last] += from[last]
		}
	}
	return weight
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
