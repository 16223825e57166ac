package dataset

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ramp16 is a gray PNG of 16 bits, from black to a highest sample.
func ramp16(t testing.TB, highest int) []byte {
	m := image.NewGray16(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		m.SetGray16(i%8, i/8, color.Gray16{Y: uint16(highest * (i % 8) / 7)})
	}
	return encodedPNG(t, m)
}

// ramp8 is one of 8 bits.
func ramp8(t testing.TB, highest int) []byte {
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		m.Pix[i] = byte(highest * (i % 8) / 7)
	}
	return encodedPNG(t, m)
}

// Samples of few bits in 16 are spread over the whole range by one scale. Where that cannot be, a
// note says that pictures are nearly black.
func TestDepthOfSets(t *testing.T) {
	for _, c := range []struct {
		name  string
		files [][]byte
		white byte // the last pixel of the first picture
		note  string
	}{
		{"16 bits", [][]byte{ramp16(t, 65535)}, 255, ""},
		{"14 bits", [][]byte{ramp16(t, 16383)}, 255, "read as 14 bits, so that 16383 is white"},
		{"12 bits", [][]byte{ramp16(t, 4095), ramp16(t, 2000)}, 255, "2 pictures have 16-bit samples of at most 4095: read as 12 bits"},
		{"10 bits", [][]byte{ramp16(t, 1023)}, 255, "read as 10 bits"},
		{"8 bits in 16", [][]byte{ramp16(t, 255)}, 255, "read as 8 bits, so that 255 is white"},
		{"12 bits beside 8", [][]byte{ramp16(t, 4095), ramp8(t, 200)}, 255, "1 picture has 16-bit samples of at most 4095: read as 12 bits"},
		{"12 bits beside 16", [][]byte{ramp16(t, 4095), ramp16(t, 65535)}, 15, "1 picture has 16-bit samples of at most 4095, nearly black beside others of up to 65535"},
		{"black of 16 bits", [][]byte{ramp16(t, 0)}, 0, ""},
		{"labels", [][]byte{ramp8(t, 1), ramp8(t, 0)}, 1, "no sample is above 1, where 255 is white"},
		{"labels in 16 bits", [][]byte{ramp16(t, 20)}, 20, "no sample is above 20, where 255 is white"},
		{"dark", [][]byte{ramp8(t, 90)}, 90, ""},
	} {
		files := map[string][]byte{}
		for i, file := range c.files {
			files[fmt.Sprintf("%d.png", i)] = file
		}
		set := mustOpen(t, write(t, files), Options{Width: 8, Height: 8})
		var notes []string
		for _, n := range set.Notes {
			notes = append(notes, fmt.Sprintf(n.Format, n.Args...))
		}
		if got := strings.Join(notes, "; "); !strings.Contains(got, c.note) || c.note == "" && got != "" {
			t.Errorf("%s: notes %q, want %q", c.name, got, c.note)
		}
		if got, _ := pixels(set.Train, 0); got[7] != c.white {
			t.Errorf("%s: %v, want %d at the end of a row", c.name, got[:8], c.white)
		}
	}
}

// One picture of few bits in 16 is read as a set of it would be.
func TestDepthOfAPicture(t *testing.T) {
	for _, c := range []struct {
		highest     int
		peak, white uint16
		last        float32
	}{{4095, 4095, 4095, 1}, {3000, 3000, 4095, FromByte(187)}, {255, 255, 255, 1}, {65535, 0, 0, 1}, {0, 0, 0, -1}} {
		path := filepath.Join(t.TempDir(), "a.png")
		if err := os.WriteFile(path, ramp16(t, c.highest), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadPicture(path, PictureOptions{Width: 8, Height: 8, Channels: 1})
		if err != nil || p.Peak != c.peak || p.White != c.white || p.Pixels[7]-c.last > 0.01 || c.last-p.Pixels[7] > 0.01 {
			t.Errorf("%d: %+v, %v", c.highest, p, err)
		}
	}
}
