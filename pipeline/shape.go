package pipeline

import (
	"github.com/fmimg/fmimg/dataset"
)

// A Shape is the size of an image: rows and columns of pixels, and the channels of a pixel.
type Shape struct{ Height, Width, Channels int }

// ShapeOf returns the shape of the images of a source.
func ShapeOf(s dataset.Source) Shape {
	h, w, c := s.Shape()
	return Shape{h, w, c}
}

// Len returns the count of numbers in an image.
func (s Shape) Len() int { return s.Height * s.Width * s.Channels }

// Size returns the sides of the image.
func (s Shape) Size() Size { return Size{s.Width, s.Height} }

// Sides returns WIDTHxHEIGHT, for a text.
func (s Shape) Sides() string { return s.Size().Sides() }
