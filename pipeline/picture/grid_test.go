package picture

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
)

// randomImages returns images with numbers beyond [-1, 1] too, which must be clamped.
func randomImages(n, h, w, c int) *Images {
	return &Images{Height: h, Width: w, Channels: c, Pixels: roomtest.RandomPixels(n * h * w * c)}
}

// encode writes a grid as a PNG and reads it again.
func encode(t *testing.T, s *Images, g GridOptions, texts ...Text) (image.Image, []byte) {
	t.Helper()
	m, err := Grid(s, g)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := WritePNG(&file, m, texts); err != nil {
		t.Fatal(err)
	}
	back, err := png.Decode(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return back, file.Bytes()
}

// pixel returns the channels of a pixel as bytes.
func pixel(m image.Image, x, y, channels int) []uint8 {
	r, g, b, _ := m.At(x, y).RGBA()
	return []uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}[:channels]
}

// Every pixel of a grid is where the layout says, through the PNG and back.
func TestGridPixels(t *testing.T) {
	const rows, cols, h, w = 2, 3, 4, 5
	for _, channels := range []int{1, 3} {
		for _, g := range []GridOptions{
			{Rows: rows, Cols: cols},
			{Rows: rows, Cols: cols, Padding: option.None},
			{Rows: rows, Cols: cols, Padding: 2, Scale: 3},
		} {
			s := randomImages(rows*cols, h, w, channels)
			m, _ := encode(t, s, g)
			wantH, wantW := g.Size(h, w)
			if m.Bounds() != image.Rect(0, 0, wantW, wantH) {
				t.Fatalf("%+v: bounds %v", g, m.Bounds())
			}
			for y := range wantH {
				for x := range wantW {
					if got, want := pixel(m, x, y, channels), wantPixel(s, g, x, y); !slices.Equal(got, want) {
						t.Fatalf("%d channels, %+v: pixel %d,%d is %v, want %v", channels, g, x, y, got, want)
					}
				}
			}
		}
	}
}

// wantPixel computes a pixel of the grid from its position, the other way round than draw.
func wantPixel(s *Images, g GridOptions, x, y int) []uint8 {
	cellH, cellW := s.Height*g.scale()+g.padding(), s.Width*g.scale()+g.padding()
	row, col, inY, inX := y/cellH, x/cellW, y%cellH-g.padding(), x%cellW-g.padding()
	if inY < 0 || inX < 0 || row >= g.Rows || col >= g.Cols {
		return slices.Repeat([]uint8{gutter}, s.Channels)
	}
	at := (((row*g.Cols+col)*s.Height+inY/g.scale())*s.Width + inX/g.scale()) * s.Channels
	var want []uint8
	for ch := range s.Channels {
		want = append(want, dataset.ToByte(s.Pixels[at+ch]))
	}
	return want
}

// Without padding and scale, the file's samples are exactly the images, and gray stays gray.
func TestGridFileFormat(t *testing.T) {
	for channels, colorType := range map[int]byte{1: 0, 2: 6, 3: 2, 4: 6} {
		_, file := encode(t, randomImages(4, 3, 3, channels), GridOptions{Rows: 2, Cols: 2})
		if depth, got := file[24], file[25]; depth != 8 || got != colorType {
			t.Errorf("%d channels: depth %d, colour type %d, want 8, %d", channels, depth, got, colorType)
		}
	}
	if _, err := Grid(randomImages(1, 2, 2, 5), GridOptions{Rows: 1, Cols: 1}); err == nil {
		t.Error("an image of 5 channels was drawn")
	}
}

func TestGridErrors(t *testing.T) {
	s := randomImages(1, 28, 28, 1)
	for _, c := range []struct {
		option string
		g      GridOptions
	}{
		{"grid", GridOptions{Cols: 3}},
		{"grid", GridOptions{Rows: math.MaxInt/2 + 1, Cols: math.MaxInt/2 + 1}},
		{"grid", GridOptions{Rows: 2000, Cols: 1}},
		{"padding", GridOptions{Rows: 1, Cols: 1, Padding: math.MaxInt}},
		{"scale", GridOptions{Rows: 1, Cols: 1, Scale: -1}},
		{"scale", GridOptions{Rows: 1, Cols: 1, Scale: math.MaxInt}},
		{"grid", GridOptions{Rows: 1, Cols: 1, Scale: 5000}},
	} {
		_, err := Grid(s, c.g)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != c.option {
			t.Errorf("%+v: error %v, want one about %s", c.g, err, c.option)
		}
	}
	_, err := Grid(randomImages(3, 2, 2, 1), GridOptions{Rows: 1, Cols: 2})
	if err == nil || err.Error() != "grid 1x2: it has no room for 3 images" {
		t.Errorf("a grid that is too small: %v", err)
	}
}

// A reader that follows the PNG specification finds the texts, and the checksums are right.
func TestPNGTexts(t *testing.T) {
	want := []Text{{"Software", "fmimg"}, {"fmimg.seed", "7"}, {"long", strings.Repeat("x", 10000)}, {"empty", ""}}
	texts := append(slices.Clone(want), Text{"odd", "é\x00→"})
	_, file := encode(t, randomImages(1, 2, 2, 1), GridOptions{Rows: 1, Cols: 1}, texts...)
	var got []Text
	for _, text := range roomtest.ReadTexts(t, file) {
		got = append(got, Text{text[0], text[1]})
	}
	if !slices.Equal(got, append(want, Text{"odd", "é??"})) {
		t.Errorf("texts %v", got)
	}
}

// A writer that fails anywhere in the file makes WritePNG fail.
func TestWritePNGReportsErrors(t *testing.T) {
	m, err := Grid(randomImages(1, 4, 4, 1), GridOptions{Rows: 1, Cols: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, file := encode(t, randomImages(1, 4, 4, 1), GridOptions{Rows: 1, Cols: 1}, Text{"a", "b"})
	for room := range len(file) {
		if err := WritePNG(&fullDisk{room}, m, []Text{{"a", "b"}}); !errors.Is(err, errFull) {
			t.Fatalf("a disk with room for %d of %d bytes: %v", room, len(file), err)
		}
	}
}

var errFull = errors.New("no space left")

// A fullDisk takes some bytes and no more.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(d.room, len(b))
	if d.room -= n; n < len(b) {
		return n, errFull
	}
	return n, nil
}
