package evaluate

import "github.com/fmimg/fmimg/dataset"

// byteImages are images to evaluate, rounded to bytes as in a PNG. So a model has the same scores
// as the pictures that it wrote.
type byteImages struct {
	size   int     // numbers of an image
	slab   []byte  // [N, H, W, C]
	labels []int32 // the class of each image, -1 for none
}

// newByteImages takes the images of a source with the given numbers.
func newByteImages(source dataset.Source, index []int) *byteImages {
	h, w, c := source.Shape()
	s := &byteImages{size: h * w * c}
	pixels := make([]float32, s.size)
	for _, i := range index {
		label := source.Image(i, pixels)
		s.add(pixels, label)
	}
	return s
}

// add appends images, all of the same class.
func (s *byteImages) add(pixels []float32, label int) {
	for _, v := range pixels {
		s.slab = append(s.slab, dataset.ToByte(v))
	}
	for range len(pixels) / s.size {
		s.labels = append(s.labels, int32(label))
	}
}

// Len returns the number of images.
func (s *byteImages) Len() int { return len(s.labels) }

// Image writes image i to dst and returns the class that it was asked for, -1 for none.
func (s *byteImages) Image(i int, dst []float32) int {
	for k, b := range s.slab[i*s.size : (i+1)*s.size] {
		dst[k] = dataset.FromByte(b)
	}
	return int(s.labels[i])
}
