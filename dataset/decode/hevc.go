//go:build nodynamic

package decode

import (
	"bytes"
	"encoding/binary"
)

// streamCoding returns how a stream of HEVC says that its samples stand for colours: in the
// usability information of its first sequence parameter set (ITU-T H.265, 7.3.2.2 and E.2.1), which
// hvcC has (ISO 14496-15, 8.3.3.1). It is nil for a stream that does not say it.
func streamCoding(hvcC []byte) *coding {
	const arrays, sequenceSet = 22, 33
	if len(hvcC) <= arrays {
		return nil
	}
	rest := hvcC[arrays+1:]
	for range hvcC[arrays] {
		if len(rest) < 3 {
			return nil
		}
		kind, count := rest[0]&0x3f, binary.BigEndian.Uint16(rest[1:])
		rest = rest[3:]
		for range count {
			if len(rest) < 2 {
				return nil
			}
			n := min(2+int(binary.BigEndian.Uint16(rest)), len(rest))
			if kind == sequenceSet {
				return sequenceCoding(rest[2:n])
			}
			rest = rest[n:]
		}
	}
	return nil
}

// sequenceCoding is streamCoding of a sequence parameter set. What lies before the usability
// information is skipped in the order of the standard.
func sequenceCoding(set []byte) *coding {
	r := &bitReader{data: bytes.ReplaceAll(set, []byte{0, 0, 3}, []byte{0, 0})}
	r.skip(16 + 4)
	layers := int(r.bits(3)) // below the highest one
	r.skip(1)
	r.skipProfile(layers)
	r.numbers(1)
	if r.number() == 3 { // 4:4:4
		r.skip(1)
	}
	r.numbers(2)
	if r.flag() { // a window of the picture
		r.numbers(4)
	}
	r.numbers(2)
	orderBits := int(r.limited(12)) + 4
	if r.flag() {
		r.numbers(3 * layers)
	}
	r.numbers(3 + 6)
	if r.flag() {
		r.skipScalingLists()
	}
	r.skip(2)
	if r.flag() { // samples that are not coded
		r.skip(8)
		r.numbers(2)
		r.skip(1)
	}
	r.skipReferenceSets()
	if r.flag() {
		for range r.limited(32) {
			r.skip(orderBits + 1)
		}
	}
	r.skip(2)
	return r.usability()
}

// usability reads the beginning of the usability information, where it is there.
func (r *bitReader) usability() *coding {
	if !r.flag() {
		return nil
	}
	const otherAspect = 255
	if r.flag() && r.bits(8) == otherAspect {
		r.skip(32)
	}
	if r.flag() { // whether edges may be cut
		r.skip(1)
	}
	if !r.flag() {
		return nil
	}
	r.skip(3)
	c := coding{full: r.flag(), matrix: matrixUnspecified}
	if r.flag() {
		r.skip(16)
		c.matrix = int(r.bits(8))
	}
	if r.failed {
		return nil
	}
	return &c
}

// skipProfile skips profile and level (7.3.3), of so many sub-layers too.
func (r *bitReader) skipProfile(layers int) {
	const profile, level = 88, 8
	r.skip(profile + level)
	if layers == 0 {
		return
	}
	present := r.bits(16) // two bits for each, then nothing
	for range layers {
		if present&0x8000 != 0 {
			r.skip(profile)
		}
		if present&0x4000 != 0 {
			r.skip(level)
		}
		present <<= 2
	}
}

// skipScalingLists skips the lists of 4x4 to 32x32 factors (7.3.4), where they are not the usual
// ones.
func (r *bitReader) skipScalingLists() {
	if !r.flag() {
		return
	}
	for size := range 4 {
		lists, first := 6, 0
		if size > 1 {
			first = 1
		}
		if size == 3 {
			lists = 2
		}
		for range lists {
			if r.flag() {
				r.numbers(first + min(64, 16<<(2*size)))
			} else {
				r.numbers(1)
			}
		}
	}
}

// skipReferenceSets skips the sets of pictures that others refer to (7.3.7).
func (r *bitReader) skipReferenceSets() {
	size := uint32(0) // of the set before
	for i := range r.limited(64) {
		if i == 0 || !r.flag() {
			size = r.limited(16) + r.limited(16)
			for range size {
				r.numbers(1)
				r.skip(1)
			}
			continue
		}
		r.skip(1)
		r.numbers(1)
		before := size
		size = 0
		for range before + 1 {
			if now := r.flag(); now || r.flag() { // used by this picture, or by a later one
				size++
			}
		}
	}
}

// A bitReader reads bits, the highest of a byte first. Once one is missing it has failed, and all
// that it reads is 0.
type bitReader struct {
	data   []byte
	at     int // in bits
	failed bool
}

func (r *bitReader) bits(n int) uint32 {
	if r.failed = r.failed || n > 8*len(r.data)-r.at; r.failed {
		return 0
	}
	v := uint32(0)
	for range n {
		v = v<<1 | uint32(r.data[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

func (r *bitReader) flag() bool { return r.bits(1) != 0 }

func (r *bitReader) skip(n int) {
	r.failed = r.failed || n > 8*len(r.data)-r.at
	r.at += n
}

// number reads a number of Exp-Golomb's code (9.2): as many zeros as bits follow the one.
func (r *bitReader) number() uint32 {
	zeros := 0
	for !r.failed && !r.flag() {
		zeros++
	}
	if r.failed = r.failed || zeros > 31; r.failed {
		return 0
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// numbers skips numbers. Signed ones are as long.
func (r *bitReader) numbers(n int) {
	for range n {
		r.number()
	}
}

// limited reads a number that is not above a limit.
func (r *bitReader) limited(limit uint32) uint32 {
	if n := r.number(); n <= limit {
		return n
	}
	r.failed = true
	return 0
}
