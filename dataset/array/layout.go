package array

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A layout says which dimension of an array is which. Each of order belongs to a dimension of the
// array and lists, from the slowest to the fastest, the axes that it holds: N (images), H (rows), W
// (columns), C (channels). {"N", "CHW"} is an array of rows, each with the planes of an image.
type layout struct {
	order      []string
	n, h, w, c int
	note       string // what was assumed; empty where nothing was
	either     bool   // the channels may be contiguous ("HWC") or planes ("CHW"): the pixels tell
}

const (
	minSide = 4       // of images that are rows of pixels: fewer are measurements
	longest = 4       // the side of an image over the other that is usual
	maxSide = 1 << 14 // of any image
)

// colours reports whether a dimension may be that of channels.
func colours(d int) bool { return d == 1 || d == 3 || d == 4 }

// arrange finds the layout of dimensions. Where they are exact, they are count, height, width and
// perhaps channels.
func arrange(dims []int, exact bool) (layout, error) {
	if slices.Contains(dims, 0) {
		return layout{}, fmt.Errorf("dimensions %v: there is nothing to learn from", dims)
	}
	if one := slices.Index(dims, 1); len(dims) > 4 && one >= 0 {
		return arrangeWithout(dims, one, exact)
	}
	var l layout
	var err error
	switch n := len(dims); {
	case exact && n == 3, exact && n == 4 && dims[3] <= 4:
		l.order = []string{"N", "H", "W", "C"}[:n]
	case n == 2:
		l, err = arrange2(dims)
	case n == 3:
		l = arrange3(dims)
	case n == 4:
		l, err = arrange4(dims)
	case n == 5 && colours(dims[4]):
		err = fmt.Errorf("dimensions %v may be films: save reshape(%d, %d, %d, %d) of it", dims, dims[0]*dims[1], dims[2], dims[3], dims[4])
	default:
		err = fmt.Errorf("dimensions %v are not those of images: "+
			"[count, height, width] or [count, height, width, channels] is needed", dims)
	}
	if err != nil {
		return layout{}, err
	}
	l.measure(dims)
	if l.h > maxSide || l.w > maxSide {
		return layout{}, fmt.Errorf("images of %dx%d: a side of more than %d is not read", l.w, l.h, maxSide)
	}
	return l, nil
}

// arrangeWithout finds the layout of more than 4 dimensions, of which one is 1.
func arrangeWithout(dims []int, one int, exact bool) (layout, error) {
	l, err := arrange(slices.Delete(slices.Clone(dims), one, one+1), exact)
	if err != nil {
		return layout{}, err
	}
	l.order = slices.Insert(l.order, one, "")
	return l, nil
}

// arrange2 finds the layout of rows of pixels.
func arrange2(dims []int) (layout, error) {
	n, d := dims[0], dims[1]
	if s := side(d); s >= minSide {
		if n == d {
			return layout{}, fmt.Errorf("dimensions %v may be one picture, or %d rows of %dx%d pixels: "+
				"save reshape(1, %d, %d) or reshape(%d, %d, %d) of it", dims, n, s, s, n, d, n, s, s)
		}
		return layout{order: []string{"N", "HW"}, note: fmt.Sprintf("rows of %d pixels were taken for squares of %dx%d", d, s, s)}, nil
	}
	if s := side(d / 3); d%3 == 0 && s >= minSide {
		return layout{order: []string{"N", "CHW"}, either: true}, nil
	}
	return layout{}, fmt.Errorf("dimensions %v: rows of %d numbers are not square images, gray or RGB; "+
		"one picture is saved as reshape(1, %d, %d) of it", dims, d, n, d)
}

// arrange3 finds the layout of gray images, or of one picture.
func arrange3(dims []int) layout {
	a, b, c := dims[0], dims[1], dims[2]
	switch {
	case (c == 3 || c == 4) && a > minSide && b > minSide && a <= maxSide:
		return layout{order: []string{"H", "W", "C"},
			note: fmt.Sprintf("dimensions %v were taken for one picture of %dx%d with %d channels", dims, b, a, c)}
	case c == 3 && side(b) >= minSide:
		return layout{order: []string{"N", "HW", "C"},
			note: fmt.Sprintf("dimensions %v were taken for squares of %dx%d in RGB", dims, side(b), side(b))}
	case b == 3 && side(c) >= minSide:
		return layout{order: []string{"N", "C", "HW"},
			note: fmt.Sprintf("dimensions %v were taken for squares of %dx%d in planes of RGB", dims, side(c), side(c))}
	case b == 1 && side(c) >= minSide:
		return layout{order: []string{"N", "C", "HW"},
			note: fmt.Sprintf("rows of %d pixels were taken for squares of %dx%d", c, side(c), side(c))}
	case c == 1 && a != b && side(b) >= minSide:
		return layout{order: []string{"N", "HW", "C"},
			note: fmt.Sprintf("rows of %d pixels were taken for squares of %dx%d", b, side(b), side(b))}
	case c == 1 && a > minSide && b > minSide && a <= maxSide:
		return layout{order: []string{"H", "W", "C"},
			note: fmt.Sprintf("dimensions %v were taken for one gray picture of %dx%d", dims, b, a)}
	}
	l := layout{order: []string{"N", "H", "W"}}
	switch {
	case a == b && c > 4 && c != b && a > minSide:
		return layout{order: []string{"H", "W", "N"},
			note: fmt.Sprintf("dimensions %v were taken for height, width and count", dims)}
	case b > longest*c, c > longest*b:
		l.note = fmt.Sprintf("dimensions %v were taken for count, height and width", dims)
	case a == 3 && b > minSide && c > minSide:
		l.note = fmt.Sprintf("dimensions %v were taken for 3 gray images: one in RGB would be %v", dims, []int{1, b, c, 3})
	}
	return l
}

// arrange4 finds the layout of images with channels.
func arrange4(dims []int) (layout, error) {
	first, second, third, last := dims[0], dims[1], dims[2], dims[3]
	switch {
	case colours(last) && colours(second) && !(second == 1 && last == 1):
		return layout{order: []string{"N", "H", "W", "C"},
			note: fmt.Sprintf("dimensions %v were taken for count, height, width and channels", dims)}, nil
	case colours(last):
		return layout{order: []string{"N", "H", "W", "C"}}, nil
	case colours(second):
		return layout{order: []string{"N", "C", "H", "W"}}, nil
	case third == 3 || third == 1:
		return layout{order: []string{"H", "W", "C", "N"},
			note: fmt.Sprintf("dimensions %v were taken for height, width, channels and count", dims)}, nil
	case first == 3:
		return layout{order: []string{"C", "H", "W", "N"},
			note: fmt.Sprintf("dimensions %v were taken for channels, height, width and count", dims)}, nil
	case last == 2:
		return layout{order: []string{"N", "H", "W", "C"}}, nil
	case second == 2:
		return layout{order: []string{"N", "C", "H", "W"}}, nil
	}
	return layout{}, fmt.Errorf("dimensions %v: images have 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGBA) "+
		"channels, and none of these stands where channels do: save some channels of it, or the slices of a volume one by one", dims)
}

// side returns the side of a square of d pixels, 0 where there is none.
func side(d int) int {
	s := int(math.Sqrt(float64(d)))
	for ; s*s > d; s-- {
	}
	if s*s < d {
		return 0
	}
	return s
}

// measure fills in the sizes of the axes.
func (l *layout) measure(dims []int) {
	l.n, l.h, l.w, l.c = 1, 1, 1, 1
	for i, axes := range l.order {
		d := dims[i]
		if strings.Contains(axes, "HW") {
			if len(axes) == 3 {
				l.c, d = 3, d/3
			}
			l.h, l.w = side(d), side(d)
			continue
		}
		switch axes {
		case "N":
			l.n = d
		case "H":
			l.h = d
		case "W":
			l.w = d
		case "C":
			l.c = d
		}
	}
}

// turn makes rows of columns: the file has each image column by column.
func (l *layout) turn() {
	swap := strings.NewReplacer("H", "W", "W", "H")
	for i, axes := range l.order {
		l.order[i] = swap.Replace(axes)
	}
	l.h, l.w = l.w, l.h
}

// interleave takes the channels of each pixel to be contiguous, not planes.
func (l *layout) interleave() {
	for i, axes := range l.order {
		if axes == "CHW" {
			l.order[i] = "HWC"
		}
	}
}

// bytes returns the number of bytes of all images, in floating point so that nothing overflows.
func (l *layout) bytes() float64 {
	return float64(l.n) * float64(l.h) * float64(l.w) * float64(l.c)
}

// An axis is a step through the pixels: size steps of stride bytes.
type axis struct{ size, stride int }

// axes returns the axes in the order of the file, the slowest first, with strides in NHWC.
func (l *layout) axes(fortran bool) []axis {
	by := map[rune]axis{
		'N': {l.n, l.h * l.w * l.c}, 'H': {l.h, l.w * l.c}, 'W': {l.w, l.c}, 'C': {l.c, 1},
	}
	order := slices.Clone(l.order)
	if fortran {
		slices.Reverse(order)
	}
	var list []axis
	for _, letter := range strings.Join(order, "") {
		list = append(list, by[letter])
	}
	return list
}

// plain reports whether the numbers of the file already are in the order NHWC.
func (l *layout) plain(fortran bool) bool {
	want := 1
	list := l.axes(fortran)
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].size != 1 && list[i].stride != want {
			return false
		}
		want *= list[i].size
	}
	return true
}
