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

// onWhite leaves the fourth channel out, in place: pixels that it makes transparent become white.
// It reports whether there were any.
func onWhite(rgba []byte) (rgb []byte, transparent bool) {
	n := len(rgba) / 4
	for p := range n {
		alpha := int(rgba[4*p+3])
		transparent = transparent || alpha < 255
		for c := range 3 {
			rgba[3*p+c] = byte((int(rgba[4*p+c])*alpha + 255*(255-alpha) + 127) / 255)
		}
	}
	return rgba[: 3*n : 3*n], transparent
}
