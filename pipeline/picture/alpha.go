package picture

import "github.com/fmimg/fmimg/dataset"

// The squares of a checkerboard: two grays that differ from the gutter, from black and from white.
// A side of an image has about squaresAcross of them.
const (
	lightSquare   = 204
	darkSquare    = 153
	squaresAcross = 8
)

// nearEnd is how far from transparent and from opaque, of 255 levels, an alpha in a picture counts
// as that. Networks draw 0 and 255 a few levels beside them, and a veil would show where nothing
// is.
const nearEnd = 16

// HasAlpha reports whether the last channel of the images is alpha: of gray and alpha, and of RGBA.
func (s *Images) HasAlpha() bool { return s.Channels == 2 || s.Channels == 4 }

// isAlpha reports whether a number of the images, by its index in Pixels, is an alpha.
func (s *Images) isAlpha(i int) bool { return s.HasAlpha() && i%s.Channels == s.Channels-1 }

// OnCheckerboard returns the images for people to look at. Where they have an alpha channel, it
// lays them over a checkerboard of light and dark gray squares, and the result has the colours
// alone. Other images are returned as they are.
func (s *Images) OnCheckerboard() *Images {
	if !s.HasAlpha() {
		return s
	}
	out := *s
	out.Channels--
	out.Pixels = make([]float32, 0, len(s.Pixels)/s.Channels*out.Channels)
	side := max(max(s.Height, s.Width)/squaresAcross, 1)
	for i := 0; i < len(s.Pixels); i += s.Channels {
		at := i / s.Channels % (s.Height * s.Width)
		square := dataset.FromByte(lightSquare)
		if (at/s.Width/side+at%s.Width/side)%2 == 1 {
			square = dataset.FromByte(darkSquare)
		}
		share := share(s.Pixels[i+out.Channels])
		for _, v := range s.Pixels[i : i+out.Channels] {
			out.Pixels = append(out.Pixels, square+float32(share*(clamp(v)-square)))
		}
	}
	return &out
}

// alphaByte returns an alpha of the range [-1, 1] as a byte of a picture.
func alphaByte(alpha float32) byte {
	switch b := dataset.ToByte(alpha); {
	case b < nearEnd:
		return 0
	case b > 255-nearEnd:
		return 255
	default:
		return b
	}
}

// share returns the share of a pixel's colour in what is seen of it, for an alpha in [-1, 1].
func share(alpha float32) float32 { return (clamp(alpha) + 1) / 2 }

// clamp brings a number into [-1, 1]. NaN becomes -1.
func clamp(v float32) float32 {
	if !(v > dataset.PixelMin) {
		return dataset.PixelMin
	}
	return min(v, dataset.PixelMax)
}
