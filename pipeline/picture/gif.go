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

// palettedAlpha makes pixels transparent by their alpha. Where what is seen is gray it keeps the
// grays, but for the one next to black. Else it dithers the colours.
func palettedAlpha(m *image.NRGBA) *image.Paletted {
	seen := &image.NRGBA{Pix: slices.Clone(m.Pix), Stride: m.Stride, Rect: m.Rect}
	gray := true
	for pix := seen.Pix; len(pix) > 0; pix = pix[4:] {
		if pix[3] < 0x80 { // a colour of the palettes leaves nothing to the pixels beside it
			copy(pix, "\x00\x00\x00")
		}
		pix[3] = 0xff
		gray = gray && pix[0] == pix[1] && pix[1] == pix[2]
	}
	p := image.NewPaletted(m.Rect, colours)
	if gray {
		for i := range p.Pix {
			p.Pix[i] = max(seen.Pix[4*i], 1)
		}
		p.Palette = transparentAndGrays
	} else {
		draw.FloydSteinberg.Draw(p, p.Rect, seen, image.Point{})
		for i := range p.Pix {
			p.Pix[i]++
		}
		p.Palette = transparentAndColours
	}
	for i := range p.Pix {
		if m.Pix[4*i+3] < 0x80 {
			p.Pix[i] = 0
		}
	}
	return p
}

// colours is the general palette without one of its darkest blues, which leaves room for
// transparent pixels.
var colours = slices.Delete(slices.Clone(color.Palette(palette.Plan9)), 1, 2)

// transparentAndColours begins with the colour of transparent pixels.
var transparentAndColours = append(color.Palette{color.NRGBA{}}, colours...)

// transparentAndGrays has a gray at its own index, but for black, which is at 1.
var transparentAndGrays = slices.Concat(color.Palette{color.NRGBA{}, color.Gray{}}, grays[2:])

// grays are the 256 grays in order, so that a gray pixel is its own index.
var grays = func() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.Gray{Y: uint8(i)}
	}
	return p
}()
