package picture

import (
	"fmt"
	"image"
	"math"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
)

// GridOptions lays images out on a grid, row after row.
type GridOptions struct {
	// Rows and Cols are the numbers of images below and beside each other. Both 0: as nearly square
	// as the images can be laid out.
	Rows, Cols int
	// Padding is the number of pixels of the output between images and around them; 0: 2; below 0:
	// none.
	Padding int
	// Scale draws each pixel of an image as Scale x Scale pixels; 0: 1.
	Scale int
}

// DefaultPadding is that of [GridOptions].
const DefaultPadding = 2

// WithDefaults fills in what does not depend on the number of images.
func (g GridOptions) WithDefaults() GridOptions {
	option.SetDefault(&g.Padding, DefaultPadding)
	option.SetDefault(&g.Scale, 1)
	return g
}

// gutter is the gray of the padding: neither a digit's background nor its ink.
const gutter = 128

// MaxGridSide bounds both sides of a grid in pixels.
const MaxGridSide = 1 << 15

func (g GridOptions) scale() int   { return max(g.Scale, 1) }
func (g GridOptions) padding() int { return option.OrNone(g.WithDefaults().Padding) }

// Empty reports whether neither rows nor columns are given.
func (g GridOptions) Empty() bool { return g.Rows == 0 && g.Cols == 0 }

// Square lays n images out as nearly square as they can be.
func (g GridOptions) Square(n int) GridOptions {
	g.Cols = int(math.Ceil(math.Sqrt(float64(n))))
	g.Rows = (n + g.Cols - 1) / g.Cols
	return g
}

// Size returns the size in pixels of a grid of images with height x width pixels.
func (g GridOptions) Size(height, width int) (h, w int) {
	h = g.Rows*(height*g.scale()+g.padding()) + g.padding()
	w = g.Cols*(width*g.scale()+g.padding()) + g.padding()
	return h, w
}

// Validate returns an [*pipeline.OptionError] for a grid that is too large to be a picture. It
// bounds each factor before it computes products.
func (g GridOptions) Validate(height, width int) error {
	switch {
	case g.Rows < 1 || g.Cols < 1 || g.Rows > MaxGridSide || g.Cols > MaxGridSide:
		return option.Errorf("grid", fmt.Sprintf("%dx%d", g.Rows, g.Cols),
			"both sides lie between 1 and %d", MaxGridSide)
	case g.Padding > MaxGridSide:
		return option.Errorf("padding", g.Padding, "between 0 and %d pixels", MaxGridSide)
	case g.scale() > MaxGridSide || g.Scale < 0:
		return option.Errorf("scale", g.Scale, "between 1 and %d", MaxGridSide)
	}
	if h, w := g.Size(height, width); h > MaxGridSide || w > MaxGridSide {
		return option.Errorf("grid", nil, "%dx%d of %dx%d images at scale %d makes %dx%d pixels: at most %d a side",
			g.Rows, g.Cols, width, height, g.scale(), w, h, MaxGridSide)
	}
	return nil
}

// Grid draws the images: gray for one channel, RGB for three, and with an alpha channel for two,
// gray and alpha, and four, RGBA. The padding, and cells without an image, are gray. With alpha
// they are transparent: so a grid of sprites is a sheet that lies well on any background. An alpha
// within 16 of 255 levels of transparent or opaque becomes that. A grid without room for all images
// is an [*pipeline.OptionError].
func Grid(s *Images, g GridOptions) (image.Image, error) {
	if g.Empty() {
		g = g.Square(max(s.Len(), 1))
	}
	if err := g.Validate(s.Height, s.Width); err != nil {
		return nil, err
	}
	if s.Len() > g.Rows*g.Cols {
		return nil, option.Errorf("grid", fmt.Sprintf("%dx%d", g.Rows, g.Cols), "it has no room for %d images", s.Len())
	}
	h, w := g.Size(s.Height, s.Width)
	c, err := newCanvas(h, w, s.Channels)
	if err != nil {
		return nil, err
	}
	for i := range min(s.Len(), g.Rows*g.Cols) {
		top := g.padding() + i/g.Cols*(s.Height*g.scale()+g.padding())
		left := g.padding() + i%g.Cols*(s.Width*g.scale()+g.padding())
		c.draw(s, i, top, left, g.scale())
	}
	return c.Image, nil
}

// A canvas is a picture for images of 1 to 4 channels.
type canvas struct {
	image.Image
	pix     []uint8
	stride  int   // bytes of a row
	samples int   // bytes of a pixel: 1, or 4
	from    []int // for each byte of a pixel, the channel that it shows; none for an opaque alpha
}

// A WithAlpha is a picture that keeps its alpha channel in a file even where all of it is opaque.
// So all pictures that a model draws have the same channels.
type WithAlpha struct{ *image.NRGBA }

// Opaque implements what the encoder of package png asks for.
func (WithAlpha) Opaque() bool { return false }

// newCanvas returns a canvas that is gray all over, or transparent where it has an alpha channel.
func newCanvas(h, w, channels int) (*canvas, error) {
	bounds := image.Rect(0, 0, w, h)
	c := &canvas{}
	switch channels {
	case 1:
		m := image.NewGray(bounds)
		c.Image, c.pix, c.stride, c.samples, c.from = m, m.Pix, m.Stride, 1, []int{0}
	case 3:
		m := image.NewRGBA(bounds)
		c.Image, c.pix, c.stride, c.samples, c.from = m, m.Pix, m.Stride, 4, []int{0, 1, 2}
	case 2, 4:
		m := image.NewNRGBA(bounds)
		c.Image, c.pix, c.stride, c.samples, c.from = WithAlpha{m}, m.Pix, m.Stride, 4, []int{0, 0, 0, 1}
		if channels == 4 {
			c.from = []int{0, 1, 2, 3}
		}
		return c, nil
	default:
		return nil, fmt.Errorf("an image of %d channels cannot be drawn, only one of 1 (gray), 2 (gray and alpha), "+
			"3 (RGB) or 4 (RGBA): write a .npy file instead", channels)
	}
	for i := range c.pix {
		c.pix[i] = gutter
		if i%4 == 3 && c.samples == 4 {
			c.pix[i] = 0xff
		}
	}
	return c, nil
}

// draw writes image i of s with its first pixel at (top, left).
func (c *canvas) draw(s *Images, i, top, left, scale int) {
	pixels := s.Pixels[i*s.ImageLen():][:s.ImageLen()]
	for y := range s.Height * scale {
		row := c.pix[(top+y)*c.stride+left*c.samples:]
		for x := range s.Width * scale {
			from := (y/scale*s.Width + x/scale) * s.Channels
			for k, ch := range c.from {
				if v := pixels[from+ch]; s.isAlpha(ch) {
					row[x*c.samples+k] = alphaByte(v)
				} else {
					row[x*c.samples+k] = dataset.ToByte(v)
				}
			}
		}
	}
}
