package decode

import (
	"bytes"
	"encoding/binary"
	"image"
	"iter"

	"golang.org/x/image/webp"
)

func isWebP(head []byte) bool { return has(head, 0, "RIFF") && has(head, 8, "WEBP") }

// openWebP reads a still picture, or the first frame of an animation at its place on transparent
// pixels.
func openWebP(file []byte) (*stored, error) {
	s := &stored{orientation: 1}
	var canvas, corner image.Point
	still := stillWebP{}
	for kind, data := range chunks(file[12:]) {
		switch {
		case kind == "VP8X" && len(data) >= 10:
			canvas = image.Pt(1+number24(data[4:]), 1+number24(data[7:]))
			still.alphaFlag = data[0]&0x10 != 0
		case kind == "ANMF" && still.frame == nil && len(data) >= 16:
			corner = image.Pt(2*number24(data), 2*number24(data[3:]))
			still.alphaFlag = true
			for kind, data := range chunks(data[16:]) {
				still.add(kind, data)
			}
			still.animated = true
		case kind == "EXIF":
			s.orientation = orientation(data)
		default:
			still.add(kind, data)
		}
	}
	if still.frame == nil {
		return nil, damaged("WebP without pixels")
	}
	size, err := still.size()
	if err != nil {
		return nil, err
	}
	clean := still.join(size)
	s.width, s.height = size.X, size.Y
	if still.animated {
		s.width, s.height = max(canvas.X, corner.X+size.X), max(canvas.Y, corner.Y+size.Y)
	} else if canvas != (image.Point{}) && canvas != size {
		return nil, damaged("WebP of %dx%d pixels on a canvas of %dx%d", size.X, size.Y, canvas.X, canvas.Y)
	}
	s.decode = func() (image.Image, error) {
		m, err := webp.Decode(bytes.NewReader(clean))
		if err != nil {
			return nil, err
		}
		if m = vp8Coding.colours(m); still.animated {
			m = onCanvas(m, corner, image.Pt(s.width, s.height))
		}
		return m, nil
	}
	return s, nil
}

// number24 is a number of three bytes.
func number24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// chunks yields the chunks of RIFF: a name, a length, data, and a byte where the length is odd. The
// last one may be cut off.
func chunks(rest []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(rest) >= 8 {
			n := uint64(binary.LittleEndian.Uint32(rest[4:]))
			end := min(8+n, uint64(len(rest)))
			if !yield(string(rest[:4]), rest[8:end]) {
				return
			}
			rest = rest[min(end+n&1, uint64(len(rest))):]
		}
	}
}

// A stillWebP has the chunks of one picture.
type stillWebP struct {
	kind         string // of the frame: "VP8 " or "VP8L"
	frame, alpha []byte
	alphaFlag    bool
	animated     bool
}

// add takes a chunk, of which the first of each kind counts.
func (s *stillWebP) add(kind string, data []byte) {
	switch {
	case s.frame != nil:
	case kind == "ALPH":
		s.alpha = data
	case kind == "VP8 ", kind == "VP8L":
		s.kind, s.frame = kind, data
	}
}

// size reads the size in the header of the frame (RFC 6386, 9.1; RFC 9649, 3.4).
func (s *stillWebP) size() (image.Point, error) {
	if s.kind == "VP8 " && len(s.frame) >= 10 {
		return image.Pt(int(binary.LittleEndian.Uint16(s.frame[6:])&0x3fff),
			int(binary.LittleEndian.Uint16(s.frame[8:])&0x3fff)), nil
	}
	if s.kind == "VP8L" && len(s.frame) >= 5 {
		bits := binary.LittleEndian.Uint32(s.frame[1:])
		return image.Pt(1+int(bits&0x3fff), 1+int(bits>>14&0x3fff)), nil
	}
	return image.Point{}, damaged("WebP that ends in the header of its pixels")
}

// join writes a WebP of the chunks that make the pixels.
func (s *stillWebP) join(size image.Point) []byte {
	body := []byte("WEBP")
	if s.kind == "VP8 " && s.alphaFlag && s.alpha != nil {
		x, y := size.X-1, size.Y-1
		body = riffChunk(body, "VP8X", []byte{0x10, 0, 0, 0,
			byte(x), byte(x >> 8), byte(x >> 16), byte(y), byte(y >> 8), byte(y >> 16)})
		body = riffChunk(body, "ALPH", s.alpha)
	}
	body = riffChunk(body, s.kind, s.frame)
	return riffChunk(nil, "RIFF", body)
}

func riffChunk(to []byte, kind string, data []byte) []byte {
	to = append(to, kind...)
	to = binary.LittleEndian.AppendUint32(to, uint32(len(data)))
	to = append(to, data...)
	return append(to, make([]byte, len(data)&1)...)
}
