package dataset

import "fmt"

// labelled is a Source in memory: images as bytes, one after the other, and a label for each.
type labelled struct {
	name    string
	h, w, c int
	images  []byte // NHWC
	labels  []byte
	classes []string
}

// newLabelled joins the two arrays of an IDX pair, images [N,H,W] and labels [N], which it keeps.
func newLabelled(name string, images, labels idxArray, classes []string) (*labelled, error) {
	if len(images.dims) != 3 {
		return nil, fmt.Errorf("images have dimensions %v, want count, height and width", images.dims)
	}
	if len(labels.dims) != 1 {
		return nil, fmt.Errorf("labels have dimensions %v, want a count alone", labels.dims)
	}
	n, h, w := images.dims[0], images.dims[1], images.dims[2]
	if n == 0 || h == 0 || w == 0 {
		return nil, fmt.Errorf("images have dimensions %v: there is nothing to learn from", images.dims)
	}
	if labels.dims[0] != n {
		return nil, fmt.Errorf("%d images, but %d labels: do the two files belong together?", n, labels.dims[0])
	}
	for i, label := range labels.data {
		if int(label) >= len(classes) {
			return nil, fmt.Errorf("label %d of image %d is not below %d, the number of classes", label, i, len(classes))
		}
	}
	return &labelled{name, h, w, 1, images.data, labels.data, classes}, nil
}

// Name implements [Source].
func (s *labelled) Name() string { return s.name }

// Len implements [Source].
func (s *labelled) Len() int { return len(s.labels) }

// Shape implements [Source].
func (s *labelled) Shape() (h, w, c int) { return s.h, s.w, s.c }

// Classes implements [Source].
func (s *labelled) Classes() []string { return s.classes }

// Image implements [Source].
func (s *labelled) Image(i int, dst []float32) (label int) {
	size := s.h * s.w * s.c
	if len(dst) != size {
		panic(fmt.Sprintf("dataset: image of %dx%dx%d into %d numbers", s.h, s.w, s.c, len(dst)))
	}
	label = int(s.labels[i]) // before the slice, whose panic would show bytes in place of i
	for k, b := range s.images[i*size : (i+1)*size] {
		dst[k] = fromByte[b]
	}
	return label
}
