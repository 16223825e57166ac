package decode

import (
	"encoding/binary"
	"math/bits"
)

// fromOS2 writes the header of OS/2 1 as that of Windows, which follows it. Others stay as they
// are.
func fromOS2(file []byte) ([]byte, error) {
	switch binary.LittleEndian.Uint32(file[14:]) {
	case bmpInfo, bmpV2, bmpV3, bmpOS2V2, bmpV4, bmpV5:
		return file, nil
	case bmpOS2:
	default:
		return nil, unsupported("BMP of OS/2 with a short header")
	}
	if len(file) < bmpFileHeader+bmpOS2 {
		return nil, damaged("BMP that ends in its header")
	}
	depth, offset := binary.LittleEndian.Uint16(file[24:]), binary.LittleEndian.Uint32(file[10:])
	end := min(uint64(offset), uint64(len(file)))
	if end < bmpFileHeader+bmpOS2 {
		return nil, damaged("BMP whose pixels lie in its header")
	}
	out := append([]byte(nil), file[:bmpFileHeader]...)
	out = binary.LittleEndian.AppendUint32(out, bmpInfo)
	out = binary.LittleEndian.AppendUint32(out, uint32(binary.LittleEndian.Uint16(file[18:])))
	out = binary.LittleEndian.AppendUint32(out, uint32(binary.LittleEndian.Uint16(file[20:])))
	out = append(out, file[22:26]...) // planes and bits
	out = append(out, make([]byte, bmpFileHeader+bmpInfo-len(out))...)
	if depth <= 8 {
		colours := file[bmpFileHeader+bmpOS2 : end]
		for n := 0; len(colours) >= 3 && n < 1<<depth; n++ {
			out = append(append(out, colours[:3]...), 0)
			colours = colours[3:]
		}
	}
	binary.LittleEndian.PutUint32(out[10:], uint32(len(out)))
	return append(out, file[end:]...), nil
}

// unpacked returns the rows of the pixels as they lie in files without compression, with their bits
// a pixel. alpha reports whether the fourth byte of a pixel counts.
func (h *bmpHeader) unpacked(file []byte) (pixels []byte, depth uint16, alpha bool, err error) {
	pixels = file[h.offset:]
	switch {
	case h.isRLE():
		pixels, err = h.unpackRLE(pixels)
		return pixels, 8, false, err
	case h.bits == 16 || h.compression == bmpFields && !h.usualMasks(file):
		masks, err := h.masks(file)
		if err != nil {
			return nil, 0, false, err
		}
		pixels = h.unpackFields(pixels, masks)
		return pixels, 32, masks[3] != 0 && anyAlpha(pixels), nil
	}
	return pixels, h.bits, h.hasAlpha(file, pixels), nil
}

// masks returns the bits of blue, green, red and alpha in a pixel, in this order.
func (h *bmpHeader) masks(file []byte) ([4]uint32, error) {
	if h.compression != bmpFields {
		return [4]uint32{0x1f, 0x3e0, 0x7c00}, nil
	}
	const at = bmpFileHeader + bmpInfo // behind the short header, or in a long one
	if len(file) < at+16 {
		return [4]uint32{}, damaged("BMP that ends in its header")
	}
	mask := func(i int) uint32 { return binary.LittleEndian.Uint32(file[at+4*i:]) }
	list := [4]uint32{mask(2), mask(1), mask(0)}
	if h.length >= bmpV3 {
		list[3] = mask(3)
	}
	return list, nil
}

// unpackFields spreads the fields of pixels of 16 or 32 bits over whole bytes.
func (h *bmpHeader) unpackFields(pixels []byte, masks [4]uint32) []byte {
	out := make([]byte, 0, 4*int(h.width)*int(h.rows()))
	size := int(h.bits / 8)
	for y := range int(h.rows()) {
		row := pixels[y*int(h.row(h.bits)):]
		for x := range int(h.width) {
			at := row[x*size:]
			pixel := uint32(binary.LittleEndian.Uint16(at))
			if size == 4 {
				pixel = binary.LittleEndian.Uint32(at)
			}
			for _, mask := range masks {
				out = append(out, fieldByte(pixel, mask))
			}
		}
	}
	return out
}

// fieldByte returns a field of a pixel, scaled so that all of its bits are 255.
func fieldByte(pixel, mask uint32) byte {
	if mask == 0 {
		return 0
	}
	low := bits.TrailingZeros32(mask)
	white := uint64(mask >> low)
	return byte((uint64(pixel&mask>>low)*255 + white/2) / white)
}

func anyAlpha(pixels []byte) bool {
	for at := 3; at < len(pixels); at += 4 {
		if pixels[at] != 0 {
			return true
		}
	}
	return false
}

// unpackRLE writes run lengths of 4 or 8 bits as rows of 8 bits a pixel. Pixels that the runs leave
// out have colour 0.
func (h *bmpHeader) unpackRLE(runs []byte) ([]byte, error) {
	row, rows := int(h.row(8)), int(h.rows())
	out := make([]byte, row*rows)
	x, y := 0, 0
	colours := func(n int, colour func(i int) byte) {
		for i := range n {
			if x < int(h.width) && y < rows {
				out[y*row+x] = colour(i)
			}
			x++
		}
	}
	for len(runs) >= 2 {
		n, v := int(runs[0]), runs[1]
		runs = runs[2:]
		switch {
		case n > 0:
			colours(n, h.colourOf([]byte{v}))
		case v == 0: // the end of a row
			x, y = 0, y+1
		case v == 1: // the end
			return out, nil
		case v == 2: // a step to another pixel
			if len(runs) < 2 {
				return nil, damaged("BMP that ends before its pixels do")
			}
			x, y, runs = x+int(runs[0]), y+int(runs[1]), runs[2:]
		default: // colours one by one, in an even number of bytes
			length := int(v)
			if h.compression == bmpRLE4 {
				length = (length + 1) / 2
			}
			if length > len(runs) {
				return nil, damaged("BMP that ends before its pixels do")
			}
			colours(int(v), h.colourOf(runs[:length]))
			runs = runs[min(length+length&1, len(runs)):]
		}
	}
	if y < rows-1 || y == rows-1 && x < int(h.width) {
		return nil, damaged("BMP that ends before its pixels do")
	}
	return out, nil
}

// colourOf returns the colours that bytes stand for, again and again from the first one.
func (h *bmpHeader) colourOf(data []byte) func(i int) byte {
	if h.compression == bmpRLE8 {
		return func(i int) byte { return data[i%len(data)] }
	}
	return func(i int) byte { return data[i/2%len(data)] >> (4 - 4*(i%2)) & 15 }
}
