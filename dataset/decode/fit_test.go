package decode

import (
	"bytes"
	"image"
	"image/color"
	"slices"
	"testing"
)

// wide is a picture of 40x20 pixels: red at the left, blue at the right, green in the middle half.
func wide() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for y := range 20 {
		for x := range 40 {
			c := color.NRGBA{0, 255, 0, 255}
			if x < 10 {
				c = red
			} else if x >= 30 {
				c = color.NRGBA{0, 0, 255, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// Each way to fit keeps what it says. A letter is a strongest colour: w for white and t for
// transparent.
func TestFits(t *testing.T) {
	file := encodedPNG(t, wide())
	for _, c := range []struct {
		name     string
		o        Options
		at       [3]image.Point
		want     string
		channels int
	}{
		{"crop", Options{Width: 20, Height: 20}, [3]image.Point{{1, 10}, {10, 10}, {18, 10}}, "ggg", 3},
		{"crop to other proportions", Options{Width: 40, Height: 10, Fit: Crop}, [3]image.Point{{1, 5}, {20, 5}, {38, 5}}, "rgb", 3},
		{"crop to a column", Options{Width: 5, Height: 20, Fit: Crop}, [3]image.Point{{0, 0}, {2, 10}, {4, 19}}, "ggg", 3},
		{"stretch", Options{Width: 20, Height: 20, Fit: Stretch}, [3]image.Point{{1, 1}, {10, 10}, {18, 18}}, "rgb", 3},
		{"pad with white", Options{Width: 20, Height: 20, Fit: Pad}, [3]image.Point{{1, 1}, {10, 10}, {18, 10}}, "wgb", 3},
		{"pad with nothing", Options{Width: 20, Height: 20, Fit: Pad, Channels: 4}, [3]image.Point{{1, 1}, {1, 10}, {18, 18}}, "trt", 4},
		{"pad beside", Options{Width: 40, Height: 10, Fit: Pad, Channels: 4}, [3]image.Point{{5, 5}, {20, 5}, {35, 5}}, "tgt", 4},
		{"as it is", Options{}, [3]image.Point{{1, 1}, {20, 10}, {38, 18}}, "rgb", 3},
	} {
		p, err := Decode(file, c.o)
		w := c.o.Width
		if w == 0 {
			w = 40
		}
		if err != nil || p.Width != 40 || p.Height != 20 || !p.Opaque || p.Gray {
			t.Errorf("%s: %v, %dx%d", c.name, err, p.Width, p.Height)
			continue
		}
		var got []byte
		for _, at := range c.at {
			s := p.Pixels[c.channels*(at.Y*w+at.X):][:c.channels]
			letter := "rgb"[slices.Index(s[:3], slices.Max(s[:3]))]
			if c.channels == 4 && s[3] == 0 {
				letter = 't'
			} else if slices.Min(s[:3]) > 250 {
				letter = 'w'
			}
			got = append(got, letter)
		}
		if string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A turned picture is fitted as it is seen.
func TestFitOfTurned(t *testing.T) {
	file := withOrientation(encodedJPEG(t, scene()), 6, true)
	p, err := Decode(file, Options{Width: 12, Height: 20, Fit: Crop})
	if err != nil || len(p.Pixels) != 3*12*20 {
		t.Fatalf("%d bytes, %v", len(p.Pixels), err)
	}
	p.Width, p.Height = 12, 20
	if got := sides(p, 3); got != turnedSides[6] {
		t.Errorf("%s, want %s", got, turnedSides[6])
	}
}

// Colours stay straight at any alpha. What is transparent adds no colour, and takes that of what is
// near.
func TestAlpha(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 16, 16))
	for y := range 16 {
		for x := range 16 {
			c := color.NRGBA{0, 255, 0, 0} // a colour that nobody may see
			if x < 8 {
				c = color.NRGBA{200, 10, 30, 1}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	for _, size := range []int{0, 16, 4} {
		p, err := Decode(encodedPNG(t, m), Options{Width: size, Height: size, Channels: 4})
		if err != nil || p.Opaque || p.Gray {
			t.Fatalf("%v, %+v", err, p)
		}
		for i := 0; i < len(p.Pixels); i += 4 {
			if s := p.Pixels[i : i+4]; string(s[:3]) != string([]byte{200, 10, 30}) || s[3] > 1 {
				t.Fatalf("size %d: pixel %d is %v", size, i/4, s)
			}
		}
	}
	p, err := Decode(encodedPNG(t, image.NewNRGBA(image.Rect(0, 0, 3, 3))), Options{Channels: 2})
	if err != nil || !bytes.Equal(p.Pixels, bytes.Repeat([]byte{255, 0}, 9)) || !p.Gray {
		t.Errorf("wholly transparent: %v, %v", p.Pixels, err)
	}
}

// Every kind of picture with alpha keeps it.
func TestAlphaOfKinds(t *testing.T) {
	half := color.NRGBA{100, 100, 100, 128}
	palette := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{half, color.NRGBA{9, 9, 9, 255}})
	deep := image.NewNRGBA64(image.Rect(0, 0, 4, 4))
	for i := 0; i < len(deep.Pix); i += 8 {
		copy(deep.Pix[i:], []byte{100, 100, 100, 100, 100, 100, 128, 128})
	}
	gray := slices.Concat([]byte(pngMagic), pngChunk("IHDR", []byte{0, 0, 0, 1, 0, 0, 0, 1, 8, 4, 0, 0, 0}),
		pngChunk("IDAT", packed(t, []byte{0, 100, 128})), pngChunk("IEND", nil))
	for name, file := range map[string][]byte{
		"palette": encodedPNG(t, palette), "16 bits": encodedPNG(t, deep), "8 bits": plainPNG(t, 4, 4, half), "gray": gray,
		"WebP": webpFlat(4, 4, 100, 100, 100, 128),
	} {
		for _, channels := range []int{2, 4} {
			p, err := Decode(file, Options{Channels: channels})
			if err != nil || p.Opaque || !p.Gray || p.Pixels[0] != 100 || p.Pixels[channels-1] != 128 {
				t.Errorf("%s: %v, %v", name, err, p.Pixels[:min(4, len(p.Pixels))])
			}
		}
	}
}

// A TIFF may say that its colours are multiplied by alpha though they are not. What is above alpha
// is white, as other programs have it.
func TestColoursAboveAlpha(t *testing.T) {
	file := image.NewRGBA(image.Rect(0, 0, 2, 1))
	copy(file.Pix, []byte{200, 50, 100, 100, 90, 90, 90, 0})
	deep := image.NewRGBA64(file.Rect)
	for i, v := range file.Pix {
		deep.Pix[2*i], deep.Pix[2*i+1] = v, v
	}
	for name, m := range map[string]image.Image{"8 bits": file, "16 bits": deep} {
		p, err := Decode(encodedTIFF(t, m, nil), Options{Channels: 4})
		if want := []byte{255, 127, 255, 100, 255, 127, 255, 0}; err != nil || !bytes.Equal(p.Pixels, want) {
			t.Errorf("%s: %v, %v, want %v", name, err, p.Pixels, want)
		}
		p, err = Decode(encodedTIFF(t, m, nil), Options{Channels: 3})
		if want := []byte{255, 205, 255, 255, 255, 255}; err != nil || !bytes.Equal(p.Pixels, want) {
			t.Errorf("%s over white: %v, %v, want %v", name, err, p.Pixels, want)
		}
	}
}

// A picture of which nothing is seen is empty, whatever its colours are.
func TestEmpty(t *testing.T) {
	for alpha, empty := range map[byte]bool{0: true, 1: false, 255: false} {
		m := image.NewNRGBA(image.Rect(0, 0, 3, 2))
		copy(m.Pix[20:], []byte{90, 80, 70, alpha})
		for _, channels := range []int{3, 4} {
			if p, err := Decode(encodedPNG(t, m), Options{Channels: channels}); err != nil || p.Empty != empty {
				t.Errorf("alpha %d, %d channels: %v, %v", alpha, channels, err, p.Empty)
			}
		}
	}
}

// The tag of transparency makes one colour transparent.
func TestTransparentColour(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 2, 1))
	m.Pix[0], m.Pix[1] = 50, 60
	p, err := Decode(beforePixels(encodedPNG(t, m), spoilt(pngChunk("tRNS", []byte{0, 50}))), Options{Channels: 2})
	if err != nil || p.Opaque || !bytes.Equal(p.Pixels, []byte{60, 0, 60, 255}) {
		t.Errorf("%v, %v", p.Pixels, err)
	}
}

// 12 bits in 16 are dark, until White says so.
func TestDepth(t *testing.T) {
	gray := image.NewGray16(image.Rect(0, 0, 3, 1))
	colour := image.NewNRGBA64(gray.Rect)
	for i, v := range []uint16{0, 2048, 4095} {
		gray.SetGray16(i, 0, color.Gray16{Y: v})
		colour.SetNRGBA64(i, 0, color.NRGBA64{R: v, G: v, B: v, A: 65535})
	}
	half := image.NewNRGBA64(gray.Rect)
	copy(half.Pix, colour.Pix)
	half.SetNRGBA64(0, 0, color.NRGBA64{R: 65535, A: 0}) // nobody sees this
	for name, file := range map[string][]byte{
		"gray PNG": encodedPNG(t, gray), "RGB PNG": encodedPNG(t, colour), "RGBA PNG": encodedPNG(t, half),
		"gray TIFF": encodedTIFF(t, gray, nil), "RGBA TIFF": encodedTIFF(t, colour, nil),
	} {
		dark, err := Decode(file, Options{Channels: 1})
		if err != nil || dark.Peak != 4095 || dark.Pixels[2] != 15 {
			t.Errorf("%s: %v, %v, peak %d", name, err, dark.Pixels, dark.Peak)
		}
		bright, err := Decode(file, Options{Channels: 1, White: 4095})
		if err != nil || bright.Peak != 4095 || bright.Pixels[1] != 128 || bright.Pixels[2] != 255 {
			t.Errorf("%s: %v, %v, peak %d", name, err, bright.Pixels, bright.Peak)
		}
		if over, err := Decode(file, Options{Channels: 1, White: 1023}); err != nil || over.Pixels[1] != 255 {
			t.Errorf("%s: %v, %v", name, err, over.Pixels)
		}
	}
	p, err := Decode(plainPNG(t, 2, 2, color.NRGBA{15, 15, 15, 255}), Options{White: 4095})
	if err != nil || p.Peak != 0 || p.Pixels[0] != 15 {
		t.Errorf("8 bits: %v, %v, peak %d", err, p.Pixels[:3], p.Peak)
	}
}

func TestOptions(t *testing.T) {
	file := encodedPNG(t, scene())
	for _, o := range []Options{{Width: 4}, {Height: 4}, {Width: -1, Height: 4}, {Channels: 5}, {Channels: -1}, {Fit: "fill"}} {
		if _, err := Decode(file, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for c := 1; c < 5; c++ {
		p, err := Decode(file, Options{Channels: c, Width: 3, Height: 2})
		if err != nil || len(p.Pixels) != 6*c {
			t.Errorf("%d channels: %d bytes, %v", c, len(p.Pixels), err)
		}
	}
}
