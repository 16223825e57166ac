package picture

import (
	"github.com/fmimg/fmimg/pipeline"
)

// Images is a set of images of one shape, such as a model draws.
type Images struct {
	Height, Width, Channels int
	Pixels                  []float32 // [N, Height, Width, Channels], nominally in [-1, 1]
	Labels                  []int32   // the class of each image; nil from a model without classes
}

// Blank returns n images of a shape whose pixels are 0.
func Blank(s pipeline.Shape, n int) *Images {
	return &Images{Height: s.Height, Width: s.Width, Channels: s.Channels, Pixels: make([]float32, n*s.Len())}
}

// Len returns the number of images.
func (s *Images) Len() int { return len(s.Pixels) / s.ImageLen() }

// ImageLen returns the count of numbers in an image.
func (s *Images) ImageLen() int { return s.Height * s.Width * s.Channels }

// Slice returns the images from..to-1, which share their pixels with s.
func (s *Images) Slice(from, to int) *Images {
	part := *s
	part.Pixels = s.Pixels[from*s.ImageLen() : to*s.ImageLen()]
	if s.Labels != nil {
		part.Labels = s.Labels[from:to]
	}
	return &part
}
