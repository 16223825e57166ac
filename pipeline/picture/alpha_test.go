package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
)

// sprites returns n images whose pixels have the given numbers.
func sprites(n, h, w int, pixel ...float32) *Images {
	s := &Images{Height: h, Width: w, Channels: len(pixel)}
	s.Pixels = slices.Repeat(pixel, n*h*w)
	return s
}

// A grid of images with alpha keeps colour and alpha of each pixel, in all of its pixels. Between
// the images, and where there is none, it is transparent.
func TestGridAlpha(t *testing.T) {
	for _, channels := range []int{2, 4} {
		for _, g := range []GridOptions{{Rows: 2, Cols: 2, Padding: 2, Scale: 3}, {Rows: 2, Cols: 2, Padding: option.None}} {
			s := randomImages(3, 4, 5, channels)
			m, err := Grid(s, g)
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if err := WritePNG(&file, m, nil); err != nil {
				t.Fatal(err)
			}
			back, err := png.Decode(&file)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := back.(*image.NRGBA)
			if !ok {
				t.Fatalf("a picture of %T", back)
			}
			for y := range got.Rect.Dy() {
				for x := range got.Rect.Dx() {
					if want := wantAlphaPixel(s, g, x, y); got.NRGBAAt(x, y) != want {
						t.Fatalf("%d channels, %+v: pixel %d,%d is %v, want %v", channels, g, x, y, got.NRGBAAt(x, y), want)
					}
				}
			}
		}
	}
}

// wantAlphaPixel computes a pixel of the grid from its position.
func wantAlphaPixel(s *Images, g GridOptions, x, y int) color.NRGBA {
	cellH, cellW := s.Height*g.scale()+g.padding(), s.Width*g.scale()+g.padding()
	row, col, inY, inX := y/cellH, x/cellW, y%cellH-g.padding(), x%cellW-g.padding()
	if inY < 0 || inX < 0 || row >= g.Rows || col >= g.Cols || row*g.Cols+col >= s.Len() {
		return color.NRGBA{}
	}
	at := (((row*g.Cols+col)*s.Height+inY/g.scale())*s.Width + inX/g.scale()) * s.Channels
	var b []uint8
	for _, v := range s.Pixels[at : at+s.Channels] {
		b = append(b, dataset.ToByte(v))
	}
	switch alpha := &b[len(b)-1]; {
	case *alpha < 16:
		*alpha = 0
	case *alpha > 239:
		*alpha = 255
	}
	if s.Channels == 2 {
		return color.NRGBA{b[0], b[0], b[0], b[1]}
	}
	return color.NRGBA{b[0], b[1], b[2], b[3]}
}

// An alpha near its ends is drawn as the end, so that no veil lies where nothing is.
func TestGridAlphaNearEnds(t *testing.T) {
	s := &Images{Height: 1, Width: 6, Channels: 2}
	for _, alpha := range []byte{2, 15, 16, 239, 240, 254} {
		s.Pixels = append(s.Pixels, dataset.FromByte(3), dataset.FromByte(alpha))
	}
	m, err := Grid(s, GridOptions{Padding: option.None})
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range []uint8{0, 0, 16, 239, 255, 255} {
		if got := m.(WithAlpha).NRGBAAt(x, 0); got != (color.NRGBA{3, 3, 3, want}) {
			t.Errorf("pixel %d is %v, want alpha %d and the colour", x, got, want)
		}
	}
}

// A picture keeps its alpha channel in the file where all of it is opaque.
func TestOpaqueKeepsAlpha(t *testing.T) {
	_, file := encode(t, sprites(1, 2, 2, 1, 0, -1, 1), GridOptions{Rows: 1, Cols: 1, Padding: option.None})
	if file[25] != 6 {
		t.Errorf("colour type %d, want 6", file[25])
	}
}

// A checkerboard shows where images are transparent, and nowhere else.
func TestOnCheckerboard(t *testing.T) {
	for _, c := range []struct {
		pixel       []float32
		light, dark []uint8
	}{
		{[]float32{1, 0, -1, 1}, []uint8{255, 128, 0}, []uint8{255, 128, 0}},
		{[]float32{1, 0, -1, 3}, []uint8{255, 128, 0}, []uint8{255, 128, 0}},
		{[]float32{1, 0, -1, -1}, []uint8{204, 204, 204}, []uint8{153, 153, 153}},
		{[]float32{1, 0, -1, -2}, []uint8{204, 204, 204}, []uint8{153, 153, 153}},
		{[]float32{-1, 0}, []uint8{102}, []uint8{77}},
		{[]float32{5, 1}, []uint8{255}, []uint8{255}},
	} {
		s := sprites(2, 16, 24, c.pixel...).OnCheckerboard()
		if s.Channels != len(c.pixel)-1 || s.Len() != 2 {
			t.Fatalf("%d images of %d channels", s.Len(), s.Channels)
		}
		for i := range s.Pixels {
			at, channel := i/s.Channels%(16*24), i%s.Channels
			want := c.light
			if (at/24/3+at%24/3)%2 == 1 {
				want = c.dark
			}
			if got := dataset.ToByte(s.Pixels[i]); got != want[channel] {
				t.Fatalf("%v: number %d becomes %d, want %d", c.pixel, i, got, want[channel])
			}
		}
	}
	for _, channels := range []int{1, 3} {
		if s := randomImages(1, 2, 2, channels); s.OnCheckerboard() != s {
			t.Errorf("images of %d channels are changed", channels)
		}
	}
}

// A tiny image has a checkerboard of single pixels.
func TestOnCheckerboardOfTinyImages(t *testing.T) {
	s := sprites(1, 2, 3, 0, -1).OnCheckerboard()
	var got []uint8
	for _, v := range s.Pixels {
		got = append(got, dataset.ToByte(v))
	}
	if want := []uint8{204, 153, 204, 153, 204, 153}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The grid of a data set with alpha shows it over a checkerboard, with gaps as of other sets.
func TestDataGridAlpha(t *testing.T) {
	m, err := DataGrid(&roomtest.Patterns{N: 3, H: 48, W: 48, C: 4, Names: []string{"a", "b"},
		Change: func(_ int, dst []float32) {
			for i := 3; i < len(dst); i += 4 {
				dst[i] = -1
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(m.At(x, y)).(color.RGBA) }
	for _, c := range []struct {
		x, y int
		gray uint8
	}{{2, 2, lightSquare}, {2 + 6, 2, darkSquare}, {0, 0, gutter}, {2 + 50 + 3, 2 + 50 + 3, gutter}} {
		if want := (color.RGBA{c.gray, c.gray, c.gray, 255}); at(c.x, c.y) != want {
			t.Errorf("pixel %d,%d is %v, want %v", c.x, c.y, at(c.x, c.y), want)
		}
	}
}

// A frame of a GIF is transparent where more than half of a pixel is, and keeps its colours
// elsewhere.
func TestPalettedAlpha(t *testing.T) {
	for _, c := range []struct {
		pixel       []float32
		transparent bool
		want        color.RGBA
	}{
		{[]float32{1, -1, -1, 1}, false, color.RGBA{255, 0, 0, 255}},
		{[]float32{1, 1, 1, 0.01}, false, color.RGBA{255, 255, 255, 255}},
		{[]float32{1, 1, 1, -0.01}, true, color.RGBA{}},
		{[]float32{-1, -1, -1, -1}, true, color.RGBA{}},
		{[]float32{-1, 1}, false, color.RGBA{0, 0, 0, 255}},
		{[]float32{1, -1}, true, color.RGBA{}},
	} {
		m, err := Grid(sprites(1, 4, 5, c.pixel...), GridOptions{Padding: 1})
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := gif.Encode(&file, Paletted(m), nil); err != nil {
			t.Fatal(err)
		}
		back, err := gif.Decode(&file)
		if err != nil {
			t.Fatal(err)
		}
		if got := color.RGBAModel.Convert(back.At(2, 2)); got != c.want {
			t.Errorf("%v becomes %v, want %v", c.pixel, got, c.want)
		}
		if _, _, _, a := back.At(0, 0).RGBA(); a != 0 {
			t.Errorf("%v: the padding is not transparent", c.pixel)
		}
	}
}

// A GIF keeps grays beside transparent pixels, as it does without these.
func TestPalettedGrayAlpha(t *testing.T) {
	s := &Images{Height: 2, Width: 256, Channels: 2}
	for i := range 2 * 256 {
		s.Pixels = append(s.Pixels, dataset.FromByte(byte(i)), 1-2*float32(i/256))
	}
	m, err := Grid(s, GridOptions{Padding: option.None})
	if err != nil {
		t.Fatal(err)
	}
	p := Paletted(m)
	for i := range 256 {
		want := color.RGBA{uint8(i), uint8(i), uint8(i), 255}
		if i == 1 { // its place is that of transparent pixels
			want = color.RGBA{0, 0, 0, 255}
		}
		if got := color.RGBAModel.Convert(p.At(i, 0)); got != want {
			t.Errorf("gray %d becomes %v", i, got)
		}
		if _, _, _, a := p.At(i, 1).RGBA(); a != 0 {
			t.Errorf("gray %d is seen where it is transparent", i)
		}
	}
}

// The colour of a transparent pixel does not come through to visible pixels of a GIF.
func TestPalettedHidesColours(t *testing.T) {
	s := randomImages(1, 9, 9, 4)
	for i := range 81 {
		if s.Pixels[4*i+3] = -1; i%3 == 1 {
			copy(s.Pixels[4*i:], []float32{1, -1, -1, 1})
		}
	}
	m, err := Grid(s, GridOptions{Padding: option.None})
	if err != nil {
		t.Fatal(err)
	}
	p := Paletted(m)
	for i := range 81 {
		if got, red := color.RGBAModel.Convert(p.At(i%9, i/9)), (color.RGBA{255, 0, 0, 255}); i%3 == 1 && got != red {
			t.Errorf("pixel %d is %v, want %v", i, got, red)
		}
	}
}
