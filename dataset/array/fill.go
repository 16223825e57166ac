package array

import "context"

// fill writes the bytes of an array where they belong in NHWC.
func fill(ctx context.Context, a *numbers, l *layout, s scale) ([]byte, error) {
	list := l.axes(a.fortran)
	out, at, place := make([]byte, a.count()), make([]int, len(list)), 0
	if a.each == nil && a.kind.isByte() {
		table := s.table()
		return out, a.raw(func(chunk []byte) error {
			for _, b := range chunk {
				out[place] = table[b]
				place += advance(at, list)
			}
			return ctx.Err()
		})
	}
	err := a.walk(func(chunk []float64) error {
		for _, v := range chunk {
			out[place] = s.toByte(v)
			place += advance(at, list)
		}
		return ctx.Err()
	})
	return out, err
}

// applied maps bytes through a scale, in place.
func (s scale) applied(data []byte) {
	table := s.table()
	for i, b := range data {
		data[i] = table[b]
	}
}

// table returns what becomes of each byte.
func (s scale) table() (table [256]byte) {
	for b := range table {
		table[b] = s.toByte(float64(b))
	}
	return table
}

// advance steps to the next number of the file, and returns how far that is in the pixels. After
// the last number it returns to the first.
func advance(at []int, list []axis) (step int) {
	for i := len(list) - 1; i >= 0; i-- {
		step += list[i].stride
		if at[i]++; at[i] < list[i].size {
			return step
		}
		at[i] = 0
		step -= list[i].stride * list[i].size
	}
	return step
}

// onWhite leaves the last of channels out, in place: pixels that it makes transparent become white.
// It returns what became of it, where before became of images before.
func onWhite(pixels []byte, channels int, before Alpha) (rest []byte, became Alpha) {
	colours, n := channels-1, len(pixels)/channels
	if became = alphaOf(pixels, channels); became == Unused && before > Unused {
		became = White
	}
	for p := range n {
		alpha := int(pixels[channels*p+colours])
		if became == Unused {
			alpha = 255
		}
		for c := range colours {
			pixels[colours*p+c] = byte((int(pixels[channels*p+c])*alpha + 255*(255-alpha) + 127) / 255)
		}
	}
	return pixels[: colours*n : colours*n], max(became, before)
}

// alphaOf looks at the last of channels.
func alphaOf(pixels []byte, channels int) Alpha {
	least, most := byte(255), byte(0)
	for i := channels - 1; i < len(pixels); i += channels {
		least, most = min(least, pixels[i]), max(most, pixels[i])
	}
	switch {
	case least == 255:
		return Opaque
	case most == 0:
		return Unused
	}
	return White
}

// opaqueAtOne multiplies the last of channels where it is a mask of 0 and 1 beside colours of 0 to
// 255, in place, and reports whether it is.
func opaqueAtOne(pixels []byte, channels int) bool {
	one, more := false, false
	for i := channels - 1; i < len(pixels); i += channels {
		if pixels[i] > 1 {
			return false
		}
		one = one || pixels[i] == 1
	}
	for i := 0; i < len(pixels) && !more; i++ {
		more = pixels[i] > 1
	}
	if !one || !more {
		return false
	}
	for i := channels - 1; i < len(pixels); i += channels {
		pixels[i] *= 255
	}
	return true
}
