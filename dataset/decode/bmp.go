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

// The compressions of BMP that are read beside none.
const (
	bmpRLE8   = 1
	bmpRLE4   = 2
	bmpFields = 3 // of bits for red, green, blue and maybe alpha
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

// openBMP reads pictures of Windows and OS/2.
func openBMP(file []byte) (*stored, error) {
	file, err := fromOS2(file)
	if err != nil {
		return nil, err
	}
	number := func(at int) uint32 { return binary.LittleEndian.Uint32(file[at:]) }
	h := bmpHeader{offset: number(10), length: number(14)}
	if len(file) < bmpFileHeader+int(h.length) {
		return nil, damaged("BMP that ends in its header")
	}
	h.width, h.height = int32(number(18)), int32(number(22))
	h.planes, h.bits = binary.LittleEndian.Uint16(file[26:]), binary.LittleEndian.Uint16(file[28:])
	h.compression, h.colours = number(30), number(46)
	if err := h.check(file); err != nil {
		return nil, err
	}
	return &stored{int(h.width), int(h.rows()), 1, func() (image.Image, error) {
		clean, err := h.plain(file)
		if err != nil {
			return nil, err
		}
		return bmp.Decode(bytes.NewReader(clean))
	}, 0}, nil
}

func (h *bmpHeader) rows() int64 { return max(int64(h.height), -int64(h.height)) }

// check refuses what cannot be read.
func (h *bmpHeader) check(file []byte) error {
	names := map[uint32]string{4: "a JPEG inside", 5: "a PNG inside"}
	if h.length == bmpOS2V2 {
		names = map[uint32]string{bmpFields: "Huffman's compression", 4: "RLE of 24 bits"}
	}
	name, packed := names[h.compression]
	kinds := map[uint32][]uint16{0: {1, 2, 4, 8, 16, 24, 32}, bmpRLE8: {8}, bmpRLE4: {4}, bmpFields: {16, 32}}
	bits, known := kinds[h.compression]
	switch {
	case packed:
		return unsupported("BMP with " + name)
	case !known:
		return unsupported(fmt.Sprintf("BMP of compression %d", h.compression))
	case h.planes != 1 || !slices.Contains(bits, h.bits):
		return unsupported(fmt.Sprintf("BMP of %d bits a pixel", int(h.bits)*int(h.planes)))
	case h.width < 1 || h.height == 0, h.isRLE() && h.height < 0:
		return damaged("BMP of %dx%d pixels", h.width, h.height)
	case h.offset < bmpFileHeader+h.length:
		return damaged("BMP whose pixels lie in its header")
	}
	end := uint64(h.offset)
	if !h.isRLE() {
		end += uint64(h.row(h.bits)) * uint64(h.rows())
	}
	if h.row(h.bits) > int64(len(file)) && !h.isRLE() || end > uint64(len(file)) {
		return damaged("BMP that ends before its pixels do")
	}
	return nil
}

func (h *bmpHeader) isRLE() bool { return h.compression == bmpRLE8 || h.compression == bmpRLE4 }

// row returns the bytes of a row with some bits a pixel.
func (h *bmpHeader) row(bits uint16) int64 { return (int64(h.width)*int64(bits) + 31) / 32 * 4 }

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
	length := uint32(bmpInfo)
	pixels, bits, alpha, err := h.unpacked(file)
	if err != nil {
		return nil, err
	}
	if alpha {
		length = bmpV4
	}
	out := append([]byte("BM"), make([]byte, bmpFileHeader-2)...)
	binary.LittleEndian.PutUint32(out[10:], bmpFileHeader+length+uint32(len(palette)))
	out = append(out, file[bmpFileHeader:bmpFileHeader+bmpInfo]...)
	binary.LittleEndian.PutUint32(out[14:], length)
	binary.LittleEndian.PutUint16(out[28:], bits)
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
