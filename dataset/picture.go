package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"slices"

	"github.com/disintegration/imaging"
	"golang.org/x/image/webp"
)

// The limits of a picture's header, before any memory is taken for the pixels.
const (
	// pixelsPerByte bounds the pixels of a file by its size. A picture of one colour has that many
	// in PNG. A header that claims more, and more than smallPixels, is wrong.
	pixelsPerByte = 1024
	smallPixels   = 1 << 20
)

// The reasons for which a file is left out. An error that wraps one of them has the details.
var (
	errNoPicture = errors.New("not a picture")
	errTooLarge  = errors.New("too many pixels")
	errDamaged   = errors.New("damaged picture")
	errFile      = errors.New("cannot be read")
)

// A codec decodes a format of pictures.
type codec struct {
	name   string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var codecs = []codec{
	{"PNG", png.DecodeConfig, png.Decode},
	{"JPEG", jpeg.DecodeConfig, jpeg.Decode},
	{"GIF", gif.DecodeConfig, gif.Decode}, // the first frame
	{"WebP", webp.DecodeConfig, webp.Decode},
}

// pictureFormat tells the format of a file by its first bytes. It returns the name of a codec,
// "BMP", "TIFF", "HEIF" or "animated WebP" for pictures that cannot be read, and "" for anything
// else.
func pictureFormat(head []byte) string {
	has := func(at int, text string) bool {
		return len(head) >= at+len(text) && string(head[at:at+len(text)]) == text
	}
	switch {
	case has(0, "\x89PNG\r\n\x1a\n"):
		return "PNG"
	case has(0, "\xff\xd8\xff"):
		return "JPEG"
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return "GIF"
	case has(0, "RIFF") && has(8, "WEBP"):
		if has(12, "VP8X") && len(head) > 20 && head[20]&2 != 0 {
			return "animated WebP"
		}
		return "WebP"
	case has(0, "BM") && has(6, "\x00\x00\x00\x00"):
		return "BMP"
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return "TIFF"
	case has(4, "ftyp"):
		return "HEIF"
	}
	return ""
}

func codecFor(head []byte) (*codec, error) {
	format := pictureFormat(head)
	if i := slices.IndexFunc(codecs, func(c codec) bool { return c.name == format }); i >= 0 {
		return &codecs[i], nil
	}
	if format != "" {
		return nil, fmt.Errorf("%w that can be read: %s: convert it to PNG or JPEG", errNoPicture, format)
	}
	return nil, errNoPicture
}

// A picture is a decoded file, as a square of RGB pixels.
type picture struct {
	pixels        []byte // side·side·3
	gray          bool   // red, green and blue are equal everywhere
	width, height int    // of the picture in the file
}

// readPicture decodes a file, and crops and resizes it to a square. limit bounds the pixels of the
// file. It takes them from room before it decodes them, and gives them back. An error is about this
// file, also when a decoder panics.
func readPicture(file []byte, side, limit int, room *room) (p picture, err error) {
	c, err := codecFor(file)
	if err != nil {
		return p, err
	}
	pixels, err := c.checkSize(file, limit)
	if err != nil {
		return p, err
	}
	room.take(pixels)
	defer room.give(pixels)
	defer func() {
		if v := recover(); v != nil {
			p, err = picture{}, fmt.Errorf("%w: its decoder failed: %v", errDamaged, v)
		}
	}()
	m, err := c.decode(bytes.NewReader(file))
	if err != nil {
		return p, fmt.Errorf("%w: %w", errDamaged, err)
	}
	p.width, p.height = m.Bounds().Dx(), m.Bounds().Dy()
	if p.width < 1 || p.height < 1 {
		return picture{}, fmt.Errorf("%w: it has no pixels", errDamaged)
	}
	orientation := 1
	if c.name == "JPEG" {
		if orientation = jpegOrientation(file); orientation > 4 {
			p.width, p.height = p.height, p.width
		}
	}
	p.pixels = samples(upright(square(m, side), orientation), 3)
	p.gray = isGray(p.pixels)
	return p, nil
}

// checkSize reads the header alone. It returns the number of pixels that the header claims.
func (c *codec) checkSize(file []byte, limit int) (pixels int, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: its decoder failed: %v", errDamaged, v)
		}
	}()
	cfg, err := c.config(bytes.NewReader(file))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if cfg.Width < 1 || cfg.Height < 1 {
		return 0, fmt.Errorf("%w: %dx%d pixels", errDamaged, cfg.Width, cfg.Height)
	}
	claim := uint64(cfg.Width) * uint64(cfg.Height) // both below 2³²
	switch {
	case claim > uint64(limit):
		return 0, fmt.Errorf("%w: %dx%d, more than %d million", errTooLarge, cfg.Width, cfg.Height, limit>>20)
	case claim > smallPixels && claim > pixelsPerByte*uint64(len(file)):
		return 0, fmt.Errorf("%w: %dx%d in a file of %d bytes, which cannot hold them",
			errTooLarge, cfg.Width, cfg.Height, len(file))
	}
	return int(claim), nil
}

// square cuts the largest square out of the middle and resizes it. Transparent pixels are drawn
// over white. Package draw cuts the middle out, as it reads any kind of image in this goroutine.
// Package imaging reads in goroutines of its own, where nobody can catch a panic over an index that
// a palette lacks.
func square(m image.Image, side int) *image.NRGBA {
	b := m.Bounds()
	edge := min(b.Dx(), b.Dy())
	corner := b.Min.Add(image.Pt((b.Dx()-edge)/2, (b.Dy()-edge)/2))
	// Opaque pixels are the same with premultiplied alpha and without, and draw is fast on RGBA.
	middle := image.NewRGBA(image.Rect(0, 0, edge, edge))
	if o, ok := m.(interface{ Opaque() bool }); ok && o.Opaque() {
		draw.Draw(middle, middle.Rect, m, corner, draw.Src)
	} else {
		draw.Draw(middle, middle.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(middle, middle.Rect, m, corner, draw.Over)
	}
	cut := &image.NRGBA{Pix: middle.Pix, Stride: middle.Stride, Rect: middle.Rect}
	if edge == side {
		return cut
	}
	return imaging.Resize(cut, side, side, imaging.Lanczos)
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

// samples returns the first c of each pixel's red, green, blue and alpha.
func samples(m *image.NRGBA, c int) []byte {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := make([]byte, 0, w*h*c)
	for y := range h {
		row := m.Pix[y*m.Stride:][:4*w]
		for ; len(row) > 0; row = row[4:] {
			out = append(out, row[:c]...)
		}
	}
	return out
}

func isGray(rgb []byte) bool {
	for ; len(rgb) > 0; rgb = rgb[3:] {
		if rgb[0] != rgb[1] || rgb[1] != rgb[2] {
			return false
		}
	}
	return true
}

// withChannels returns pixels with another number of channels. From one channel it makes three
// equal ones. From three it makes their luma (Rec. 601), which leaves gray as it is.
func withChannels(pixels []byte, from, to int) []byte {
	if from == to {
		return pixels
	}
	out := make([]byte, 0, len(pixels)/from*to)
	for ; len(pixels) > 0; pixels = pixels[from:] {
		if to == 1 {
			out = append(out, byte((299*int(pixels[0])+587*int(pixels[1])+114*int(pixels[2])+500)/1000))
		} else {
			out = append(out, pixels[0], pixels[0], pixels[0])
		}
	}
	return out
}
