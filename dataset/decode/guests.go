//go:build nodynamic

package decode

import (
	"encoding/binary"
	"fmt"
	"image"
)

// guests are the formats whose decoders are C programs, run as guests in WebAssembly.
var guests = []format{
	{name: "AVIF", magic: isAVIF, open: openAVIF},
	{name: "HEIC", magic: isHEIC, open: openHEIC},
	{name: "JPEG XL", magic: isJXL, open: openJXL},
}

// openAVIF reads the main picture, or the first of a sequence. The guest does not turn it.
func openAVIF(file []byte) (*stored, error) {
	h, err := avifGuest.header(file, 4)
	if err != nil {
		return nil, err
	}
	width, height, depth := int(h[0]), int(h[1]), h[2]
	return &stored{width, height, readHEIF(file).orientation, func() (image.Image, error) {
		// The guest reports success though it failed. Then the first pixel is brighter than its
		// alpha allows, as colours are multiplied by it.
		q := request{width * height, 4 * width * height, "\xff\xff\xff\x00"}
		if depth > 8 {
			q = request{2 * q.pixels, 2 * q.bytes, "\xff\xff\xff\xff\xff\xff\x00\x00"}
		}
		pix, err := avifGuest.pixels(file, 4, q)
		if err != nil {
			return nil, err
		}
		rect := image.Rect(0, 0, width, height)
		if depth > 8 {
			swapped(pix)
			return &image.RGBA64{Pix: pix, Stride: 8 * width, Rect: rect}, nil
		}
		return &image.RGBA{Pix: pix, Stride: 4 * width, Rect: rect}, nil
	}, 0}, nil
}

// openJXL reads the first frame. The guest turns it.
func openJXL(file []byte) (*stored, error) {
	h, err := jxlGuest.header(file, 4)
	if err != nil {
		return nil, err
	}
	width, height, deep := int(h[0]), int(h[1]), h[2] == 16
	return &stored{width, height, 1, func() (image.Image, error) {
		q := request{pixels: width * height, bytes: 4 * width * height}
		if deep {
			q = request{pixels: 2 * q.pixels, bytes: 2 * q.bytes}
		}
		pix, err := jxlGuest.pixels(file, 4, q)
		if err != nil {
			return nil, err
		}
		rect := image.Rect(0, 0, width, height)
		if deep {
			return &image.NRGBA64{Pix: pix, Stride: 8 * width, Rect: rect}, nil
		}
		return &image.NRGBA{Pix: pix, Stride: 4 * width, Rect: rect}, nil
	}, 0}, nil
}

// swapped exchanges the bytes of each sample.
func swapped(pix []byte) {
	for ; len(pix) >= 2; pix = pix[2:] {
		pix[0], pix[1] = pix[1], pix[0]
	}
}

// The kinds of colours that HEIC's guest reports (libheif's heif_colorspace and heif_chroma).
const (
	heicYCbCr, heicRGB, heicGray    = 0, 1, 2
	heicHalf, heicHalfWide, heicAll = 1, 2, 3 // 4:2:0, 4:2:2 and 4:4:4
)

// openHEIC reads the main picture. The guest turns it. It gives no alpha, so pictures that have one
// are refused, as are those with samples that it cannot take.
func openHEIC(file []byte) (*stored, error) {
	boxes := readHEIF(file)
	switch {
	case boxes.alpha:
		return nil, unsupported("HEIC with transparency")
	case boxes.deep > 0:
		return nil, unsupported(fmt.Sprintf("HEIC of %d bits a sample", boxes.deep))
	}
	h, err := heicGuest.header(file, 5)
	if err != nil {
		return nil, err
	}
	width, height, kind, chroma := int(h[0]), int(h[1]), h[2], h[3]
	samples := boxes.coding
	switch {
	case kind == heicGray:
		samples = boxes.gray
	case chroma != heicAll && samples.matrix == matrixIdentity:
		samples.matrix = matrixBT601 // colours cannot be fewer than pixels
	}
	return &stored{width, height, 1, func() (image.Image, error) {
		m, pix := heicPicture(width, height, kind, chroma)
		if m == nil || kind == heicYCbCr && !samples.known() {
			return nil, unsupported("HEIC of a rare kind of colours")
		}
		got, err := heicGuest.pixels(file, 5, request{pixels: width * height, bytes: pix.size})
		if err != nil {
			return nil, err
		}
		pix.use(got)
		return samples.colours(m), nil
	}, 0}, nil
}

// A layout is how the guest lays out the samples of a picture.
type layout struct {
	size int // in bytes
	use  func(samples []byte)
}

// heicPicture returns a picture without samples, and how they will lie in memory. It is nil for
// kinds that are not known.
func heicPicture(width, height int, kind, chroma uint32) (image.Image, layout) {
	rect := image.Rect(0, 0, width, height)
	switch kind {
	case heicGray:
		m := &image.Gray{Stride: align(width), Rect: rect}
		return m, layout{m.Stride * height, func(s []byte) { m.Pix = s }}
	case heicRGB:
		m := &image.NRGBA{Stride: 4 * max(64, (width+3)&^3), Rect: rect}
		return m, layout{m.Stride * height, func(s []byte) { m.Pix = s }}
	}
	m := &image.YCbCr{YStride: align(width), Rect: rect}
	high := height
	switch chroma {
	case heicHalf:
		m.SubsampleRatio, m.CStride, high = image.YCbCrSubsampleRatio420, align((width+1)/2), (height+1)/2
	case heicHalfWide:
		m.SubsampleRatio, m.CStride = image.YCbCrSubsampleRatio422, align((width+1)/2)
	case heicAll:
		m.SubsampleRatio, m.CStride = image.YCbCrSubsampleRatio444, align(width)
	}
	if kind != heicYCbCr || m.CStride == 0 {
		return nil, layout{}
	}
	y, c := m.YStride*height, m.CStride*high
	return m, layout{y + 2*c, func(s []byte) { m.Y, m.Cb, m.Cr = s[:y], s[y:y+c], s[y+c:] }}
}

// align is the length of a row of n bytes in the guest, which has room for 64 pixels at least.
func align(n int) int { return max(64, (n+15)&^15) }

// numbers reads numbers of 32 bits.
func numbers(b []byte) []uint32 {
	list := make([]uint32, len(b)/4)
	for i := range list {
		list[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return list
}
