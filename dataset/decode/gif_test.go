package decode

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"slices"
	"testing"
)

// gifOf encodes frames on a canvas. Colour 0 is transparent.
func gifOf(t testing.TB, w, h int, frames ...image.Rectangle) []byte {
	t.Helper()
	g := &gif.GIF{Config: image.Config{Width: w, Height: h}}
	for _, r := range frames {
		m := image.NewPaletted(r, color.Palette{color.NRGBA{}, red, color.NRGBA{0, 0, 255, 255}})
		for i := range m.Pix {
			m.Pix[i] = 1
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 5)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// emptyFrame is a frame without pixels.
var emptyFrame = []byte{gifImage, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0x2c, 0}

func rgbaAt(p Picture, x, y int) [4]byte { return [4]byte(p.Pixels[4*(y*p.Width+x):]) }

// A frame lies at its place on the canvas, and what it leaves free is transparent.
func TestGIFCanvas(t *testing.T) {
	small := gifOf(t, 64, 48, image.Rect(40, 30, 60, 46))
	at := bytes.IndexByte(small[13:], gifImage)
	if control := bytes.Index(small, []byte{gifExtension, gifControl}); control > 0 {
		at = control - 13
	}
	afterEmpty := slices.Concat(small[:13+at], emptyFrame, small[13+at:])
	narrow := slices.Clone(small)
	narrow[6], narrow[8] = 50, 10 // the canvas is smaller than what the frame takes
	for _, c := range []struct {
		name         string
		file         []byte
		w, h         int
		red, nothing image.Point
	}{
		{"smaller than its canvas", small, 64, 48, image.Pt(41, 31), image.Pt(10, 10)},
		{"behind an empty frame", afterEmpty, 64, 48, image.Pt(59, 45), image.Pt(60, 46)},
		{"larger than its canvas", narrow, 60, 46, image.Pt(41, 31), image.Pt(10, 10)},
		{"without its end", small[:len(small)-1], 64, 48, image.Pt(41, 31), image.Pt(10, 10)},
		{"with rubbish at its end", append(slices.Clone(small), "rubbish"...), 64, 48, image.Pt(41, 31), image.Pt(10, 10)},
		{"first of two", gifOf(t, 20, 20, image.Rect(0, 0, 10, 10), image.Rect(0, 0, 20, 20)), 20, 20, image.Pt(9, 9), image.Pt(10, 10)},
	} {
		p, err := Decode(c.file, Options{Channels: 4})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.Width != c.w || p.Height != c.h || p.Opaque || rgbaAt(p, c.red.X, c.red.Y) != [4]byte{255, 0, 0, 255} ||
			rgbaAt(p, c.nothing.X, c.nothing.Y)[3] != 0 {
			t.Errorf("%s: %dx%d, %v, %v", c.name, p.Width, p.Height, rgbaAt(p, c.red.X, c.red.Y), rgbaAt(p, c.nothing.X, c.nothing.Y))
		}
		flat, err := Decode(c.file, Options{})
		if at := 3 * (c.nothing.Y*c.w + c.nothing.X); err != nil || string(flat.Pixels[at:at+3]) != "\xff\xff\xff" {
			t.Errorf("%s: not white without alpha: %v", c.name, err)
		}
	}
}

// Colours that the table lacks are black, and what has no pixels is refused.
func TestGIFDamage(t *testing.T) {
	file := encodedGIF(t, paletted(16, 16)) // 256 colours
	table := file[13 : 13+768]
	few := slices.Concat(file[:10], []byte{0x80}, file[11:13], table[:6], file[13+768:])
	if p, err := Decode(few, Options{}); err != nil || string(p.Pixels[15:18]) != "\x00\x00\x00" {
		t.Errorf("few colours: %v", err)
	}
	for name, bad := range map[string][]byte{
		"header alone": file[:13], "half a header": file[:9], "no table": slices.Concat(file[:10], []byte{0}, file[11:13], file[13+768:]),
		"cut off": file[:len(file)-60], "empty frame alone": slices.Concat(file[:13], table, emptyFrame, []byte{0x3b}),
		"no frame": append(slices.Clone(file[:13+768]), 0x3b), "ends in a frame's header": file[:13+768+9],
	} {
		if _, err := Decode(bad, Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
