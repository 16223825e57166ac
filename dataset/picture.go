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
	"strings"

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

// A format is a format of pictures. Its first bytes tell it, whatever the file is called.
type format struct {
	name  string
	magic func(head []byte) bool // reports whether a file that begins with head has the format

	// Both are nil for pictures that cannot be read.
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)

	orientation func(file []byte) int // 1 to 8, as in Exif; nil for formats without
}

// formats are the formats of pictures. The first whose magic fits a file is that of the file.
var formats = []format{
	{"PNG", begins("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode, nil},
	{"JPEG", begins("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, jpegOrientation},
	{"GIF", begins("GIF87a", "GIF89a"), gif.DecodeConfig, gif.Decode, nil}, // the first frame
	{name: "animated WebP", magic: isAnimatedWebP},
	{"WebP", isWebP, webp.DecodeConfig, webp.Decode, nil},
	{name: "BMP", magic: func(head []byte) bool { return has(head, 0, "BM") && has(head, 6, "\x00\x00\x00\x00") }},
	{name: "TIFF", magic: begins("II*\x00", "MM\x00*")},
	{name: "HEIF", magic: func(head []byte) bool { return has(head, 4, "ftyp") }},
}

// has reports whether a text is at a place of a file that begins with head.
func has(head []byte, at int, text string) bool {
	return len(head) >= at+len(text) && string(head[at:at+len(text)]) == text
}

// begins returns the magic of files that begin with one of some texts.
func begins(texts ...string) func(head []byte) bool {
	return func(head []byte) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return has(head, 0, text) })
	}
}

func isWebP(head []byte) bool { return has(head, 0, "RIFF") && has(head, 8, "WEBP") }

func isAnimatedWebP(head []byte) bool {
	return isWebP(head) && has(head, 12, "VP8X") && len(head) > 20 && head[20]&2 != 0
}

// readableFormats names the formats that can be read, with a word before the last one.
func readableFormats(word string) string {
	var names []string
	for _, f := range formats {
		if f.decode != nil {
			names = append(names, f.name)
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}

// pictureFormat tells the format of a file by its first bytes. It is nil for a file that is no
// picture.
func pictureFormat(head []byte) *format {
	if i := slices.IndexFunc(formats, func(f format) bool { return f.magic(head) }); i >= 0 {
		return &formats[i]
	}
	return nil
}

// readableFormat is [pictureFormat] with an error for what cannot be read.
func readableFormat(head []byte) (*format, error) {
	f := pictureFormat(head)
	switch {
	case f == nil:
		return nil, errNoPicture
	case f.decode == nil:
		return nil, fmt.Errorf("%w that can be read: %s: convert it to PNG or JPEG", errNoPicture, f.name)
	}
	return f, nil
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
	f, err := readableFormat(file)
	if err != nil {
		return p, err
	}
	pixels, err := f.checkSize(file, limit)
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
	m, err := f.decode(bytes.NewReader(file))
	if err != nil {
		return p, fmt.Errorf("%w: %w", errDamaged, err)
	}
	p.width, p.height = m.Bounds().Dx(), m.Bounds().Dy()
	if p.width < 1 || p.height < 1 {
		return picture{}, fmt.Errorf("%w: it has no pixels", errDamaged)
	}
	orientation := 1
	if f.orientation != nil {
		if orientation = f.orientation(file); orientation > 4 {
			p.width, p.height = p.height, p.width
		}
	}
	p.pixels = samples(upright(square(m, side), orientation), 3)
	p.gray = isGray(p.pixels)
	return p, nil
}

// checkSize reads the header alone. It returns the number of pixels that the header claims.
func (f *format) checkSize(file []byte, limit int) (pixels int, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: its decoder failed: %v", errDamaged, v)
		}
	}()
	cfg, err := f.config(bytes.NewReader(file))
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
