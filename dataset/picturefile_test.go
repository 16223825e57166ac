package dataset

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A picture is cut to its middle and resized, as in a set. Of a wide picture with white sides the
// black middle is left.
func TestReadPicture(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 40, 8))
	for i := range m.Pix {
		if x := i % 40; x < 16 || x >= 24 {
			m.Pix[i] = 255
		}
	}
	m.SetGray(16, 0, color.Gray{Y: 255}) // its first pixel
	dir := t.TempDir()
	path := filepath.Join(dir, "wide.png")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, m); err != nil {
		t.Fatal(err)
	}
	for _, channels := range []int{1, 3} {
		got, err := ReadPicture(path, PictureOptions{Width: 8, Height: 8, Channels: channels})
		if err != nil || len(got.Pixels) != 64*channels || got.Width != 40 || got.Height != 8 || !got.Opaque {
			t.Fatalf("%+v, %v", got, err)
		}
		for i, v := range got.Pixels {
			if want := float32(map[bool]int{true: 1, false: -1}[i < channels]); v != want {
				t.Errorf("%d channels: number %d is %v, want %v", channels, i, v, want)
			}
		}
	}
	if got, err := ReadPicture(path, PictureOptions{Width: 4, Height: 4, Channels: 1}); err != nil ||
		len(got.Pixels) != 16 || got.Pixels[15] != -1 {
		t.Errorf("smaller: %v, %v", got, err)
	}
	text := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(text, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path           string
		side, channels int
		want           string
	}{
		{text, 8, 1, "a.txt: not a picture"}, {filepath.Join(dir, "none.png"), 8, 1, "none.png"},
		{dir, 8, 1, "no file"},
		{path, 8, 5, "no picture can be made"}, {path, 0, 1, "no picture can be made"},
	} {
		o := PictureOptions{Width: c.side, Height: c.side, Channels: c.channels}
		if _, err := ReadPicture(c.path, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
}

// Dequantised bytes fill [-1,1) without gaps or overlaps.
func TestDequantize(t *testing.T) {
	if a, b := Dequantize(0, 0), Dequantize(255, 0.999); a != -1 || b >= 1 || b < 0.99 {
		t.Errorf("the range is %v to %v", a, b)
	}
	for b := range 255 {
		if end, next := Dequantize(uint8(b), 1), Dequantize(uint8(b+1), 0); end != next {
			t.Errorf("byte %d ends at %v, and the next begins at %v", b, end, next)
		}
	}
	if got := Dequantize(128, 0.5); got != 0.5/128 {
		t.Errorf("the middle of byte 128 is %v", got)
	}
}
