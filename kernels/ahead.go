package kernels

import "github.com/fmimg/fmimg/asm"

// ahead is the memory that a layer's next step will use. It is fetched into the cache bit by bit
// during matrix products, which keep the vector units busy and leave the memory idle. A network's
// activations outgrow the caches, and a CPU does not foresee accesses to tiles and to slices of
// channels.
type ahead struct {
	maps []Map
	line int // next line of pixels of the last map, counted over all its images
	x    int // next pixel of that line
}

// Ahead adds a map that the next step will use. The map that was added last is fetched first.
func (s *Scratch) Ahead(m Map) { s.ahead.maps, s.ahead.line, s.ahead.x = append(s.ahead.maps, m), 0, 0 }

// ForgetAhead drops the maps that are not fetched yet.
func (s *Scratch) ForgetAhead() { s.ahead.maps = s.ahead.maps[:0] }

// fetchAhead asks for the next aheadBytes of the maps.
func (s *Scratch) fetchAhead(isa ISA) {
	a := &s.ahead
	for left := aheadBytes; left > 0 && len(a.maps) > 0; {
		last := len(a.maps) - 1
		m := &a.maps[last]
		if a.line == m.N*m.H {
			a.maps, a.line = a.maps[:last], 0
			continue
		}
		pixels := min(m.W-a.x, max(left/int(m.bytes(m.C)), 1))
		s.fetch = asm.Fetch{
			P: m.ptr(a.line/m.H, a.line%m.H, a.x), Ld: m.bytes(m.Pixel),
			N: pixels, Bytes: m.bytes(m.C),
		}
		isa.fetch(&s.fetch)
		left -= pixels * int(m.bytes(m.C))
		if a.x += pixels; a.x == m.W {
			a.line, a.x = a.line+1, 0
		}
	}
}
