package picture

import (
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
)

// Paletted reduces a frame to 256 colours. Gray pictures keep theirs. Others are dithered with a
// general palette.
func Paletted(m image.Image) *image.Paletted {
	if gray, ok := m.(*image.Gray); ok {
		return &image.Paletted{Pix: gray.Pix, Stride: gray.Stride, Rect: gray.Rect, Palette: grays}
	}
	p := image.NewPaletted(m.Bounds(), palette.Plan9)
	draw.FloydSteinberg.Draw(p, p.Bounds(), m, image.Point{})
	return p
}

// grays are the 256 grays in order, so that a gray pixel is its own index.
var grays = func() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.Gray{Y: uint8(i)}
	}
	return p
}()
