package decode

import (
	"encoding/binary"
	"errors"
	"testing"
)

// bmpOf writes a BMP of a header of 40 bytes or more. extra is behind the first 40 bytes of it.
func bmpOf(w, h int, bits uint16, compression uint32, extra, palette, pixels string) []byte {
	file := append([]byte("BM"), make([]byte, 52)...)
	length := uint32(bmpInfo)
	if len(extra) > 12 {
		length += uint32(len(extra))
	}
	for at, v := range map[int]uint32{
		10: uint32(54 + len(extra) + len(palette)), 14: length, 18: uint32(w), 22: uint32(h), 26: 1 | uint32(bits)<<16,
		30: compression, 46: uint32(len(palette) / 4),
	} {
		binary.LittleEndian.PutUint32(file[at:], v)
	}
	return append(file, extra+palette+pixels...)
}

// os2BMP writes a BMP of OS/2's header.
func os2BMP(w, h, bits byte, palette, pixels string) []byte {
	offset := byte(26 + len(palette))
	return append([]byte{'B', 'M', 0, 0, 0, 0, 0, 0, 0, 0, offset, 0, 0, 0, 12, 0, 0, 0, w, 0, h, 0, 1, 0, bits, 0}, palette+pixels...)
}

type bmpKind struct {
	name string
	file []byte
	want string // the colours from the top: r, g, b, w, k, and t for what is half transparent
}

// bmpKinds are pictures of 3x2 pixels: red, green, blue, and below that white, black, red.
func bmpKinds() []bmpKind {
	const (
		// The palette: black, red, green, blue and white.
		colours = "\x00\x00\x00\x00\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\x00\xff\xff\xff\x00"
		os2     = "\x00\x00\x00\x00\x00\xff\x00\xff\x00\xff\x00\x00\xff\xff\xff"
		all     = "rgbwkr"
		masks4  = "\x00\x0f\x00\x00\xf0\x00\x00\x00\x0f\x00\x00\x00\x00\xf0\x00\x00"
		// Red lies in the last byte of a pixel, and no alpha.
		swapped = "\x00\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\x00"
	)
	return []bmpKind{
		{"555", bmpOf(3, 2, 16, 0, "", "", "\xff\x7f\x00\x00\x00\x7c\x00\x00\x00\x7c\xe0\x03\x1f\x00\x00\x00"), all},
		{"565", bmpOf(3, 2, 16, 3, "\x00\xf8\x00\x00\xe0\x07\x00\x00\x1f\x00\x00\x00", "",
			"\xff\xff\x00\x00\x00\xf8\x00\x00\x00\xf8\xe0\x07\x1f\x00\x00\x00"), all},
		{"4444 with alpha", bmpOf(3, 2, 16, 3, masks4, "",
			"\xff\xff\x00\xf0\x00\x7f\x00\x00\x00\xff\xf0\xf0\x0f\xf0\x00\x00"), "rgbwkt"},
		{"red in the last byte", bmpOf(3, 2, 32, 3, swapped, "",
			"\xff\xff\xff\xff\xff\x00\x00\x00\xff\x00\x00\xff"+"\xff\x00\x00\xff\xff\x00\xff\x00\xff\xff\x00\x00"), all},
		{"RLE of 8 bits", bmpOf(3, 2, 8, 1, "", colours, "\x01\x04\x01\x00\x01\x01\x00\x00"+"\x00\x03\x01\x02\x03\x00\x00\x01"), all},
		{"RLE with a step", bmpOf(3, 2, 8, 1, "", colours, "\x01\x04\x00\x02\x01\x00\x01\x01\x00\x00"+"\x00\x03\x01\x02\x03\x00"), all},
		{"RLE of runs that are too long", bmpOf(3, 2, 8, 1, "", colours, "\xff\x04\x00\x00\x03\x01\x00\x00\xff\x02\x00\x01"), "rrrwww"},
		{"RLE of 4 bits", bmpOf(3, 2, 4, 2, "", colours, "\x02\x40\x01\x10\x00\x00"+"\x00\x03\x12\x30\x00\x01"), all},
		{"OS/2 of 24 bits", os2BMP(3, 2, 24, "",
			"\xff\xff\xff\x00\x00\x00\x00\x00\xff\x00\x00\x00"+"\x00\x00\xff\x00\xff\x00\xff\x00\x00\x00\x00\x00"), all},
		{"OS/2 of 4 bits", os2BMP(3, 2, 4, os2, "\x40\x10\x00\x00\x12\x30\x00\x00"), all},
		{"OS/2 of 8 bits", os2BMP(3, 2, 8, os2, "\x04\x00\x01\x00\x01\x02\x03\x00"), all},
	}
}

func TestBMPKinds(t *testing.T) {
	names := map[[4]byte]byte{
		{255, 0, 0, 255}: 'r', {0, 255, 0, 255}: 'g', {0, 0, 255, 255}: 'b', {255, 255, 255, 255}: 'w', {0, 0, 0, 255}: 'k', {255, 0, 0, 119}: 't',
	}
	for _, c := range bmpKinds() {
		p, err := Decode(c.file, Options{Channels: 4})
		got := ""
		for pix := p.Pixels; len(pix) > 0; pix = pix[4:] {
			got += string(names[[4]byte(pix)])
		}
		if err != nil || p.Width != 3 || p.Height != 2 || got != c.want {
			t.Errorf("%s: %v, %dx%d, %q, want %q", c.name, err, p.Width, p.Height, got, c.want)
		}
		for n := 18; n < len(c.file)-6; n++ {
			if _, err := Decode(c.file[:n], Options{}); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, %d of %d bytes: %v", c.name, n, len(c.file), err)
			}
		}
	}
}
