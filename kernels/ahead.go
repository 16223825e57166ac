package kernels

import "github.com/fmimg/fmimg/asm"

// ahead is the memory that a layer's next step will use. Products, which keep the vector units busy and not the
// memory, have it fetched into the cache bit by bit: a network's activations outgrow the caches, and neither
// tiles nor channel slices follow each other as a CPU foresees it.
type ahead struct {
	maps []Map
	line int // next line of pixels of the last map, over its images
	x    int // next pixel of that line
}

// Ahead adds a map that the next step will use; the last one is fetched first.
func (s *Scratch) Ahead(m Map) { s.ahead.maps, s.ahead.line, s.ahead.x = append(s.ahead.maps, m), 0, 0 }

// ForgetAhead drops what was named and not yet fetched.
func (s *Scratch) ForgetAhead() { s.ahead.maps = s.ahead.maps[:0] }

// aheadBytes is how much is fetched beside one matrix product of a plane: little enough that it is on its way before
// the next.
const aheadBytes = 8192

// fetchAhead asks for some more of the memory that was named.
func (s *Scratch) fetchAhead(isa ISA) {
	a := &s.ahead
	for left := aheadBytes; left > 0 && len(a.maps) > 0; {
		last := len(a.maps) - 1
		m := &a.maps[last]
		if a.line == m.N*m.H {
			a.maps, a.line = a.maps[:last], 0
			continue
		}
		pixels := min(m.W-a.x, max(left/(4*m.C), 1))
		s.fetch = asm.Fetch{P: m.ptr(a.line/m.H, a.line%m.H, a.x), Ld: uintptr(4 * m.Pixel), N: pixels, Bytes: uintptr(4 * m.C)}
		isa.fetch(&s.fetch)
		left -= pixels * 4 * m.C
		if a.x += pixels; a.x == m.W {
			a.line, a.x = a.line+1, 0
		}
	}
}
