package decode

import "image"

// A sampled picture has samples of 16 bits, the higher byte first.
type sampled struct {
	pix      []byte
	channels int  // 1 or 4
	straight bool // colours are not multiplied by alpha
}

// samples16 returns the samples of a picture that has 16 bits a sample.
func samples16(m image.Image) (s sampled, ok bool) {
	switch m := m.(type) {
	case *image.Gray16:
		return sampled{m.Pix, 1, true}, true
	case *image.RGBA64:
		return sampled{m.Pix, 4, false}, true
	case *image.NRGBA64:
		return sampled{m.Pix, 4, true}, true
	}
	return sampled{}, false
}

func number16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }

// peak returns the highest sample of the pixels that can be seen. Alpha is not a sample.
func (s sampled) peak() uint16 {
	var highest uint16
	for pix := s.pix; len(pix) >= 2*s.channels; pix = pix[2*s.channels:] {
		switch {
		case s.channels == 1:
			highest = max(highest, number16(pix))
		case number16(pix[6:]) != 0:
			highest = max(highest, number16(pix), number16(pix[2:]), number16(pix[4:]))
		}
	}
	return highest
}

// stretch multiplies the colours so that white becomes 65535. What is brighter becomes white too.
func (s sampled) stretch(white uint16) {
	colours := min(s.channels, 3)
	for pix := s.pix; len(pix) >= 2*s.channels; pix = pix[2*s.channels:] {
		limit := uint32(65535)
		if !s.straight {
			limit = uint32(number16(pix[6:]))
		}
		for c := range colours {
			at := pix[2*c:]
			v := min(uint32(number16(at))*65535/uint32(white), limit)
			at[0], at[1] = byte(v>>8), byte(v)
		}
	}
}
