package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"slices"

	"golang.org/x/image/bmp"
)

// The headers of BMP, by their lengths (Windows' wingdi.h and OS/2's bitmap files).
const (
	bmpFileHeader = 14
	bmpOS2        = 12
	bmpInfo       = 40
	bmpV2         = 52 // with masks of the colours
	bmpV3         = 56 // and of alpha
	bmpOS2V2      = 64
	bmpV4         = 108
	bmpV5         = 124
)

func isBMP(head []byte) bool {
	lengths := []uint32{bmpOS2, 16, bmpInfo, bmpV2, bmpV3, bmpOS2V2, bmpV4, bmpV5}
	return has(head, 0, "BM") && len(head) >= 18 && slices.Contains(lengths, binary.LittleEndian.Uint32(head[14:]))
}

// A bmpHeader has the numbers of a header, and where the pixels begin.
type bmpHeader struct {
	length, offset, colours uint32
	width, height           int32 // the height is below 0 where the first row is the top one
	planes, bits            uint16
	compression             uint32
}

// openBMP reads pictures that are not compressed.
func openBMP(file []byte) (*stored, error) {
	number := func(at int) uint32 { return binary.LittleEndian.Uint32(file[at:]) }
	h := bmpHeader{offset: number(10), length: number(14)}
	switch h.length {
	case bmpInfo, bmpV2, bmpV3, bmpV4, bmpV5:
	default:
		return nil, unsupported("BMP of OS/2")
	}
	if len(file) < bmpFileHeader+int(h.length) {
		return nil, damaged("BMP that ends in its header")
	}
	h.width, h.height = int32(number(18)), int32(number(22))
	h.planes, h.bits = binary.LittleEndian.Uint16(file[26:]), binary.LittleEndian.Uint16(file[28:])
	h.compression, h.colours = number(30), number(46)
	if err := h.check(file); err != nil {
		return nil, err
	}
	clean, err := h.plain(file)
	if err != nil {
		return nil, err
	}
	return &stored{int(h.width), int(h.rows()), 1, func() (image.Image, error) {
		return bmp.Decode(bytes.NewReader(clean))
	}, 0}, nil
}

func (h *bmpHeader) rows() int64 { return max(int64(h.height), -int64(h.height)) }

// check refuses what cannot be read.
func (h *bmpHeader) check(file []byte) error {
	const bitFields = 3
	names := map[uint32]string{1: "RLE compression", 2: "RLE compression", 4: "a JPEG inside", 5: "a PNG inside"}
	name, packed := names[h.compression]
	switch {
	case packed:
		return unsupported("BMP with " + name)
	case h.compression == bitFields && !h.usualMasks(file):
		return unsupported("BMP with bit fields")
	case h.compression != 0 && h.compression != bitFields:
		return unsupported(fmt.Sprintf("BMP of compression %d", h.compression))
	case h.planes != 1 || !slices.Contains([]uint16{1, 2, 4, 8, 24, 32}, h.bits):
		return unsupported(fmt.Sprintf("BMP of %d bits a pixel", int(h.bits)*int(h.planes)))
	case h.width < 1 || h.height == 0:
		return damaged("BMP of %dx%d pixels", h.width, h.height)
	}
	size, row := uint64(len(file)), (uint64(h.width)*uint64(h.bits)+31)/32*4
	if row > size || uint64(h.offset)+row*uint64(h.rows()) > size {
		return damaged("BMP that ends before its pixels do")
	}
	if h.offset < bmpFileHeader+h.length {
		return damaged("BMP whose pixels lie in its header")
	}
	return nil
}

// usualMasks reports whether bit fields of 32 bits are blue, green, red and maybe alpha, as they
// are without fields.
func (h *bmpHeader) usualMasks(file []byte) bool {
	const masks = bmpFileHeader + bmpInfo // behind the short header, or in a long one
	return h.bits == 32 && len(file) >= masks+12 &&
		string(file[masks:masks+12]) == "\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\x00"
}

// plain writes the picture with the shortest header that serves, and with nothing between the parts
// of the file, as the decoder asks for. The colours of a palette are behind the header.
func (h *bmpHeader) plain(file []byte) ([]byte, error) {
	palette := []byte{}
	if h.bits <= 8 {
		colours := h.colours
		if colours == 0 || colours > 1<<h.bits {
			colours = 1 << h.bits
		}
		at := uint64(bmpFileHeader + h.length)
		end := min(at+4*uint64(colours), uint64(h.offset))
		if end < at || end > uint64(len(file)) {
			return nil, damaged("BMP without its palette")
		}
		palette = append(palette, file[at:end]...)
		palette = append(palette, make([]byte, 4<<h.bits-len(palette))...)
	}
	length, pixels := uint32(bmpInfo), file[h.offset:]
	if h.hasAlpha(file, pixels) {
		length = bmpV4
	}
	out := append([]byte("BM"), make([]byte, bmpFileHeader-2)...)
	binary.LittleEndian.PutUint32(out[10:], bmpFileHeader+length+uint32(len(palette)))
	out = append(out, file[bmpFileHeader:bmpFileHeader+bmpInfo]...)
	binary.LittleEndian.PutUint32(out[14:], length)
	binary.LittleEndian.PutUint32(out[30:], 0) // no compression
	binary.LittleEndian.PutUint32(out[46:], uint32(len(palette)/4))
	out = append(out, make([]byte, length-bmpInfo)...)
	return append(append(out, palette...), pixels...), nil
}

// hasAlpha reports whether the fourth byte of a pixel is alpha. Many programs leave it 0.
func (h *bmpHeader) hasAlpha(file, pixels []byte) bool {
	if h.bits != 32 || h.length < bmpV3 {
		return false
	}
	if mask := file[bmpFileHeader+52:]; h.compression != 0 && binary.LittleEndian.Uint32(mask) == 0 {
		return false
	}
	for at := 3; at < len(pixels) && at < 4*int(h.width)*int(h.rows()); at += 4 {
		if pixels[at] != 0 {
			return true
		}
	}
	return false
}
