package kernels

// This file converts maps for the operations that work in one precision alone, most of them in
// float32. Such copies hold the images that a layer has in hand, so they stay in the cache.

// The scratch maps, one for each operand that an operation may need in another precision at once.
const (
	wideInput    = iota // the input of a convolution
	wideGradient        // the gradient of its output
	wideOutput          // its output, before it is rounded
	wideMaps            // how many there are
)

// Working returns the precision of the maps that the steps of one layer pass on to each other. They
// stay in the cache, so bfloat16 saves nothing there: they have the precision in which the
// instruction set multiplies.
func (isa ISA) Working(p Precision) Precision {
	if tilesOf[isa].pairs != nil {
		return p
	}
	return F32
}

// Wide returns the gradient of an output in the working precision, for several operations to read:
// m itself, or a copy. The copy lasts until the next Wide, or until a weight gradient reads a
// gradient that has to be converted.
func (s *Scratch) Wide(isa ISA, m Map) Map {
	if isa.Working(m.Precision) == m.Precision {
		return m
	}
	return s.wide(isa, wideGradient, m)
}

// wide returns m in float32.
func (s *Scratch) wide(isa ISA, slot int, m Map) Map { return s.converted(isa, F32, slot, m) }

// narrow returns m in bfloat16.
func (s *Scratch) narrow(isa ISA, slot int, m Map) Map { return s.converted(isa, BF16, slot, m) }

// converted returns m in a precision: m itself, or a copy in a scratch map with the halo of m.
func (s *Scratch) converted(isa ISA, p Precision, slot int, m Map) Map {
	if m.Precision == p {
		return m
	}
	w := s.scratchMap(p, slot, m, m.halo)
	isa.Convert(w.withHaloLines(), m.withHaloLines()) // m may be some lines of a map
	return w
}

// withHaloLines returns the view of the lines of a map and of its halo's lines above and below.
func (m Map) withHaloLines() Map {
	m.base, m.H = m.base-m.halo*m.Row, m.H+2*m.halo
	return m
}

// wideResult returns a float32 map in which an operation sums up y. It holds the residual, unless
// that is nil.
func (s *Scratch) wideResult(isa ISA, y Map, residual *Map) Map {
	w := s.scratchMap(F32, wideOutput, y, 0)
	if residual != nil {
		isa.Convert(w, *residual)
	}
	return w
}

// scratchMap returns a map of the shape of m, with zeros in a halo of the given width.
func (s *Scratch) scratchMap(p Precision, slot int, m Map, halo int) Map {
	w := p.shaped(m.N, m.H, m.W, m.C, halo)
	s.maps[slot] = grown(s.maps[slot], w.memory())
	w.data = s.maps[slot]
	w.clearHalo()
	return w
}

// Convert copies src into dst, of the same shape, and rounds to the precision of dst.
func (isa ISA) Convert(dst, src Map) {
	if dst.Precision == src.Precision {
		dst.Copy(src)
		return
	}
	mustMatch("convert", dst, src)
	for n := range dst.N {
		isa.walk(copyMap, walkOver(n, &src, nil, &dst))
	}
}
