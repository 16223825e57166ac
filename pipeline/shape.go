package pipeline

import (
	"github.com/fmimg/fmimg/dataset"
)

// A Shape is that of an image: pixels and channels.
type Shape struct{ Height, Width, Channels int }

// ShapeOf returns the shape of a source's images.
func ShapeOf(s dataset.Source) Shape {
	h, w, c := s.Shape()
	return Shape{h, w, c}
}

// Len returns how many numbers an image has.
func (s Shape) Len() int { return s.Height * s.Width * s.Channels }
