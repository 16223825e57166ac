package feed

import "github.com/fmimg/fmimg/dataset"

// HasAlpha reports whether the last of so many channels is alpha: of gray and alpha, and of RGBA.
func HasAlpha(channels int) bool { return channels == 2 || channels == 4 }

// OverGray replaces the colours of images by what is seen of them over the middle gray, 0, and
// leaves their alpha. Images are [N, H, W, channels] in [-1, 1]. So the colour of a pixel that
// nobody sees does not count where images are compared, and a white pixel still differs from a
// transparent one. Images without alpha stay as they are.
func OverGray(images []float32, channels int) {
	if !HasAlpha(channels) {
		return
	}
	for ; len(images) > 0; images = images[channels:] {
		seen := Seen(images[channels-1])
		for c := range channels - 1 {
			images[c] *= seen
		}
	}
}

// Seen is the share of a pixel's colour that is seen, 0 to 1, where its alpha is in [-1, 1].
func Seen(alpha float32) float32 {
	return (min(max(alpha, dataset.PixelMin), dataset.PixelMax) + 1) / 2
}
