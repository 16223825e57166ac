package picture

import (
	"io"

	"github.com/fmimg/fmimg/internal/npy"
)

// WriteNPY writes images as an array [N, H, W, C] in NumPy's format.
func WriteNPY(w io.Writer, s *Images) error {
	return npy.WriteFloat32(w, s.Pixels, s.Len(), s.Height, s.Width, s.Channels)
}
