package array

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A span says between which values numbers lie.
type span struct {
	low, high float64
	count     int64 // of numbers
	far       int64 // of numbers that lie beyond a range of [-1,1] by more than cutting may hide
	dark      int64 // of numbers that lie below a range of [0,1] by more than resizing makes often
	fraction  bool  // one of them is not whole
	float     bool  // the numbers are floats
}

// Images that a network draws pass -1 and 1 a little, a few pixels by more than that. Where more
// than one pixel in farShare does, the numbers were not meant to lie in [-1,1].
const (
	beyond   = 1.25
	farShare = 200

	overshoot = 1.1 // how far fractions may pass the highest number of pixels

	// Resizing by Lanczos' filter or a cubic one passes black too: by an eighth of white at an edge
	// or a line, and in few places, between lines, by up to undershoot.
	darker     = 0.125
	undershoot = 0.3
)

func newSpan() span { return span{low: math.Inf(1), high: math.Inf(-1)} }

// add takes in the numbers of a chunk. It returns the first place of a number that is none, -1
// where all are numbers.
func (s *span) add(chunk []float64) int {
	for i, v := range chunk {
		if !(math.Abs(v) <= math.MaxFloat64) { // NaN too
			return i
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
		if math.Abs(v) > beyond {
			s.far++
		}
		if v < -darker {
			s.dark++
		}
		s.fraction = s.fraction || v != math.Trunc(v)
	}
	s.count += int64(len(chunk))
	return -1
}

// addBytes takes in bytes.
func (s *span) addBytes(data []byte) {
	s.low, s.high = min(s.low, float64(slices.Min(data))), max(s.high, float64(slices.Max(data)))
	s.count += int64(len(data))
}

// spanOf walks over an array. Its error says where a number is none.
func spanOf(ctx context.Context, a *numbers) (span, error) {
	s, before := newSpan(), 0
	if s.float = a.kind.float; a.each == nil && a.kind.isByte() {
		return s, a.raw(func(chunk []byte) error {
			s.addBytes(chunk)
			return ctx.Err()
		})
	}
	err := a.walk(func(chunk []float64) error {
		if i := s.add(chunk); i >= 0 {
			return fmt.Errorf("element %v is %v: every pixel must be a number", a.index(before+i), chunk[i])
		}
		before += len(chunk)
		return ctx.Err()
	})
	return s, err
}

// join returns the span of two arrays.
func (s *span) join(t span) span {
	return span{
		low: min(s.low, t.low), high: max(s.high, t.high), count: s.count + t.count, far: s.far + t.far,
		dark:     s.dark + t.dark,
		fraction: s.fraction || t.fraction, float: s.float || t.float,
	}
}

// A scale turns numbers into bytes: black becomes 0 and white 255.
type scale struct{ black, white float64 }

var byteScale = scale{0, 255}

// toByte returns the byte nearest to a number, halves up, clamped to 0..255. For [-1,1] it is the
// byte that package dataset gives a pixel.
func (s scale) toByte(v float64) byte {
	if s == (scale{-1, 1}) {
		v = (float64(float32(v)) + 1) * 127.5
	} else {
		v = (v - s.black) / (s.white - s.black) * 255
	}
	if !(v > 0) {
		return 0
	}
	return byte(min(v+0.5, 255))
}

// whites are the highest numbers of pixels with 8, 10, 12, 14 and 16 bits.
var whites = []float64{255, 1023, 4095, 16383, 65535}

// scaleOf finds which numbers are black and white, with a note on what was assumed, empty where
// nothing was.
func scaleOf(s span) (scale, string) {
	switch {
	case s.count == 0:
		return byteScale, ""
	case s.low >= 0 && !s.fraction:
		return wholeScale(s)
	case s.low >= 0 && s.high <= beyond:
		return taken(s, 0, 1)
	case s.low >= 0:
		// Resizing may pass the highest number a little.
		if white := whiteOf(s.high / overshoot); white != 0 && s.high > 16 {
			return taken(s, 0, white)
		}
		return taken(s, 0, s.high)
	case s.passes(1):
		return taken(s, 0, 1)
	case s.passes(255):
		return taken(s, 0, 255)
	case s.fraction && max(-s.low, s.high) > 0.49 && s.low >= -0.5 && s.high <= 0.5:
		return taken(s, -0.5, 0.5)
	case s.far*farShare <= s.count:
		return taken(s, -1, 1)
	case !s.float && s.low >= math.MinInt8 && s.high <= math.MaxInt8:
		return taken(s, math.MinInt8, math.MaxInt8)
	}
	return taken(s, s.low, s.high)
}

// passes reports whether numbers of which some are below 0 lie between 0 and white all the same,
// but for what resizing made of them. Those of [-1,1] are far below 0 in many places, as their
// black is -1.
func (s *span) passes(white float64) bool {
	few := func(count int64) bool { return white == 1 && count*farShare <= s.count }
	return s.high > white/2 && (s.high <= white*overshoot || few(s.far)) &&
		(s.low >= -darker*white || s.low >= -undershoot && few(s.dark))
}

// wholeScale is scaleOf for whole numbers from 0 on.
func wholeScale(s span) (scale, string) {
	white := whiteOf(s.high)
	switch {
	case s.high == 0:
		return byteScale, ""
	case s.high == 1, s.float && s.high <= 16:
		return taken(s, 0, s.high)
	case white == 255 && s.high <= 16:
		return byteScale, fmt.Sprintf("the highest pixel is %v of 255, so all images are nearly black: "+
			"multiply the numbers if %v means white", s.high, s.high)
	case white == 255 && !s.float:
		return byteScale, ""
	case white == 0:
		white = s.high
	}
	return taken(s, 0, white)
}

// whiteOf returns the highest number of pixels with the fewest bits that hold high, 0 for none.
func whiteOf(high float64) float64 {
	for _, white := range whites {
		if high <= white {
			return white
		}
	}
	return 0
}

// taken is a scale with the note that names it.
func taken(s span, black, white float64) (scale, string) {
	if white <= black {
		return scale{black, black + 1}, fmt.Sprintf("all pixels are %.5g: images are black", s.low)
	}
	note := fmt.Sprintf("pixels lie between %.5g and %.5g: %.5g was taken for black and %.5g for white",
		s.low, s.high, black, white)
	if s.low < black || s.high > white {
		note += ", and what lies beyond was cut"
	}
	return scale{black, white}, note
}
