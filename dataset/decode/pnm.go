package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"strconv"
	"strings"
)

func isPNM(head []byte) bool { return isNetpbm(head, "123456") || has(head, 0, "P7\n") }

// pnmNumber is the most digits of a number in a header, with zeros before it.
const pnmNumber = 20

// A pnm is a picture of Netpbm: PBM (P1, P4), PGM (P2, P5), PPM (P3, P6) or PAM (P7).
type pnm struct {
	kind          byte // the digit
	width, height int
	depth         int // samples a pixel: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA
	max           int // the sample that is white
	data          []byte
}

// openPNM reads the first picture of the file.
func openPNM(file []byte) (*stored, error) {
	p := &pnm{kind: file[1], depth: 1, data: file[2:]}
	var err error
	if p.kind == '7' {
		err = p.readPAM()
	} else {
		err = p.readHeader()
	}
	if err != nil {
		return nil, err
	}
	if p.max < 1 || p.max > 65535 {
		return nil, damaged("PNM whose highest sample is %d", p.max)
	}
	if p.width < 1 || p.height < 1 || p.bytes() > uint64(len(p.data)) {
		return nil, cannotHold(p.width, p.height, len(file))
	}
	return &stored{p.width, p.height, 1, p.decode, 0}, nil
}

// bytes is the least number of bytes that the samples take.
func (p *pnm) bytes() uint64 {
	samples := uint64(p.width) * uint64(p.depth) // both at most 2³¹ and 4
	switch {
	case p.kind == '4':
		samples = (samples + 7) / 8
	case p.kind >= '5' && p.max > 255:
		samples *= 2
	}
	if samples > uint64(len(p.data)) {
		return samples
	}
	return samples * uint64(p.height)
}

// readHeader reads the numbers of a header, which end in one white space.
func (p *pnm) readHeader() (err error) {
	numbers := []*int{&p.width, &p.height, &p.max}
	if p.kind == '1' || p.kind == '4' {
		p.max, numbers = 1, numbers[:2]
	}
	if p.kind == '3' || p.kind == '6' {
		p.depth = 3
	}
	for _, n := range numbers {
		if *n, err = p.number(); err != nil {
			return err
		}
	}
	if len(p.data) > 0 && p.kind > '3' {
		p.data = p.data[1:]
	}
	return nil
}

// skip goes behind white space and comments.
func (p *pnm) skip() {
	for len(p.data) > 0 {
		switch p.data[0] {
		case '#':
			end := bytes.IndexAny(p.data, "\r\n")
			if end < 0 {
				end = len(p.data)
			}
			p.data = p.data[end:]
		case ' ', '\t', '\r', '\n', '\v', '\f':
			p.data = p.data[1:]
		default:
			return
		}
	}
}

// number reads a number, and what stands before it.
func (p *pnm) number() (int, error) {
	p.skip()
	n := 0
	for n < len(p.data) && n < pnmNumber && p.data[n] >= '0' && p.data[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(string(p.data[:n]), 10, 32)
	if err != nil {
		return 0, damaged("PNM without a number where one must be")
	}
	p.data = p.data[n:]
	return int(v), nil
}

// readPAM reads the lines of a header.
func (p *pnm) readPAM() error {
	p.data = p.data[1:]
	words := map[string]*int{"WIDTH": &p.width, "HEIGHT": &p.height, "DEPTH": &p.depth, "MAXVAL": &p.max}
	tuples := "" // what the samples are, where the file says it
	for {
		line, rest, ok := bytes.Cut(p.data, []byte("\n"))
		if !ok {
			return damaged("PAM without the end of its header")
		}
		p.data = rest
		name, value, _ := strings.Cut(strings.TrimSpace(string(line[:min(len(line), 80)])), " ")
		if name == "ENDHDR" {
			break
		}
		if name == "TUPLTYPE" {
			tuples = strings.TrimSpace(value)
		}
		if to := words[name]; to != nil {
			v, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32)
			if err != nil {
				return damaged("PAM whose %s is %q", name, value)
			}
			*to = int(v)
		}
	}
	if p.depth < 1 || p.depth > 4 {
		return unsupported(fmt.Sprintf("PAM of %d samples a pixel", p.depth))
	}
	if isAlpha := p.depth == 2 || p.depth == 4; isAlpha && tuples != "" && !strings.HasSuffix(tuples, "_ALPHA") {
		return unsupported(fmt.Sprintf("PAM with samples of the type %.20q", tuples))
	}
	return nil
}

// decode makes a picture of 8 bits a sample, or of 16 where the file has more than 8. White is all
// bits in both.
func (p *pnm) decode() (image.Image, error) {
	rect := image.Rect(0, 0, p.width, p.height)
	if p.max > 255 {
		if p.depth == 1 {
			m := image.NewGray16(rect)
			return m, p.fill(func(x, y int, s [4]uint16) { m.SetGray16(x, y, color.Gray16{Y: s[0]}) })
		}
		m := image.NewNRGBA64(rect)
		return m, p.fill(func(x, y int, s [4]uint16) {
			m.SetNRGBA64(x, y, color.NRGBA64{R: s[0], G: s[1], B: s[2], A: s[3]})
		})
	}
	if p.depth == 1 {
		m := image.NewGray(rect)
		return m, p.fill(func(x, y int, s [4]uint16) { m.Pix[y*m.Stride+x] = byte(s[0]) })
	}
	m := image.NewNRGBA(rect)
	return m, p.fill(func(x, y int, s [4]uint16) {
		m.SetNRGBA(x, y, color.NRGBA{R: byte(s[0]), G: byte(s[1]), B: byte(s[2]), A: byte(s[3])})
	})
}

// fill reads all pixels, and gives set each as red, green, blue and alpha.
func (p *pnm) fill(set func(x, y int, sample [4]uint16)) error {
	white := uint64(255)
	if p.max > 255 {
		white = 65535
	}
	next := p.reader()
	for y := range p.height {
		for x := range p.width {
			s := [4]uint16{3: uint16(white)}
			for c := range p.depth {
				v, err := next(x)
				if err != nil {
					return err
				}
				if v > p.max {
					return damaged("PNM with the sample %d, above %d", v, p.max)
				}
				s[c] = uint16((uint64(v)*white + uint64(p.max)/2) / uint64(p.max))
			}
			switch p.depth {
			case 1:
				s[1], s[2] = s[0], s[0]
			case 2:
				s = [4]uint16{s[0], s[0], s[0], s[1]}
			}
			set(x, y, s)
		}
	}
	return nil
}

// reader returns a function that reads the next sample. x is the column.
func (p *pnm) reader() func(x int) (int, error) {
	switch {
	case p.kind == '1':
		return p.digit
	case p.kind < '4':
		return func(int) (int, error) { return p.number() }
	case p.kind == '4':
		return p.bit
	case p.max > 255:
		return func(int) (int, error) {
			v := binary.BigEndian.Uint16(p.data) // bytes has counted them
			p.data = p.data[2:]
			return int(v), nil
		}
	}
	return func(int) (int, error) {
		v := p.data[0]
		p.data = p.data[1:]
		return int(v), nil
	}
}

// digit reads 0, which is white, or 1. No white space need be between them.
func (p *pnm) digit(int) (int, error) {
	p.skip()
	if len(p.data) == 0 || p.data[0] != '0' && p.data[0] != '1' {
		return 0, damaged("PNM without a number where one must be")
	}
	v := p.data[0]
	p.data = p.data[1:]
	return int('1' - v), nil
}

// bit reads a bit, of which 0 is white. A row begins with a byte.
func (p *pnm) bit(x int) (int, error) {
	v := p.data[0] >> (7 - x%8) & 1
	if x%8 == 7 || x == p.width-1 {
		p.data = p.data[1:]
	}
	return 1 - int(v), nil
}
