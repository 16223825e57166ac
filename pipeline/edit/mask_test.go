package edit

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// writeWide writes a gray picture of w x h pixels that is white where white says.
func writeWide(t *testing.T, name string, w, h int, white func(x, y int) bool) string {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			if white(x, y) {
				m.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	path := filepath.Join(t.TempDir(), name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, m); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeLevels writes a picture whose left half is black and whose right half has a level.
func writeLevels(t *testing.T, m draw.Image, level uint16) string {
	t.Helper()
	for y := range m.Bounds().Dy() {
		for x := m.Bounds().Dx() / 2; x < m.Bounds().Dx(); x++ {
			if _, deep := m.(*image.Gray16); deep {
				m.Set(x, y, color.Gray16{Y: level})
			} else {
				m.Set(x, y, color.Gray{Y: byte(level)})
			}
		}
	}
	path := filepath.Join(t.TempDir(), "levels.png")
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A mask of 12 bits in 16 has white too, and a note says so.
func TestMaskOf12Bits(t *testing.T) {
	o := InpaintOptions{Options: smallEdit(t), Times: 1}
	o.Mask, o.Class = Mask(writeLevels(t, image.NewGray16(image.Rect(0, 0, 28, 28)), 4095)), "1"
	var notes []string
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Noted {
			notes = append(notes, e.Text)
		}
	}
	if _, err := Inpaint(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(notes, "; "); !strings.Contains(got, "16-bit samples of at most 4095: read so that 4095 is white") {
		t.Errorf("notes %q", got)
	}
}

// Proportions are compared to less than a pixel of the coarser picture.
func TestSameProportions(t *testing.T) {
	for _, c := range []struct {
		a, b pipeline.Size
		same bool
	}{
		{pipeline.Size{Width: 64, Height: 48}, pipeline.Size{Width: 64, Height: 48}, true},
		{pipeline.Size{Width: 640, Height: 480}, pipeline.Size{Width: 64, Height: 48}, true},
		{pipeline.Size{Width: 1000, Height: 667}, pipeline.Size{Width: 500, Height: 333}, true},
		{pipeline.Size{Width: 1000, Height: 667}, pipeline.Size{Width: 500, Height: 334}, true},
		{pipeline.Size{Width: 48, Height: 48}, pipeline.Size{Width: 64, Height: 48}, false},
		{pipeline.Size{Width: 48, Height: 64}, pipeline.Size{Width: 64, Height: 48}, false},
		{pipeline.Size{Width: 28, Height: 28}, pipeline.Size{Width: 1000, Height: 1100}, false},
		{pipeline.Size{Width: 8, Height: 8}, pipeline.Size{Width: 16, Height: 14}, false},
		{pipeline.Size{Width: 4000, Height: 3000}, pipeline.Size{Width: 4000, Height: 3001}, false},
	} {
		if sameProportions(c.a, c.b) != c.same || sameProportions(c.b, c.a) != c.same {
			t.Errorf("%v and %v have the same proportions: %v", c.a, c.b, !c.same)
		}
	}
}

// A padded picture lies in the middle, and as large as can be.
func TestPadded(t *testing.T) {
	for _, c := range []struct {
		picture, within, box pipeline.Size
		left, top            int
	}{
		{pipeline.Square(10), pipeline.Square(8), pipeline.Square(8), 0, 0},
		{pipeline.Size{Width: 64, Height: 48}, pipeline.Square(28), pipeline.Size{Width: 28, Height: 21}, 0, 3},
		{pipeline.Size{Width: 10, Height: 40}, pipeline.Size{Width: 64, Height: 48}, pipeline.Size{Width: 12, Height: 48}, 26, 0},
		{pipeline.Size{Width: 4096, Height: 1}, pipeline.Square(8), pipeline.Size{Width: 8, Height: 1}, 0, 3},
	} {
		if box, left, top := padded(c.picture, c.within); box != c.box || left != c.left || top != c.top {
			t.Errorf("%v within %v: %v at %d,%d", c.picture, c.within, box, left, top)
		}
	}
}

// Masks that do not fit over the images, or that leave nothing to do, are refused, and the message
// says why.
func TestMaskErrors(t *testing.T) {
	left := func(x, _ int) bool { return x < 8 }
	all := func(int, int) bool { return true }
	none := func(int, int) bool { return false }
	wide := writeWide(t, "wide.png", 64, 48, left)
	for _, c := range []struct {
		name string
		in   string // "": images of a data set
		mask string
		want []string
	}{
		{"a square over a wide picture", wide, writeWide(t, "m.png", 48, 48, left), []string{"48x48", "64x48"}},
		{"a tall one over a wide picture", wide, writeWide(t, "m.png", 48, 64, left), []string{"48x64", "64x48"}},
		{"a wide one over square images", "", writeWide(t, "m.png", 64, 48, left), []string{"64x48", "8x8"}},
		{"all white", "", writeWide(t, "m.png", 28, 28, all), []string{"nothing", "kept", "generate"}},
		{"all black", "", writeWide(t, "m.png", 28, 28, none), []string{"white"}},
		{"white beyond the middle", wide, writeWide(t, "m.png", 64, 48, func(x, _ int) bool { return x < 4 }), []string{"white"}},
		{"not there", "", "none.png", []string{"name a picture, or a half of the images: lower, upper, left or right"}},
		{"a half of another name", "", "bottom", []string{"lower, upper, left or right"}},
		{"0 and 1", "", writeLevels(t, image.NewGray(image.Rect(0, 0, 28, 28)), 1), []string{"its brightest sample is 1 of 255", "paint white"}},
	} {
		o := InpaintOptions{Options: smallEdit(t), Mask: Mask(c.mask), Times: 1}
		if o.Class = "1"; c.in != "" {
			o.Data, o.Index, o.In = "", nil, []string{c.in}
		}
		_, err := Inpaint(t.Context(), o)
		wrong, ok := errors.AsType[*pipeline.OptionError](err)
		if !ok || wrong.Option != "mask" {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, words := range c.want {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v, without %q", c.name, err, words)
			}
		}
	}
}

// A mask of other size, but of the picture's proportions, is cropped as the picture is.
func TestMaskIsCroppedAsThePicture(t *testing.T) {
	inside := func(x, _ int) bool { return x >= 32 } // of 64 columns, of which 8 to 55 are taken
	picture := writeWide(t, "p.png", 64, 48, func(int, int) bool { return false })
	mask := writeWide(t, "m.png", 128, 96, func(x, y int) bool { return inside(x/2, y/2) })
	e, err := newEditor(t.Context(), func() Options {
		o := smallEdit(t)
		o.Data, o.Index, o.In, o.Class = "", nil, []string{picture}, "1"
		return o.WithDefaults()
	}())
	if err != nil {
		t.Fatal(err)
	}
	keep, err := e.mask(Mask(mask))
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keep {
		if k != (i%8 < 4) {
			t.Fatalf("pixel %d,%d is kept: %v", i%8, i/8, k)
		}
	}
}

// What is taken of a picture of other proportions is said, and how to keep all of it.
func TestNotesOfPictures(t *testing.T) {
	for _, c := range []struct {
		w, h int
		note string
	}{{64, 48, "its middle is taken; fit pad keeps all of it"}, {30, 30, ""}} {
		o := VaryOptions{Options: smallEdit(t)}
		o.Data, o.Index, o.Class = "", nil, "1"
		o.In = []string{writeWide(t, "p.png", c.w, c.h, func(x, _ int) bool { return x > 20 })}
		var notes []string
		o.OnEvent = func(e pipeline.Event) {
			if e.Kind == pipeline.Noted {
				notes = append(notes, e.Text)
			}
		}
		if _, err := Vary(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if c.note == "" && len(notes) > 0 || c.note != "" && (len(notes) != 1 || !strings.Contains(notes[0], c.note)) {
			t.Errorf("%dx%d: notes %q, want %q", c.w, c.h, notes, c.note)
		}
	}
}

// What a model knows nothing of is said to be lost: colours and transparency.
func TestNotesOfLostChannels(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		m.SetNRGBA(i%4, i/4, color.NRGBA{200, 10, uint8(16 * i), 254})
	}
	var file, gray bytes.Buffer
	if err := png.Encode(&file, m); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&gray, image.NewGray(m.Rect)); err != nil {
		t.Fatal(err)
	}
	const colours, transparent = "p has colours, which become gray", "p is transparent in places"
	for channels, want := range [][]string{1: {colours, transparent}, 2: {colours}, 3: {transparent}, 4: nil} {
		if channels == 0 {
			continue
		}
		var notes []string
		r := &Reader{Shape: pipeline.Shape{Height: 4, Width: 4, Channels: channels},
			Note: func(e pipeline.Event) { notes = append(notes, e.Text) }}
		for _, content := range [][]byte{file.Bytes(), gray.Bytes()} { // nothing of gray is lost
			if _, err := r.Picture("p", content); err != nil {
				t.Fatal(err)
			}
		}
		if len(notes) != len(want) {
			t.Fatalf("%d channels: %q, want %q", channels, notes, want)
		}
		for i := range want {
			if !strings.HasPrefix(notes[i], want[i]) {
				t.Errorf("%d channels: %q, want %q", channels, notes[i], want[i])
			}
		}
	}
}

// Of images with an alpha channel, the part that is to be drawn is shown in opaque gray, and what
// is known keeps its alpha.
func TestCompletedWithAlpha(t *testing.T) {
	o := smallEdit(t)
	e := &editor{opt: o.WithDefaults(), Task: &Task{Count: 1, Inputs: &picture.Images{
		Height: 2, Width: 2, Channels: 4, Pixels: roomtest.RandomPixels(16),
	}}}
	known := slices.Repeat([]bool{true}, 16)
	for i := 8; i < 16; i++ {
		known[i] = false
	}
	rows := e.completed(slices.Clone(e.Inputs.Pixels), known)
	if got, want := rows.Pixels[16:32], append(slices.Clone(e.Inputs.Pixels[:8]), 0, 0, 0, 1, 0, 0, 0, 1); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
