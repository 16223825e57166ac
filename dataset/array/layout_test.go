package array

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestLayouts has arrays whose elements are numbered in the order of the file, and the first bytes
// of the second image, or of the only one.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		shape  []int
		h, w   int
		ch, n  int
		second []byte
		note   string
	}{
		{[]int{2, 5, 4}, 5, 4, 1, 2, []byte{20, 21, 22}, ""},
		{[]int{2, 5, 4, 3}, 5, 4, 3, 2, []byte{60, 61, 62, 63}, ""},
		{[]int{2, 5, 4, 1}, 5, 4, 1, 2, []byte{20, 21}, ""},
		{[]int{2, 3, 5, 6}, 5, 6, 3, 2, []byte{90, 120, 150, 91}, ""},
		{[]int{2, 1, 5, 6}, 5, 6, 1, 2, []byte{30, 31}, ""},
		{[]int{5, 6, 3, 2}, 5, 6, 3, 2, []byte{1, 3, 5, 7}, "height, width, channels and count"},
		{[]int{3, 5, 6, 2}, 5, 6, 3, 2, []byte{1, 61, 121, 3}, "channels, height, width and count"},
		{[]int{2, 16}, 4, 4, 1, 2, []byte{16, 17}, "squares of 4x4"},
		{[]int{2, 1, 16}, 4, 4, 1, 2, []byte{16, 17}, "squares of 4x4"},
		{[]int{2, 16, 1}, 4, 4, 1, 2, []byte{16, 17}, "squares of 4x4"},
		{[]int{2, 3, 16}, 4, 4, 3, 2, []byte{48, 64, 80, 49}, "planes of RGB"},
		{[]int{2, 16, 3}, 4, 4, 3, 2, []byte{48, 49, 50}, "in RGB"},
		{[]int{5, 6, 3}, 5, 6, 3, 1, []byte{0, 1, 2, 3}, "one picture of 6x5"},
		{[]int{7, 6, 1}, 7, 6, 1, 1, []byte{0, 1}, "one gray picture of 6x7"},
		{[]int{3, 5, 6}, 5, 6, 1, 3, []byte{30, 31}, "3 gray images"},
		{[]int{2, 3, 7, 3}, 3, 7, 3, 2, []byte{63, 64}, "count, height, width and channels"},
		{[]int{2, 5, 4, 2}, 5, 4, 2, 2, []byte{40, 41, 42}, ""},
		{[]int{5, 2, 4, 6}, 4, 6, 2, 5, []byte{48, 72, 49}, ""},
		{[]int{5, 5, 7}, 5, 5, 1, 7, []byte{1, 8, 15}, "height, width and count"},
		{[]int{2, 3, 28}, 3, 28, 1, 2, []byte{84, 85}, "count, height and width"},
		{[]int{1, 2, 5, 4, 3}, 5, 4, 3, 2, []byte{60, 61, 62, 63}, ""},
		{[]int{2, 1, 5, 4, 1}, 5, 4, 1, 2, []byte{20, 21}, ""},
	} {
		t.Run(fmt.Sprint(c.shape), func(t *testing.T) {
			l, err := arrange(c.shape, false)
			if err != nil {
				t.Fatal(err)
			}
			if l.h != c.h || l.w != c.w || l.c != c.ch || l.n != c.n {
				t.Fatalf("%d images of %dx%dx%d", l.n, l.h, l.w, l.c)
			}
			a := numbers{dims: c.shape, kind: kind{size: 1}, open: opened(count(product(c.shape)))}
			got, err := fill(t.Context(), &a, &l, byteScale)
			if err != nil {
				t.Fatal(err)
			}
			at := min(1, l.n-1) * l.h * l.w * l.c
			if !bytes.HasPrefix(got[at:], c.second) {
				t.Errorf("image %v, want %v", got[at:][:len(c.second)], c.second)
			}
			if l.note != "" != (c.note != "") || !strings.Contains(l.note, c.note) {
				t.Errorf("note %q, want %q", l.note, c.note)
			}
			checkFortran(t, c.shape, l, got)
		})
	}
}

// checkFortran writes the same array in Fortran's order, and expects the same pixels.
func checkFortran(t *testing.T, shape []int, l layout, want []byte) {
	t.Helper()
	n := product(shape)
	a := numbers{dims: shape, fortran: true, kind: kind{size: 1}}
	data := make([]byte, n)
	for k := range data { // the number of the element in C's order
		value := 0
		for axis, i := range a.index(k) {
			value = value*shape[axis] + i
		}
		data[k] = byte(value)
	}
	a.open = opened(data)
	got, err := fill(t.Context(), &a, &l, byteScale)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Fortran's order gives other pixels, %v", err)
	}
}

func TestLayoutsRefused(t *testing.T) {
	for _, c := range []struct {
		shape []int
		words string
	}{
		{[]int{64, 64}, "may be one picture"},
		{[]int{28, 30}, "are not square images"},
		{[]int{10, 4}, "are not square images"},
		{[]int{20}, "are not those of images"},
		{[]int{2, 2, 2, 2, 2}, "are not those of images"},
		{[]int{10, 28, 28, 28}, "none of these stands where channels do"},
		{[]int{10, 28, 28, 5}, "none of these"},
		{[]int{4, 16, 28, 28, 3}, "save reshape(64, 28, 28, 3) of it"},
		{[]int{0, 28, 28}, "nothing to learn from"},
		{[]int{1, 1 << 15, 2}, "a side of more than"},
	} {
		_, err := arrange(c.shape, false)
		refused(t, err, c.words)
	}
}

// Smooth images in RGB tell by themselves whether a row has planes or pixels.
func TestRowsOfRGB(t *testing.T) {
	const n, side = 3, 6
	pixel := func(i, y, x, c int) byte { return byte(40*c + 5*i + 3*y + 2*x) }
	var planes, pixels []byte
	for i := range n {
		for c := range 3 {
			for at := range side * side {
				planes = append(planes, pixel(i, at/side, at%side, c))
			}
		}
		for at := range 3 * side * side {
			pixels = append(pixels, pixel(i, at/3/side, at/3%side, at%3))
		}
	}
	checkRowsOfRGB(t, n, side, planes, pixels)
}

// So do pictures without much colour, of which the three numbers of a pixel are alike.
func TestRowsOfGrayishRGB(t *testing.T) {
	const n, side = 3, 6
	pixel := func(i, y, x, c int) byte { return byte(2*c + 5*i + 20*y + 17*(x*x%5)) }
	var planes, pixels []byte
	for i := range n {
		for k := range 3 * side * side {
			planes = append(planes, pixel(i, k%(side*side)/side, k%side, k/(side*side)))
			pixels = append(pixels, pixel(i, k/3/side, k/3%side, k%3))
		}
	}
	checkRowsOfRGB(t, n, side, planes, pixels)
}

// checkRowsOfRGB reads n images of a side as planes and as pixels, in either order of arrays.
func checkRowsOfRGB(t *testing.T, n, side int, planes, pixels []byte) {
	t.Helper()
	for kind, data := range map[string][]byte{"planes": planes, "for each pixel": pixels} {
		across := make([]byte, len(data)) // the first number of all rows, then the second
		for i, b := range data {
			across[i%(3*side*side)*n+i/(3*side*side)] = b
		}
		for order, file := range map[string][]byte{
			"C": npyOf("|u1", "(3, 108)", data), "Fortran": npyFile("|u1", "True", "(3, 108)", across),
		} {
			set := mustRead(t, map[string][]byte{"x.npy": file})
			if !bytes.Equal(set.Train.Pixels, pixels) || set.Train.Channels != 3 {
				t.Errorf("%s in order %s: other pixels", kind, order)
			}
			checkNotes(t, set, kind)
		}
	}
}

func TestScales(t *testing.T) {
	f4 := func(v ...float32) any { return v }
	for _, c := range []struct {
		name, kind string
		data       any // 4 numbers
		want       []byte
		note       string
	}{
		{"bytes", "|u1", []byte{0, 2, 128, 255}, []byte{0, 2, 128, 255}, ""},
		{"bytes of 0 and 1", "|u1", []byte{0, 1, 1, 0}, []byte{0, 255, 255, 0}, "1 for white"},
		{"dark bytes", "|u1", []byte{0, 9, 1, 0}, []byte{0, 9, 1, 0}, "nearly black"},
		{"black", "|u1", []byte{0, 0, 0, 0}, []byte{0, 0, 0, 0}, ""},
		{"bool", "|b1", []byte{0, 1, 1, 0}, []byte{0, 255, 255, 0}, "1 for white"},
		{"signed bytes", "|i1", []int8{-128, 0, 127, 1}, []byte{0, 128, 255, 129}, "-128 was taken for black"},
		{"wide bytes", "<i8", []int64{0, 7, 200, 255}, []byte{0, 7, 200, 255}, ""},
		{"-1, 0, 1", "<i4", []int32{-1, 0, 1, 1}, []byte{0, 128, 255, 255}, "-1 was taken for black"},
		{"10 bits", ">u2", []uint16{0, 1023, 512, 300}, []byte{0, 255, 128, 75}, "1023 for white"},
		{"12 bits", "<u2", []uint16{0, 4095, 2048, 300}, []byte{0, 255, 128, 19}, "4095 for white"},
		{"16 bits", "<u2", []uint16{0, 65535, 32768, 300}, []byte{0, 255, 128, 1}, "65535 for white"},
		{"32 bits", "<u4", []uint32{0, 1 << 20, 1 << 19, 0}, []byte{0, 255, 128, 0}, "for white"},
		{"Hounsfield", "<i2", []int16{-1000, 1000, 0, 500}, []byte{0, 255, 128, 191}, "-1000 was taken for black"},
		{"[0,1]", "<f4", f4(0, 0.5, 1, 0.25), []byte{0, 128, 255, 64}, "1 for white"},
		{"[0,1] of whole numbers", "<f4", f4(0, 1, 1, 0), []byte{0, 255, 255, 0}, "1 for white"},
		{"[-1,1]", ">f4", f4(-1, 0, 1, -0.5), []byte{0, 128, 255, 64}, "-1 was taken for black"},
		{"0..16", "<f8", []float64{0, 8, 16, 4}, []byte{0, 128, 255, 64}, "16 for white"},
		{"0..255", "<f4", f4(0, 8.4, 255, 17), []byte{0, 8, 255, 17}, "255 for white"},
		{"0..255 of whole numbers", "<f4", f4(0, 8, 255, 17), []byte{0, 8, 255, 17}, "255 for white"},
		{"resized 0..255", "<f4", f4(0, 8.4, 255.6, 17), []byte{0, 8, 255, 17}, "255 for white, and what lies beyond was cut"},
		{"[-0.5,0.5]", "<f4", f4(-0.5, 0, 0.5, -0.25), []byte{0, 128, 255, 64}, "-0.5 was taken for black"},
		{"resized [0,1]", "<f4", f4(-0.06, 0.5, 1.06, 0.25), []byte{0, 128, 255, 64}, "0 was taken for black and 1 for white, and what lies beyond was cut"},
		{"one number a little below 0", "<f4", f4(-0.001, 0.5, 1, 0.25), []byte{0, 128, 255, 64}, "0 was taken for black and 1 for white, and what"},
		{"resized [0,1], dark", "<f4", f4(-0.125, 0.5, 0.75, 0.25), []byte{0, 128, 191, 64}, "0 was taken for black and 1 for white"},
		{"resized bytes", "<f4", f4(-3.5, 8.4, 258, 17), []byte{0, 8, 255, 17}, "0 was taken for black and 255 for white, and what lies beyond was cut"},
		{"resized bytes of whole numbers", "<i2", []int16{-12, 8, 262, 17}, []byte{0, 8, 255, 17}, "0 was taken for black and 255 for white"},
		{"bright [-1,1]", "<f4", f4(-0.2, 0, 1, 0.5), []byte{102, 128, 255, 191}, "-1 was taken for black"},
		{"faint [-1,1]", "<f4", f4(-0.1, 0, 0.1, 0.45), []byte{115, 128, 140, 185}, "-1 was taken for black"},
		{"heights", "<f4", f4(-60, 0, 195, 67.5), []byte{0, 60, 255, 128}, "-60 was taken for black and 195 for white"},
		{"standardised", "<f4", f4(-0.5, 0.5, 2.5, 1), []byte{0, 85, 255, 128}, "-0.5 was taken for black"},
		{"half", "<f2", []uint16{0, 0x3800, 0x3c00, 0x3400}, []byte{0, 128, 255, 64}, "1 for white"},
		{"one value", "<f4", f4(-3, -3, -3, -3), []byte{0, 0, 0, 0}, "all pixels are -3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := mustRead(t, map[string][]byte{
				"x.npy": npyOf(c.kind, "(1, 2, 2)", c.data), "y.npy": npyOf("|u1", "(1,)", []byte{0})})
			if !slices.Equal(set.Train.Pixels, c.want) {
				t.Errorf("pixels %v, want %v", set.Train.Pixels, c.want)
			}
			checkNotes(t, set, c.note)
		})
	}
}

// A few pixels of drawn images pass the range by far: they are cut, and the others stay.
func TestDrawnImages(t *testing.T) {
	data := make([]float32, 400)
	for i := range data {
		data[i] = -1.02
	}
	data[7], data[8] = 3, 0
	set := mustRead(t, map[string][]byte{"x.npy": npyOf("<f4", "(4, 10, 10)", data)})
	if p := set.Train.Pixels; p[0] != 0 || p[7] != 255 || p[8] != 128 {
		t.Errorf("pixels %v", p[:9])
	}
	checkNotes(t, set, "what lies beyond was cut")
}

// Resizing passes black and white by much in a few places, such as between two lines. Many numbers
// below 0 are of a range around it.
func TestResizedLines(t *testing.T) {
	data := make([]float32, 400)
	for i := range data {
		data[i] = 0.25
	}
	data[7], data[8], data[9] = -0.27, 1.4, 0.5
	for dark, want := range map[int][4]byte{0: {0, 255, 128, 64}, 3: {93, 255, 191, 159}} {
		some := slices.Clone(data)
		for i := range dark {
			some[20+i] = -0.2
		}
		set := mustRead(t, map[string][]byte{"x.npy": npyOf("<f4", "(4, 10, 10)", some)})
		if p := set.Train.Pixels; [4]byte(p[7:11]) != want {
			t.Errorf("%d dark numbers: pixels %v, want %v", 1+dark, p[7:11], want)
		}
	}
}

func TestNoNumbers(t *testing.T) {
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		data := make([]float32, 18)
		data[11] = v
		_, err := readOne(t, map[string][]byte{"x.npy": npyOf("<f4", "(2, 3, 3)", data)})
		refused(t, err, fmt.Sprintf("element [1 0 2] is %v", v))
	}
}

// The scale is that of all images: those to test on are not brightened apart.
func TestOneScale(t *testing.T) {
	train, test := []uint16{0, 4000, 8, 8}, []uint16{0, 200, 8, 8}
	set := mustRead(t, map[string][]byte{
		"x_train.npy": npyOf("<u2", "(1, 2, 2)", train), "x_test.npy": npyOf("<u2", "(1, 2, 2)", test)})
	if set.Test.Pixels[1] != 12 { // 200/4095·255
		t.Errorf("pixels %v", set.Test.Pixels)
	}
}

// Bytes and floats in [0,1] are not one scale.
func TestTwoScales(t *testing.T) {
	floats, bytes := npyOf("<f4", "(1, 2, 2)", []float32{0, 1, 0.5, 1}), npyOf("|u1", "(1, 2, 2)", []byte{0, 200, 7, 9})
	for _, c := range [][2][]byte{{floats, bytes}, {bytes, floats}} {
		_, err := readOne(t, map[string][]byte{"train.npy": c[0], "test.npy": c[1]})
		refused(t, err, "save both on one scale")
	}
}

func TestTransparency(t *testing.T) {
	set := mustRead(t, map[string][]byte{
		"x.npy": npyOf("|u1", "(1, 1, 3, 4)", []byte{10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 51})})
	if want := []byte{10, 20, 30, 255, 255, 255, 204, 204, 204}; !slices.Equal(set.Train.Pixels, want) {
		t.Errorf("pixels %v, want %v", set.Train.Pixels, want)
	}
}

// The last of 2 or 4 channels is alpha, which is kept where that is asked for.
func TestAlpha(t *testing.T) {
	for _, c := range []struct {
		channels  int
		in        []byte
		want      []byte
		became    Alpha
		keptWhole bool
	}{
		{2, []byte{10, 255, 10, 0, 0, 51, 99, 255}, []byte{10, 255, 204, 99}, White, false},
		{2, []byte{10, 255, 20, 255, 0, 255, 9, 255}, []byte{10, 20, 0, 9}, Opaque, false},
		{4, []byte{1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 99, 0, 0, 0}, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 99, 0, 0}, Unused, false},
		{4, []byte{1, 2, 3, 0, 4, 5, 6, 255, 7, 8, 9, 0, 99, 0, 0, 0}, nil, Kept, true},
		{2, []byte{1, 0, 4, 255, 7, 9, 99, 0}, nil, Kept, true},
	} {
		content := map[string][]byte{"x.npy": npyOf("|u1", fmt.Sprintf("(1, 2, 2, %d)", c.channels), c.in)}
		set, err := Find(files(content))[0].Read(t.Context(), Limits{Alpha: c.keptWhole})
		if c.keptWhole {
			c.want = c.in
		}
		if err != nil || !slices.Equal(set.Train.Pixels, c.want) || set.Alpha != c.became || set.Channels != c.channels {
			t.Errorf("%v: %+v, %v", c.in, set, err)
		}
	}
}

// A mask of 0 and 1 behind colours of 0 to 255 is an alpha, though 1 of 255 is nearly transparent.
func TestMaskAsAlpha(t *testing.T) {
	const note = "1 was taken for opaque"
	for _, c := range []struct {
		in, kept, onWhite []byte
		noted             bool
	}{
		{[]byte{10, 1, 20, 0, 255, 1, 7, 0}, []byte{10, 255, 20, 0, 255, 255, 7, 0}, []byte{10, 255, 255, 255}, true},
		{[]byte{10, 1, 20, 0, 30, 2, 7, 0}, []byte{10, 1, 20, 0, 30, 2, 7, 0}, []byte{254, 255, 253, 255}, false},
		{[]byte{10, 0, 20, 0, 30, 0, 7, 0}, []byte{10, 0, 20, 0, 30, 0, 7, 0}, []byte{10, 20, 30, 7}, false},
	} {
		for alpha, want := range map[bool][]byte{true: c.kept, false: c.onWhite} {
			content := map[string][]byte{"x.npy": npyOf("|u1", "(1, 2, 2, 2)", slices.Clone(c.in))}
			set, err := Find(files(content))[0].Read(t.Context(), Limits{Alpha: alpha})
			if err != nil || !slices.Equal(set.Train.Pixels, want) || strings.Contains(strings.Join(set.Notes, "\n"), note) != c.noted {
				t.Errorf("%v: %+v, %v, want %v", c.in, set, err, want)
			}
		}
	}
}

func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0: 0, 0x8000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 1: math.Ldexp(1, -24), 0x0400: math.Ldexp(1, -14),
		0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0x3555: 0.333251953125,
	} {
		if got := half(bits); got != want {
			t.Errorf("%#x is %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7e00)) {
		t.Error("not a number is one")
	}
}
