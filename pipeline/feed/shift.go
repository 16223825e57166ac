package feed

import (
	"math/bits"
	"math/rand/v2"
)

// drawShift draws a whole number of pixels between -most and most.
func drawShift(rng *rand.PCG, most int) int {
	high, _ := bits.Mul64(rng.Uint64(), uint64(2*most+1))
	return int(high) - most
}

// shift moves an image by whole pixels: the pixel at (x, y) becomes that at (x+right, y+down). What
// comes in from outside has the colour of the edge, so that it is a crop of the padded image. Rows
// are rowLen numbers, and pixels have the given channels. Both distances are less than a side.
func shift(image []float32, rowLen, channels, right, down int) {
	rows := len(image) / rowLen
	row := func(y int) []float32 {
		y = min(max(y, 0), rows-1)
		return image[y*rowLen : (y+1)*rowLen]
	}
	for i := range rows {
		// The next row to be read must not be written yet.
		y := i
		if down < 0 {
			y = rows - 1 - i
		}
		to := row(y)
		copy(to, row(y+down))
		shiftRow(to, channels, right*channels)
	}
}

// shiftRow moves a row by so many numbers, a multiple of the channels.
func shiftRow(row []float32, channels, by int) {
	n := len(row)
	switch {
	case by > 0:
		copy(row, row[by:])
		for at := n - by; at < n; at += channels {
			copy(row[at:], row[n-channels:])
		}
	case by < 0:
		copy(row[-by:], row)
		for at := channels; at < -by; at += channels {
			copy(row[at:at+channels], row[:channels])
		}
	}
}
