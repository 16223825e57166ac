package decode

import (
	"errors"
	"image"
	"image/color"
	"slices"
	"testing"
)

// Every format gives the same colours, whatever kind of image its decoder makes.
func TestFormats(t *testing.T) {
	onRed := image.NewPaletted(image.Rect(0, 0, 6, 4), color.Palette{color.NRGBA{}, red})
	for i := range onRed.Pix {
		onRed.Pix[i] = 1
	}
	for _, c := range []struct {
		name string
		file []byte
		want [3]byte
		near int // largest difference from the bytes wanted
	}{
		{"PNG", plainPNG(t, 6, 4, red), [3]byte{255, 0, 0}, 0},
		{"transparent PNG before white", plainPNG(t, 6, 4, color.NRGBA{}), [3]byte{255, 255, 255}, 0},
		{"half transparent PNG", plainPNG(t, 6, 4, color.NRGBA{0, 0, 0, 51}), [3]byte{204, 204, 204}, 1},
		{"paletted PNG", encodedPNG(t, onRed), [3]byte{255, 0, 0}, 0},
		{"JPEG", encodedJPEG(t, onRed), [3]byte{254, 0, 0}, 2},
		{"GIF", encodedGIF(t, onRed), [3]byte{255, 0, 0}, 0},
		{"WebP", webpFlat(6, 4, 10, 200, 30, 255), [3]byte{10, 200, 30}, 0},
		{"transparent WebP", webpFlat(6, 4, 10, 200, 30, 0), [3]byte{255, 255, 255}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := read(c.file, 3)
			if err != nil {
				t.Fatal(err)
			}
			if p.Width != 6 || p.Height != 4 || len(p.Pixels) != 27 {
				t.Fatalf("%dx%d, %d bytes", p.Width, p.Height, len(p.Pixels))
			}
			for i, b := range p.Pixels {
				if d := int(b) - int(c.want[i%3]); d > c.near || -d > c.near {
					t.Fatalf("pixels %v, want %v", p.Pixels, c.want)
				}
			}
		})
	}
}

func read(file []byte, side int) (Picture, error) {
	return Decode(file, Options{Width: side, Height: side, Room: NewRoom(defaultPixels)})
}

// An index that the palette lacks panics where Decode can catch it, and not in a goroutine of
// package imaging.
func TestBadPaletteIndexIsCaught(t *testing.T) {
	bad := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{red})
	bad.Pix[5] = 7
	defer func() {
		if recover() == nil {
			t.Error("no panic reached this goroutine")
		}
	}()
	Fitted(bad, Options{Width: 2, Height: 2})
}

// A header is believed only when the file could hold the pixels that it claims.
func TestBombs(t *testing.T) {
	flat := append(webpFlat(1<<10, 1<<10, 1, 2, 3, 255), 0)
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"header of a huge PNG", pngClaiming(10_000, 10_000), ErrTooLarge},
		{"header of a PNG that the file cannot hold", pngClaiming(8000, 8000), ErrDamaged},
		{"most pixels of WebP in 40 bytes", webpFlat(16383, 16383, 1, 2, 3, 255), ErrTooLarge},
		{"as many as are small", flat, nil},
		{"cut off", plainPNG(t, 50, 50, red)[:60], ErrDamaged},
		{"no picture", []byte("hello, world, here is some text"), ErrNoPicture},
		{"some TIFF", []byte("II*\x00 some TIFF"), ErrDamaged},
		{"format that cannot be read", []byte("8BPS\x00\x01"), ErrUnsupported},
		{"WebP without frames", []byte("RIFF\x10\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00"), ErrDamaged},
		{"nothing", nil, ErrNoPicture},
	} {
		t.Run(c.name, func(t *testing.T) {
			bounded(t, len(c.file), 0, func() {
				if _, err := read(c.file, 4); !errors.Is(err, c.want) || (err != nil) != (c.want != nil) {
					t.Errorf("error %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A photo is cropped to its middle, and turned as its camera noted. This picture is red at the
// left, blue at the right and green on top. The table says where these colours lie for each
// orientation.
func TestCropAndOrientation(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 80, 48))
	for y := range 48 {
		for x := range 80 {
			c := color.NRGBA{255, 255, 255, 255} // outside of the middle square
			switch {
			case x < 16 || x >= 64:
			case y < 16:
				c = color.NRGBA{0, 255, 0, 255}
			case x < 40:
				c = red
			default:
				c = color.NRGBA{0, 0, 255, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	plain := encodedJPEG(t, m)
	// The green side, the left side and the right side. Green lies on top but for 3, upside down.
	for orientation, want := range map[uint16]string{0: "grb", 1: "grb", 2: "gbr", 3: "gbr", 9: "grb"} {
		p, err := read(withOrientation(plain, orientation, orientation%2 == 1), 48)
		if err != nil {
			t.Fatal(err)
		}
		y := 4
		if orientation == 3 {
			y = 44
		}
		sides := []byte{letterAt(p.Pixels, 24, y), letterAt(p.Pixels, 4, 24), letterAt(p.Pixels, 44, 24)}
		if string(sides) != want {
			t.Errorf("orientation %d: %s, want %s", orientation, sides, want)
		}
	}
	// A quarter turn. The camera's top row is the right side for 6 and the left side for 8. 5 and 7
	// are mirrored too.
	for orientation, at := range map[uint16][2]int{5: {4, 24}, 6: {44, 24}, 7: {44, 24}, 8: {4, 24}} {
		p, err := read(withOrientation(plain, orientation, false), 48)
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != 48 || p.Height != 80 || letterAt(p.Pixels, at[0], at[1]) != 'g' {
			t.Errorf("orientation %d: %dx%d, %c at %v", orientation, p.Width, p.Height,
				letterAt(p.Pixels, at[0], at[1]), at)
		}
		// The red side, on the left in the file, is on top for 6 and 5, and below for 8 and 7.
		y := map[uint16]int{5: 4, 6: 4, 7: 44, 8: 44}[orientation]
		if got := letterAt(p.Pixels, 24, y); got != 'r' {
			t.Errorf("orientation %d: %c at row %d", orientation, got, y)
		}
	}
}

// letterAt names the strongest colour of a pixel of a 48x48 RGB image.
func letterAt(pixels []byte, x, y int) byte {
	p := pixels[3*(48*y+x):][:3]
	return "rgb"[slices.Index(p, slices.Max(p))]
}
