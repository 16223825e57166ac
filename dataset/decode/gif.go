package decode

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"image/gif"
)

// openGIF reads the first frame that has pixels. A frame that does not fill its canvas lies at its
// place on transparent pixels, as viewers show it.
func openGIF(file []byte) (*stored, error) {
	frame, canvas, err := firstFrame(file)
	if err != nil {
		return nil, err
	}
	return &stored{canvas.X, canvas.Y, 1, func() (image.Image, error) {
		m, err := gif.Decode(bytes.NewReader(frame))
		if err != nil {
			return nil, err
		}
		return onCanvas(m, image.Point{}, canvas), nil
	}, 0}, nil
}

// onCanvas draws a frame at its place on transparent pixels, moved by a corner. A frame that fills
// the canvas stays as it is.
func onCanvas(frame image.Image, corner, canvas image.Point) image.Image {
	b, whole := frame.Bounds(), image.Rectangle{Max: canvas}
	if b.Add(corner) == whole {
		return frame
	}
	m := image.NewNRGBA(whole)
	draw.Draw(m, b.Add(corner), frame, b.Min, draw.Src)
	return m
}

// Blocks of GIF (GIF89a specification, appendix A).
const (
	gifImage     = 0x2c
	gifExtension = 0x21
	gifControl   = 0xf9
	gifColours   = 0x80 // the flag of a table of colours, whose lowest bits are its size
)

// firstFrame writes a GIF of one frame: the first one that is not empty. Its table has all 256
// colours, as some files use colours that theirs lacks: those are black. The canvas is enlarged to
// hold the frame.
func firstFrame(file []byte) (frame []byte, canvas image.Point, err error) {
	if len(file) < 13 {
		return nil, canvas, damaged("GIF without a header")
	}
	canvas = image.Pt(gifNumber(file, 6), gifNumber(file, 8))
	colours, rest := gifTable(file[10], file[13:])
	var control []byte
	for len(rest) >= 11 {
		switch rest[0] {
		case gifExtension:
			data, after := gifBlocks(rest[2:])
			if rest[1] == gifControl && len(data) >= 6 { // with its length and its end
				control = data[:6]
			}
			rest = after
		case gifImage:
			f, after := readGIFFrame(rest, colours)
			if f.size.X > 0 && f.size.Y > 0 {
				canvas = image.Pt(max(canvas.X, f.corner.X+f.size.X), max(canvas.Y, f.corner.Y+f.size.Y))
				return f.alone(canvas, control), canvas, nil
			}
			control, rest = nil, after
		case 0: // the end of a block that has ended
			rest = rest[1:]
		default:
			return nil, canvas, damaged("GIF without pixels")
		}
	}
	return nil, canvas, damaged("GIF that ends before its pixels")
}

// A gifFrame is one frame as it is stored.
type gifFrame struct {
	corner, size image.Point
	flags        byte
	colours      []byte
	data         []byte // behind the number of bits of a code
	codeBits     byte
}

// readGIFFrame reads a frame whose descriptor and first byte are there. Without a table of its own
// it has the colours of all. It returns what follows the frame.
func readGIFFrame(rest, colours []byte) (f gifFrame, after []byte) {
	f.corner = image.Pt(gifNumber(rest, 1), gifNumber(rest, 3))
	f.size = image.Pt(gifNumber(rest, 5), gifNumber(rest, 7))
	f.flags, f.colours = rest[9], colours
	local, pixels := gifTable(f.flags, rest[10:])
	if local != nil {
		f.colours = local
	}
	if len(pixels) > 0 {
		f.codeBits = pixels[0]
		f.data, pixels = gifBlocks(pixels[1:])
	}
	return f, pixels
}

func gifNumber(b []byte, at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }

// gifTable returns the table of colours that flags announce, and what follows it.
func gifTable(flags byte, rest []byte) (table, after []byte) {
	if flags&gifColours == 0 {
		return nil, rest
	}
	n := min(3<<(flags&7+1), len(rest))
	return rest[:n:n], rest[n:]
}

// gifBlocks returns blocks of data with their lengths, up to the empty one, and what follows them.
func gifBlocks(rest []byte) (blocks, after []byte) {
	at := 0
	for at < len(rest) && rest[at] != 0 {
		at += 1 + int(rest[at])
	}
	at = min(at, len(rest))
	return append(rest[:at:at], 0), rest[min(at+1, len(rest)):]
}

// alone writes a GIF of this frame.
func (f *gifFrame) alone(canvas image.Point, control []byte) []byte {
	out := []byte("GIF89a")
	out = binary.LittleEndian.AppendUint16(out, uint16(canvas.X))
	out = binary.LittleEndian.AppendUint16(out, uint16(canvas.Y))
	out = append(out, 0, 0, 0)
	if control != nil {
		out = append(append(out, gifExtension, gifControl), control...)
	}
	out = append(out, gifImage)
	for _, n := range []int{f.corner.X, f.corner.Y, f.size.X, f.size.Y} {
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
	}
	interlaced := f.flags & 0x40
	if f.colours == nil { // the decoder says so
		out = append(out, interlaced)
	} else {
		out = append(append(out, interlaced|gifColours|7), f.colours...)
		out = append(out, make([]byte, 3*256-len(f.colours))...)
	}
	out = append(append(out, f.codeBits), f.data...)
	return append(out, 0x3b)
}
