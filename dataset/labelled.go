package dataset

import (
	"context"
	"fmt"
	"image"

	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// labelled is a Source in memory: images as bytes, and a label for each.
type labelled struct {
	name    string
	h, w, c int
	slab    []byte   // NHWC, one image after the other; unused when images is not nil
	images  [][]byte // HWC, each image in memory of its own
	labels  []int32  // -1 for none; nil when no image has one
	classes []string
}

// size returns the bytes of an image.
func (s *labelled) size() int { return s.h * s.w * s.c }

// bytes returns image i, HWC.
func (s *labelled) bytes(i int) []byte {
	if s.images != nil {
		return s.images[i]
	}
	if size := s.size(); uint(i) < uint(len(s.slab)/size) {
		return s.slab[i*size : (i+1)*size]
	}
	panic(fmt.Sprintf("dataset: image %d of %d", i, s.Len()))
}

// Name implements [Source].
func (s *labelled) Name() string { return s.name }

// Len implements [Source].
func (s *labelled) Len() int {
	if s.images != nil {
		return len(s.images)
	}
	return len(s.slab) / s.size()
}

// Shape implements [Source].
func (s *labelled) Shape() (h, w, c int) { return s.h, s.w, s.c }

// Classes implements [Source].
func (s *labelled) Classes() []string { return s.classes }

// Image implements [Source].
func (s *labelled) Image(i int, dst []float32) (label int) {
	if len(dst) != s.size() {
		panic(fmt.Sprintf("dataset: image of %dx%dx%d into %d numbers", s.h, s.w, s.c, len(dst)))
	}
	for k, b := range s.bytes(i) {
		dst[k] = fromByte[b]
	}
	if s.labels == nil {
		return -1
	}
	return int(s.labels[i])
}

// fit returns the images in the shape that the options ask for. That takes memory only when the
// images have another shape. A nil source stays nil.
func fit(ctx context.Context, src Source, o Options) (Source, error) {
	s, ok := src.(*labelled)
	if !ok || s == nil {
		return nil, nil
	}
	to := *s
	if o.Width != 0 {
		to.h, to.w = o.Height, o.Width
	}
	if o.Channels != 0 {
		to.c = o.Channels
	}
	if to.h == s.h && to.w == s.w && to.c == s.c {
		return s, nil
	}
	n := s.Len()
	if err := checkMemory(n, to.h, to.w, to.c, o); err != nil {
		return nil, err
	}
	to.images, to.slab = make([][]byte, n), nil
	err := o.parallel(ctx, n, func(i int) {
		if to.h == s.h && to.w == s.w {
			to.images[i] = withChannels(s.bytes(i), s.c, to.c)
			return
		}
		to.images[i] = decode.Fitted(s.picture(i), decode.Options{
			Width: to.w, Height: to.h, Fit: o.Fit, Channels: to.c,
		})
	})
	return &to, err
}

// bookkeeping is about the memory in bytes for the name and the state of an image: 310 were
// measured on a million files. The garbage of decoding comes on top, about once more of all that is
// kept.
const bookkeeping = 320

// checkMemory bounds the memory of n images.
func checkMemory(n, h, w, c int, o Options) error {
	need := float64(n) * (float64(h)*float64(w)*float64(c) + bookkeeping)
	if need <= float64(o.maxBytes()) {
		return nil
	}
	needs := "need"
	if n == 1 {
		needs = "needs"
	}
	return option.Faultf("%s of %dx%d with %s %s %s of memory, and %s are allowed",
		text.Count(n, "image", "images"), h, w, text.Count(c, "channel", "channels"), needs, text.Bytes(need), text.Bytes(float64(o.maxBytes()))).
		Cured("choose a smaller %v, %v or fewer images, or allow more by %v", option.Setting{Option: "size"},
			option.Setting{Option: "image-channels", Value: "gray"}, option.Setting{Option: "data-memory"})
}

// picture returns image i as an image of package image.
func (s *labelled) picture(i int) image.Image {
	rect := image.Rect(0, 0, s.w, s.h)
	if s.c == 1 {
		return &image.Gray{Pix: s.bytes(i), Stride: s.w, Rect: rect}
	}
	return &image.NRGBA{Pix: withChannels(s.bytes(i), s.c, maxChannels), Stride: maxChannels * s.w, Rect: rect}
}
