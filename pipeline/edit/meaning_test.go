package edit

import (
	"strings"
	"testing"
)

// The colours of the masks below.
var (
	glass = [4]float32{-1, -1, -1, -1}
	white = [4]float32{1, 1, 1, 1}
	black = [4]float32{-1, -1, -1, 1}
	red   = [4]float32{1, -1, -1, 1}
	gray  = [4]float32{0, 0, 0, 1}
	dark  = [4]float32{-0.2, -0.2, -0.2, 1}
	light = [4]float32{0.2, 0.2, 0.2, 1}
)

// The test masks have maskSide x maskSide pixels.
const maskSide = 20

// A brush gives a pixel of a mask.
type brush func(x, y int) [4]float32

func solid(colour [4]float32) brush { return func(int, int) [4]float32 { return colour } }

// photo has many colours.
func photo(x, y int) [4]float32 {
	return [4]float32{float32(x)/10 - 1, float32(y)/10 - 1, float32((x*7+y*3)%20)/10 - 1, 1}
}

// stripes are black and white.
func stripes(x, _ int) [4]float32 {
	if x%2 == 0 {
		return white
	}
	return black
}

// faded gives a brush another alpha.
func faded(b brush, alpha float32) brush {
	return func(x, y int) [4]float32 {
		c := b(x, y)
		c[3] = alpha
		return c
	}
}

func inMiddle(x, y int) bool { return x >= 6 && x < 14 && y >= 5 && y < 12 }
func inLeft(x, _ int) bool   { return x < maskSide/2 }
func inLower(_, y int) bool  { return y >= maskSide/2 }

// painting makes a mask of one brush, with another one at some pixels.
func painting(rest brush, where func(x, y int) bool, inside brush) []float32 {
	var rgba []float32
	for i := range maskSide * maskSide {
		b := rest
		if where(i%maskSide, i/maskSide) {
			b = inside
		}
		c := b(i%maskSide, i/maskSide)
		rgba = append(rgba, c[:]...)
	}
	return rgba
}

// What people paint or erase is drawn anew, and nothing else. Where a mask may mean either, it is
// refused.
func TestMeaning(t *testing.T) {
	for _, c := range []struct {
		name         string
		rest, inside brush
		where        func(x, y int) bool
		note         string // "": brightness decides; "?": refused
	}{
		{"white on a transparent layer", solid(glass), solid(white), inMiddle, "painted"},
		{"white on a white transparent layer", faded(solid(white), -1), solid(white), inMiddle, "painted"},
		{"a white half on a transparent layer", solid(glass), solid(white), inLeft, "painted"},
		{"red on a transparent layer", solid(glass), solid(red), inMiddle, "painted"},
		{"gray on a transparent layer", solid(glass), solid(gray), inMiddle, "painted"},
		{"white by a faint brush", solid(glass), faded(solid(white), -0.3), inMiddle, "painted"},
		{"white on what is nearly transparent", faded(solid(black), -0.9), solid(white), inMiddle, "painted"},
		{"black on a transparent layer", solid(glass), solid(black), inMiddle, "?"},
		{"stripes on a transparent layer", solid(glass), stripes, inMiddle, "?"},
		{"a cut-out", solid(glass), photo, inMiddle, "?"},
		{"a hole in black", solid(black), solid(glass), inMiddle, "transparent in it"},
		{"a hole in red", solid(red), solid(glass), inMiddle, "transparent in it"},
		{"a hole in a picture", photo, solid(glass), inMiddle, "transparent in it"},
		{"a hole in a picture that keeps its colours", photo, faded(photo, -1), inMiddle, "transparent in it"},
		{"a half erased from a picture", photo, solid(glass), inLower, "transparent in it"},
		{"a half erased from black", solid(black), solid(glass), inLeft, "transparent in it"},
		{"a hole in white", solid(white), solid(glass), inMiddle, "?"},
		{"a hole in stripes", stripes, solid(glass), inMiddle, "?"},
		{"a half erased from red", solid(red), solid(glass), inLower, "?"},
		{"a half transparent hole", photo, faded(photo, 0.4), inMiddle, "?"},
		{"nothing painted", solid(glass), solid(glass), inMiddle, "?"},
		{"white on opaque black", solid(black), solid(white), inMiddle, ""},
		{"light on dark, nearly opaque", faded(solid(dark), 0.99), faded(solid(light), 0.99), inMiddle, ""},
		{"white on half transparent black", faded(solid(black), 0), faded(solid(white), 0), inMiddle, ""},
	} {
		rgba := painting(c.rest, c.where, c.inside)
		m, unclear := meaningOf(rgba, maskSide, maskSide)
		switch {
		case (unclear != "") != (c.note == "?"):
			t.Errorf("%s: %q, taken for %q", c.name, unclear, m.note())
			continue
		case unclear != "":
			continue
		case c.note == "" && m.by != byBrightness || !strings.Contains(m.note(), c.note):
			t.Errorf("%s: taken for %q, want %q", c.name, m.note(), c.note)
		}
		for i := range maskSide * maskSide {
			pixel := rgba[4*i : 4*i+4]
			if want := c.where(i%maskSide, i/maskSide); m.drawn(pixel) != want {
				t.Errorf("%s: pixel %d,%d is drawn: %v", c.name, i%maskSide, i/maskSide, !want)
				break
			}
		}
	}
}

// The soft edges of strokes belong to what is nearer.
func TestSoftEdges(t *testing.T) {
	soft := func(x, _ int) [4]float32 { // from transparent at column 5 to opaque at column 15
		return [4]float32{1, 1, 1, min(max(float32(x-10)/5, -1), 1)}
	}
	m, unclear := meaningOf(painting(soft, inMiddle, soft), maskSide, maskSide)
	if unclear != "" || m.by != byPaint {
		t.Fatalf("%+v, %q", m, unclear)
	}
	for x, want := range map[int]bool{5: false, 9: false, 10: true, 15: true} {
		pixel := soft(x, 0)
		if m.drawn(pixel[:]) != want {
			t.Errorf("column %d is drawn: %v", x, !want)
		}
	}
}

// A mask without transparency is taken by its brightness, and a note says so where it has more than
// black and white.
func TestOpaqueMask(t *testing.T) {
	for _, c := range []struct {
		pixels   []float32
		channels int
		note     bool
	}{
		{[]float32{1, -1, 1, -1}, 1, false},
		{[]float32{1, 1, 1, -1, -1, -1}, 3, false},
		{[]float32{1, 0, 0.1, -1}, 1, true},
		{[]float32{1, -1, -1, -1, -1, -1}, 3, true},
	} {
		if m := opaqueMask(c.pixels, c.channels); m.by != byBrightness || (m.note() != "") != c.note {
			t.Errorf("%v: %+v", c.pixels, m)
		}
	}
}
