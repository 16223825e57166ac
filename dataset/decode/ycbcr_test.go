package decode

import (
	"image"
	"math"
	"testing"
)

// encoded returns the samples of a colour by the formulas of H.273 (8.3), which go the other way:
// luma is the weighted sum of the colours, and a difference is that of blue or red from it, so that
// it lies in -1/2 to 1/2.
func encoded(c coding, red, blue float64, rgb [3]byte) (samples [3]byte) {
	r, g, b := float64(rgb[0])/255, float64(rgb[1])/255, float64(rgb[2])/255
	y := red*r + (1-red-blue)*g + blue*b
	cb, cr := (b-y)/(1-blue)/2, (r-y)/(1-red)/2
	switch c.matrix {
	case 0:
		y, cb, cr = g, b, r
	case 8:
		y, cb, cr = r/4+g/2+b/4, -r/4+g/2-b/4, r/2-b/2
	}
	for i, v := range [3]float64{y, cb, cr} {
		low, wide := 0.0, 255.0
		if !c.full {
			low, wide = 16, 219
		}
		if i > 0 && c.matrix != 0 {
			low = 128
			if !c.full {
				wide = 224
			}
		}
		samples[i] = byte(math.Round(min(max(low+wide*v, 0), 255)))
	}
	return samples
}

// Colours come back from samples of every kind, but for what rounding takes: half of a sample,
// which is 255/224·2·(1-KB)/2 = 1.1 levels in the worst difference and 0.6 in luma.
func TestCodings(t *testing.T) {
	for _, c := range []struct {
		matrix    int
		red, blue float64
	}{
		{0, 0, 0}, {1, 0.2126, 0.0722}, {4, 0.3, 0.11}, {5, 0.299, 0.114}, {6, 0.299, 0.114}, {7, 0.212, 0.087}, {8, 0, 0},
		{9, 0.2627, 0.0593},
	} {
		for _, full := range []bool{false, true} {
			kind := coding{matrix: c.matrix, full: full}
			m := image.NewYCbCr(image.Rect(0, 0, 6*6, 6), image.YCbCrSubsampleRatio444)
			colour := func(i int) [3]byte { return [3]byte{byte(51 * (i / 36)), byte(51 * (i / 6 % 6)), byte(51 * (i % 6))} }
			for i := range m.Y {
				s := encoded(kind, c.red, c.blue, colour(i))
				m.Y[i], m.Cb[i], m.Cr[i] = s[0], s[1], s[2]
			}
			got := kind.colours(m).(*image.NRGBA)
			for i := range m.Y {
				want := colour(i)
				for k, v := range want {
					if d := int(got.Pix[4*i+k]) - int(v); d < -2 || d > 2 || got.Pix[4*i+3] != 255 {
						t.Fatalf("%+v: %v, want %v", kind, got.Pix[4*i:][:4], want)
					}
				}
			}
		}
	}
	for matrix, want := range map[int]bool{1: true, 9: true, 2: false, 3: false, 10: false, 14: false} {
		if (coding{matrix: matrix}).known() != want {
			t.Errorf("matrix %d", matrix)
		}
	}
}

// Gray of less than the full range is spread, and what lies beyond is cut.
func TestGrayCoding(t *testing.T) {
	for full, want := range map[bool][]byte{true: {0, 16, 126, 235, 255}, false: {0, 0, 128, 255, 255}} {
		m := &image.Gray{Pix: []byte{0, 16, 126, 235, 255}, Stride: 5, Rect: image.Rect(0, 0, 5, 1)}
		if got := (coding{full: full}).colours(m).(*image.Gray).Pix; string(got) != string(want) {
			t.Errorf("full range %v: %v, want %v", full, got, want)
		}
	}
}

// A colour difference of two or four pixels runs into those beside it where that is asked for: a
// pixel gets 9, 3, 3 and 1 sixteenths of the four nearest samples, and at an edge of those that are
// there.
func TestDifferencesOfSeveralPixels(t *testing.T) {
	blue := map[image.YCbCrSubsampleRatio][]byte{
		image.YCbCrSubsampleRatio420: {0, 160, 80, 0, 160, 80},
		image.YCbCrSubsampleRatio422: {0, 160, 80, 0, 160, 80, 0, 160, 80},
	}
	want := map[image.YCbCrSubsampleRatio]map[bool][]byte{ // rows of 5 pixels
		image.YCbCrSubsampleRatio420: {false: {0, 0, 160, 160, 80}, true: {0, 40, 120, 140, 100}},
		image.YCbCrSubsampleRatio422: {false: {0, 0, 160, 160, 80}, true: {0, 40, 120, 140, 100}},
	}
	for ratio, samples := range blue {
		for blend, row := range want[ratio] {
			m := image.NewYCbCr(image.Rect(0, 0, 5, 3), ratio)
			copy(m.Cb, samples)
			got := coding{matrix: matrixIdentity, full: true, blend: blend}.colours(m).(*image.NRGBA)
			for y := range 3 {
				for x, v := range row {
					if b := got.NRGBAAt(x, y).B; b != v {
						t.Errorf("%v, blend %v: %d at %d,%d, want %d", ratio, blend, b, x, y, v)
					}
				}
			}
		}
	}
	m := image.NewYCbCr(image.Rect(0, 0, 4, 4), image.YCbCrSubsampleRatio420)
	copy(m.Cb, []byte{0, 16, 32, 160})
	got := coding{matrix: matrixIdentity, full: true, blend: true}.colours(m).(*image.NRGBA)
	for at, v := range map[image.Point]byte{
		{0, 0}: 0, {1, 1}: (3*16 + 3*32 + 160 + 8) / 16, {2, 1}: (9*16 + 32 + 3*160 + 8) / 16, {0, 1}: 8, {3, 3}: 160,
	} {
		if b := got.NRGBAAt(at.X, at.Y).B; b != v {
			t.Errorf("%d at %v, want %d", b, at, v)
		}
	}
}
