package dataset

import (
	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/internal/option"
)

// white is the byte of a white sample, and of alpha where nothing shines through.
const white = 255

// hasAlpha reports whether the last of so many channels is alpha.
func hasAlpha(channels int) bool { return channels == 2 || channels == 4 }

// alphaIs reports whether all pixels have the given alpha, which is the last of their channels.
func alphaIs(pixels []byte, channels int, alpha byte) bool {
	for i := channels - 1; i < len(pixels); i += channels {
		if pixels[i] != alpha {
			return false
		}
	}
	return true
}

// keeping adds to a note on transparent pixels which channels keep them. Where somebody has chosen
// channels, or a model has, it adds nothing.
func (o Options) keeping(note Note, gray bool) Note {
	if o.Channels != 0 {
		return note
	}
	keep := option.Setting{Option: "image-channels", Value: "rgba"}
	if gray {
		keep.Value = "gray-alpha"
	}
	return Note{Format: note.Format + " (%v keeps them)", Args: append(note.Args, keep)}
}

// withChannels returns pixels with another number of channels: 1 gray, 2 gray and alpha, 3 RGB, 4
// RGBA. Gray becomes three equal colours. Colours become their luma (Rec. 601), which leaves gray
// as it is. Where alpha goes, colours are drawn over white. Where alpha comes, pixels are opaque.
func withChannels(pixels []byte, from, to int) []byte {
	if from == to {
		return pixels
	}
	out := make([]byte, 0, len(pixels)/from*to)
	for ; len(pixels) > 0; pixels = pixels[from:] {
		r, g, b, a := rgba(pixels[:from])
		if !hasAlpha(to) {
			r, g, b = overWhite(r, a), overWhite(g, a), overWhite(b, a)
		}
		switch to {
		case 1:
			out = append(out, decode.Luma(r, g, b))
		case 2:
			out = append(out, decode.Luma(r, g, b), a)
		case 3:
			out = append(out, r, g, b)
		default:
			out = append(out, r, g, b, a)
		}
	}
	return out
}

// rgba returns a pixel of 1 to 4 channels as red, green, blue and alpha.
func rgba(pixel []byte) (r, g, b, a byte) {
	switch len(pixel) {
	case 1:
		return pixel[0], pixel[0], pixel[0], white
	case 2:
		return pixel[0], pixel[0], pixel[0], pixel[1]
	case 3:
		return pixel[0], pixel[1], pixel[2], white
	}
	return pixel[0], pixel[1], pixel[2], pixel[3]
}

// overWhite draws a sample over white.
func overWhite(sample, alpha byte) byte {
	return byte((int(sample)*int(alpha) + white*(white-int(alpha)) + white/2) / white)
}
