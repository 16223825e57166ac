package picture

import (
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"slices"
)

// Paletted reduces a frame to 256 colours. Gray pictures keep theirs. Others are dithered with a
// general palette. A GIF has no half transparent pixels: those with an alpha below the middle
// become transparent, the others opaque.
func Paletted(m image.Image) *image.Paletted {
	switch m := m.(type) {
	case *image.Gray:
		return &image.Paletted{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect, Palette: grays}
	case WithAlpha:
		return palettedAlpha(m.NRGBA)
	}
	p := image.NewPaletted(m.Bounds(), palette.Plan9)
	draw.FloydSteinberg.Draw(p, p.Bounds(), m, image.Point{})
	return p
}

// palettedAlpha dithers the colours of a frame, and makes pixels transparent by their alpha.
func palettedAlpha(m *image.NRGBA) *image.Paletted {
	opaque := &image.NRGBA{Pix: slices.Clone(m.Pix), Stride: m.Stride, Rect: m.Rect}
	for i := 3; i < len(opaque.Pix); i += 4 {
		opaque.Pix[i] = 0xff
	}
	p := image.NewPaletted(m.Rect, colours)
	draw.FloydSteinberg.Draw(p, p.Rect, opaque, image.Point{})
	for i := range p.Pix {
		if p.Pix[i]++; m.Pix[4*i+3] < 0x80 {
			p.Pix[i] = 0
		}
	}
	p.Palette = transparentAndColours
	return p
}

// colours is the general palette without one of its darkest blues, which leaves room for
// transparent pixels.
var colours = slices.Delete(slices.Clone(color.Palette(palette.Plan9)), 1, 2)

// transparentAndColours begins with the colour of transparent pixels.
var transparentAndColours = append(color.Palette{color.NRGBA{}}, colours...)

// grays are the 256 grays in order, so that a gray pixel is its own index.
var grays = func() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.Gray{Y: uint8(i)}
	}
	return p
}()
