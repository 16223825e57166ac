package dataset

import (
	"context"
	"fmt"
	"image"

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

// newLabelled joins the two arrays of an IDX pair: images [N,H,W] or [N,H,W,C] and labels [N]. It
// keeps the memory of the images. Labels without dimensions mean that there are none.
func newLabelled(name string, images, labels idxArray, classes []string) (*labelled, error) {
	if len(images.dims) != 3 && len(images.dims) != 4 {
		return nil, fmt.Errorf("images have dimensions %v, want count, height and width", images.dims)
	}
	s := &labelled{name: name, h: images.dims[1], w: images.dims[2], c: 1, classes: classes}
	if len(images.dims) == 4 {
		s.c = images.dims[3]
	}
	n, size := images.dims[0], s.size()
	if n == 0 || size == 0 {
		return nil, fmt.Errorf("images have dimensions %v: there is nothing to learn from", images.dims)
	}
	if s.c != 1 && s.c != 3 {
		return nil, fmt.Errorf("images have %d channels, only 1 (gray) or 3 (RGB) can be read", s.c)
	}
	if err := s.setLabels(labels, n); err != nil {
		return nil, err
	}
	s.slab = images.data
	return s, nil
}

// setLabels checks the labels of n images and takes them over.
func (s *labelled) setLabels(labels idxArray, n int) error {
	if labels.dims == nil && s.classes == nil {
		return nil
	}
	if len(labels.dims) != 1 {
		return fmt.Errorf("labels have dimensions %v, want a count alone", labels.dims)
	}
	if labels.dims[0] != n {
		return fmt.Errorf("%d images, but %d labels: do the two files belong together?", n, labels.dims[0])
	}
	s.labels = make([]int32, n)
	for i, label := range labels.data {
		if int(label) >= len(s.classes) {
			return fmt.Errorf("label %d of image %d is not below %d, the number of classes", label, i, len(s.classes))
		}
		s.labels[i] = int32(label)
	}
	return nil
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
		pixels := s.bytes(i)
		if to.h != s.h || to.w != s.w {
			pixels = samples(square(s.picture(i), to.h), s.c)
		}
		to.images[i] = withChannels(pixels, s.c, to.c)
	})
	return &to, err
}

// picture returns image i as an image of package image.
func (s *labelled) picture(i int) image.Image {
	rect := image.Rect(0, 0, s.w, s.h)
	if s.c == 1 {
		return &image.Gray{Pix: s.bytes(i), Stride: s.w, Rect: rect}
	}
	m, pixels := image.NewNRGBA(rect), s.bytes(i)
	for p := range s.h * s.w {
		copy(m.Pix[4*p:], pixels[3*p:3*p+3])
		m.Pix[4*p+3] = 0xff
	}
	return m
}

// checkMemory bounds the memory of n images, with about 64 bytes for the bookkeeping of each.
func checkMemory(n, h, w, c int, o Options) error {
	need := float64(n) * (float64(h)*float64(w)*float64(c) + 64)
	if need <= float64(o.maxBytes()) {
		return nil
	}
	return option.Faultf("%d images of %dx%d with %d channels need %s of memory, and %s are allowed",
		n, h, w, c, text.Bytes(need), text.Bytes(float64(o.maxBytes()))).
		Cured("choose a smaller %v, %v or fewer images, or allow more by %v", option.Setting{Option: "size"},
			option.Setting{Option: "image-channels", Value: "gray"}, option.Setting{Option: "data-memory"})
}
