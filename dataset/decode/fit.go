package decode

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/disintegration/imaging"
)

// finish turns, fits and converts a decoded picture. It may change the picture.
func finish(m image.Image, orientation int, o Options) Picture {
	p := Picture{Width: m.Bounds().Dx(), Height: m.Bounds().Dy(), Opaque: isOpaque(m)}
	if !p.Opaque {
		p.Empty = isEmpty(m)
		boundByAlpha(m)
	}
	if s, ok := samples16(m); ok {
		p.Peak = s.peak()
		if o.White != 0 && o.White != 65535 {
			s.stretch(o.White)
		}
	}
	p.Pixels, p.Gray = fitted(m, orientation, o)
	if orientation > 4 {
		p.Width, p.Height = p.Height, p.Width
	}
	return p
}

// Fitted makes a picture that is decoded already into pixels, as [Decode] does: Height·Width·
// Channels bytes.
func Fitted(m image.Image, o Options) []byte {
	pixels, _ := fitted(m, 1, o)
	return pixels
}

// fitted also reports whether red, green and blue are equal everywhere.
func fitted(m image.Image, orientation int, o Options) (pixels []byte, gray bool) {
	w, h := o.Width, o.Height
	if orientation > 4 {
		w, h = h, w // before it is turned
	}
	if w == 0 {
		w, h = m.Bounds().Dx(), m.Bounds().Dy()
	}
	alpha := o.Channels == 2 || o.Channels == 4
	f := upright(resized(m, w, h, o.Fit, alpha), orientation)
	if alpha {
		Bleed(f.Pix, f.Rect.Dx(), 4) // a copy has no gaps between its rows
	}
	return channels(f, o.Channels)
}

func isOpaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// isEmpty reports whether all pixels are wholly transparent.
func isEmpty(m image.Image) bool {
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if _, _, _, a := m.At(x, y).RGBA(); a != 0 {
				return false
			}
		}
	}
	return true
}

// boundByAlpha bounds colours that are multiplied by alpha by this alpha, in place. Where a file
// says so of colours that are not, those above would overflow, and be dark.
func boundByAlpha(m image.Image) {
	switch m := m.(type) {
	case *image.RGBA:
		for pix := m.Pix; len(pix) >= 4; pix = pix[4:] {
			for c := range 3 {
				pix[c] = min(pix[c], pix[3])
			}
		}
	case *image.RGBA64:
		for pix := m.Pix; len(pix) >= 8; pix = pix[8:] {
			for c := 0; c < 6; c += 2 {
				if number16(pix[c:]) > number16(pix[6:]) {
					copy(pix[c:c+2], pix[6:8])
				}
			}
		}
	}
}

// resized fits a picture into w x h pixels.
func resized(m image.Image, w, h int, fit Fit, alpha bool) *image.NRGBA {
	b := m.Bounds()
	switch fit {
	case Stretch:
		return resize(cut(m, b, alpha), w, h)
	case Pad:
		inner := within(w, h, b.Dx(), b.Dy())
		canvas := image.NewNRGBA(image.Rect(0, 0, w, h))
		if !alpha {
			draw.Draw(canvas, canvas.Rect, image.White, image.Point{}, draw.Src)
		}
		part := resize(cut(m, b, alpha), inner.Dx(), inner.Dy())
		for y := range inner.Dy() {
			copy(canvas.Pix[canvas.PixOffset(inner.Min.X, inner.Min.Y+y):], part.Pix[y*part.Stride:][:4*inner.Dx()])
		}
		return canvas
	}
	return resize(cut(m, within(b.Dx(), b.Dy(), w, h).Add(b.Min), alpha), w, h)
}

// within returns the largest rectangle of given proportions in the middle of w x h pixels.
func within(w, h, wide, high int) image.Rectangle {
	inner := image.Pt(w, h)
	if scale := float64(w) / float64(wide); scale*float64(high) < float64(h) {
		inner.Y = max(1, min(h, int(math.Round(scale*float64(high)))))
	} else {
		inner.X = max(1, min(w, int(math.Round(float64(h)/float64(high)*float64(wide)))))
	}
	corner := image.Pt(w-inner.X, h-inner.Y).Div(2)
	return image.Rectangle{Min: corner, Max: corner.Add(inner)}
}

// resize makes a picture larger or smaller. Lanczos' filter weighs each colour by its alpha: it
// works on colours that are multiplied by alpha, though neither side stores them so.
func resize(m *image.NRGBA, w, h int) *image.NRGBA {
	if m.Rect.Dx() == w && m.Rect.Dy() == h {
		return m
	}
	return imaging.Resize(m, w, h, imaging.Lanczos)
}

// cut copies a part of a picture. Without alpha, transparent pixels are drawn over white. Package
// draw cuts the part out, as it reads any kind of image in this goroutine. Package imaging reads in
// goroutines of its own, where nobody can catch a panic over an index that a palette lacks.
func cut(m image.Image, part image.Rectangle, alpha bool) *image.NRGBA {
	rect := image.Rectangle{Max: part.Size()}
	// Opaque pixels are the same with premultiplied alpha and without, and draw is fast on RGBA.
	flat := image.NewRGBA(rect)
	switch {
	case isOpaque(m):
		draw.Draw(flat, rect, m, part.Min, draw.Src)
	case alpha:
		return straight(m, part)
	default:
		draw.Draw(flat, rect, image.White, image.Point{}, draw.Src)
		draw.Draw(flat, rect, m, part.Min, draw.Over)
	}
	return &image.NRGBA{Pix: flat.Pix, Stride: flat.Stride, Rect: rect}
}

// straight copies a part of a picture with transparent pixels. Where the file has colours that are
// not multiplied by alpha, they stay as they are.
func straight(m image.Image, part image.Rectangle) *image.NRGBA {
	to := image.NewNRGBA(image.Rectangle{Max: part.Size()})
	var at func(x, y int) color.NRGBA
	switch m := m.(type) {
	case *image.NRGBA:
		at = m.NRGBAAt
	case *image.NRGBA64:
		at = func(x, y int) color.NRGBA {
			c := m.NRGBA64At(x, y)
			return color.NRGBA{R: byte(c.R >> 8), G: byte(c.G >> 8), B: byte(c.B >> 8), A: byte(c.A >> 8)}
		}
	case *image.Paletted:
		at = coloursOf(m)
	default:
		draw.Draw(to, to.Rect, m, part.Min, draw.Src)
		return to
	}
	for y := range to.Rect.Dy() {
		for x := range to.Rect.Dx() {
			to.SetNRGBA(x, y, at(part.Min.X+x, part.Min.Y+y))
		}
	}
	return to
}

// coloursOf returns the colours of a picture's pixels.
func coloursOf(m *image.Paletted) func(x, y int) color.NRGBA {
	colours := make([]color.NRGBA, len(m.Palette))
	for i, c := range m.Palette {
		colours[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	return func(x, y int) color.NRGBA { return colours[m.ColorIndexAt(x, y)] }
}

// upright turns a picture as its Exif orientation says (Exif 2.32, tag 274). The orientation names
// the sides of the scene at which the first row and the first column lie.
func upright(m *image.NRGBA, orientation int) *image.NRGBA {
	switch orientation {
	case 2:
		return imaging.FlipH(m)
	case 3:
		return imaging.Rotate180(m)
	case 4:
		return imaging.FlipV(m)
	case 5:
		return imaging.Transpose(m)
	case 6:
		return imaging.Rotate270(m)
	case 7:
		return imaging.Transverse(m)
	case 8:
		return imaging.Rotate90(m)
	}
	return m
}

// Bleed gives each pixel that is wholly transparent the colour of a nearest visible one, so that no
// fringe of another colour shows where alpha is drawn a little wrong. A picture without visible
// pixels becomes white. Pixels lie in rows of the given width, and have 2 channels, gray and alpha,
// or 4, RGBA. It goes outwards from the visible pixels, a ring at a time.
func Bleed(pixels []byte, width, channels int) {
	colours, n := channels-1, len(pixels)/channels
	done := make([]bool, n)
	var ring []int
	for i := range n {
		if pixel := pixels[channels*i:][:channels]; pixel[colours] != 0 {
			done[i] = true
			ring = append(ring, i)
		} else {
			copy(pixel[:colours], "\xff\xff\xff")
		}
	}
	if len(ring) == n {
		return
	}
	for len(ring) > 0 {
		var next []int
		for _, i := range ring {
			for _, to := range neighbours(i, width, n) {
				if to >= 0 && !done[to] {
					done[to] = true
					copy(pixels[channels*to:][:colours], pixels[channels*i:])
					next = append(next, to)
				}
			}
		}
		ring = next
	}
}

// neighbours returns the pixels beside pixel i of n pixels in rows of w, and -1 for those outside.
func neighbours(i, w, n int) [4]int {
	list := [4]int{i - w, i - 1, i + 1, i + w}
	if i%w == 0 {
		list[1] = -1
	}
	if i%w == w-1 {
		list[2] = -1
	}
	if list[3] >= n {
		list[3] = -1
	}
	return list
}

// channels returns the pixels with some number of channels. Gray is their luma (Rec. 601), which
// leaves gray as it is. It also reports whether red, green and blue are equal everywhere.
func channels(m *image.NRGBA, c int) (pixels []byte, gray bool) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if c == 0 {
		c = 3
	}
	pixels, gray = make([]byte, 0, w*h*c), true
	for y := range h {
		for row := m.Pix[y*m.Stride:][:4*w]; len(row) > 0; row = row[4:] {
			gray = gray && row[0] == row[1] && row[1] == row[2]
			switch c {
			case 1:
				pixels = append(pixels, Luma(row[0], row[1], row[2]))
			case 2:
				pixels = append(pixels, Luma(row[0], row[1], row[2]), row[3])
			default:
				pixels = append(pixels, row[:c]...)
			}
		}
	}
	return pixels, gray
}

// Luma is the gray of a colour (Rec. 601). It leaves gray as it is.
func Luma(r, g, b byte) byte { return byte((299*int(r) + 587*int(g) + 114*int(b) + 500) / 1000) }
