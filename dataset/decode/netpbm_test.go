package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"strings"
	"testing"
)

// pnmOf writes a header and the first samples of each pixel.
func pnmOf(header string, m *image.NRGBA, samples int) []byte {
	file := []byte(header)
	for i := 0; i < len(m.Pix); i += 4 {
		file = append(file, m.Pix[i:i+samples]...)
	}
	return file
}

// bmpScene writes the scene with 32 bits a pixel, whose fourth byte is nothing.
func bmpScene() []byte {
	m := scene()
	w, h := m.Rect.Dx(), m.Rect.Dy()
	file := append([]byte("BM"), make([]byte, 52)...)
	for at, v := range map[int]uint32{10: 54, 14: 40, 18: uint32(w), 22: uint32(h), 26: 1 | 32<<16} {
		binary.LittleEndian.PutUint32(file[at:], v)
	}
	for y := range h {
		for x := range w {
			c := m.NRGBAAt(x, h-1-y)
			file = append(file, c.B, c.G, c.R, 0)
		}
	}
	return file
}

// Netpbm's formats come as text or bytes, with comments anywhere in the header and any maximum.
func TestNetpbm(t *testing.T) {
	for _, c := range []struct {
		name, file string
		w, h       int
		want       []byte // RGBA
		peak       uint16
	}{
		{"P1", "P1\n# a comment\n2 2\n1 0\n01", 2, 2, []byte{0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 255}, 0},
		{"P1 without gaps", "P1 3 1 101", 3, 1, []byte{0, 0, 0, 255, 255, 255, 255, 255, 0, 0, 0, 255}, 0},
		{"P2", "P2 #x\r\n2#y\n1 # z\n15\n0 #v\n15", 2, 1, []byte{0, 0, 0, 255, 255, 255, 255, 255}, 0},
		{"P2 of 12 bits", "P2 3 1 4095 0 4095 2048", 3, 1, []byte{0, 0, 0, 255, 255, 255, 255, 255, 128, 128, 128, 255}, 65535},
		{"P3", "P3\n1 1\n255\n1\t2\n3\n", 1, 1, []byte{1, 2, 3, 255}, 0},
		{"P4", "P4 9 2\n\x80\x00\x00\x80", 9, 2, nil, 0},
		{"P5", "P5 2 1 255\n\x07\x08", 2, 1, []byte{7, 7, 7, 255, 8, 8, 8, 255}, 0},
		{"P5, maximum 1", "P5 2 1 1\n\x00\x01", 2, 1, []byte{0, 0, 0, 255, 255, 255, 255, 255}, 0},
		{"P5 of 10 bits", "P5 2 1 1023\n\x03\xff\x00\x00", 2, 1, []byte{255, 255, 255, 255, 0, 0, 0, 255}, 65535},
		{"P6", "P6\n#\n1 1\n#\n255\n\n# \xff", 1, 1, []byte{10, 35, 32, 255}, 0},
		{"P6 of 16 bits", "P6 1 1 65535 \x80\x00\x40\x00\x20\x00", 1, 1, []byte{128, 64, 32, 255}, 32768},
		{"PAM, gray and alpha", "P7\nWIDTH 1\nHEIGHT 1\n# c\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\x05\x80", 1, 1, []byte{5, 5, 5, 128}, 0},
		{"PAM, RGBA", "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nENDHDR\n\x01\x02\x03\x04", 1, 1, []byte{1, 2, 3, 4}, 0},
		{"PAM, black and white", "P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nENDHDR\n\x01\x00", 2, 1, []byte{255, 255, 255, 255, 0, 0, 0, 255}, 0},
		{"PAM, RGBA of 16 bits", "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 65535\nENDHDR\n\x80\x00\x40\x00\x20\x00\x10\x00", 1, 1, []byte{128, 64, 32, 16}, 32768},
	} {
		p, err := Decode([]byte(c.file), Options{Channels: 4})
		if err != nil || p.Width != c.w || p.Height != c.h || p.Peak != c.peak || c.want != nil && string(p.Pixels) != string(c.want) {
			t.Errorf("%s: %v, %dx%d, %v, peak %d", c.name, err, p.Width, p.Height, p.Pixels, p.Peak)
		}
	}
	p, err := Decode(pnmOf("P6 40 24 255\n", scene(), 3), Options{})
	if err != nil || sides(p, 3) != turnedSides[1] {
		t.Errorf("scene: %v", err)
	}
}

// Four samples that are ink are not colours with alpha.
func TestPAMOfOtherSamples(t *testing.T) {
	for _, kind := range []string{"CMYK", "RGB", "GRAYSCALE"} {
		for depth := range 5 {
			file := fmt.Sprintf("P7\nWIDTH 1\nHEIGHT 1\nDEPTH %d\nMAXVAL 255\nTUPLTYPE %s\nENDHDR\n\x01\x02\x03\x04", depth, kind)
			_, err := Decode([]byte(file), Options{})
			if refused := errors.Is(err, ErrUnsupported); refused != (depth%2 == 0) {
				t.Errorf("%s of %d samples: %v", kind, depth, err)
			}
		}
	}
}

func TestNetpbmDamage(t *testing.T) {
	for _, file := range []string{
		"P5 2 1 255\n\x07", "P5 0 1 255\n", "P5 -1 1 255\n", "P5 99999 99999 255\nabc", "P5 1 1 70000\na", "P5 1 1 0\na", "P2 2 1 255 7",
		"P2 1 1 255 300", "P5 1 1 100\n\xff", "P2 1 1 255 x", "P1 1 1 2", "P5 1", "P5 ", "P5 4294967296 1 255\n", "P7\nWIDTH 1\n", "P7\nWIDTH x\nENDHDR\n",
		"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nENDHDR\na", "P6 2147483647 2147483647 65535 \x00",
	} {
		if _, err := Decode([]byte(file), Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", strings.TrimSpace(file), err)
		}
	}
}

// BMP may have the first row at the top, gaps, masks, and a fourth byte that is nothing.
func TestBMP(t *testing.T) {
	plain := bmpScene()
	gap := append(append([]byte{}, plain[:54]...), append(make([]byte, 10), plain[54:]...)...)
	gap[10] = 64
	masks := append(append([]byte{}, plain[:54]...), "\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\x00"...)
	masks = append(masks, plain[54:]...)
	masks[10], masks[30] = 66, 3
	topDown := append([]byte{}, plain...)
	height := int32(-24)
	binary.LittleEndian.PutUint32(topDown[22:], uint32(height))
	long := func(alpha byte) []byte {
		file := append(append([]byte{}, plain[:54]...), make([]byte, 68)...)
		for i := 54; i < len(plain); i += 4 {
			file = append(file, plain[i], plain[i+1], plain[i+2], alpha)
		}
		file[10], file[14] = 122, bmpV4
		return file
	}
	for name, c := range map[string]struct {
		file  []byte
		want  string
		alpha byte
	}{
		"plain": {plain, turnedSides[1], 255}, "gap": {gap, turnedSides[1], 255}, "masks": {masks, turnedSides[1], 255},
		"from the top": {topDown, turnedSides[4], 255}, "long header": {long(0), turnedSides[1], 255},
		"alpha": {long(100), turnedSides[1], 100},
	} {
		p, err := Decode(c.file, Options{Channels: 4})
		if err != nil || sides(p, 4) != c.want || p.Pixels[3] != c.alpha {
			t.Errorf("%s: %v, alpha %v", name, err, p.Pixels[:min(4, len(p.Pixels))])
		}
	}
}
