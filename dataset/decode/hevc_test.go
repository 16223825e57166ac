//go:build nodynamic

package decode

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// bitWriter writes bits as bitReader reads them.
type bitWriter struct {
	data []byte
	n    int
}

func (w *bitWriter) bits(v uint64, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// numbers writes numbers of Exp-Golomb's code.
func (w *bitWriter) numbers(list ...uint64) {
	for _, v := range list {
		length := 0
		for (v+1)>>(length+1) > 0 {
			length++
		}
		w.bits(0, length)
		w.bits(v+1, length+1)
	}
}

// configuration writes an hvcC of a parameter set whose optional parts are there, or not, as the
// bits of parts say (ITU-T H.265, 7.3.2.2.1).
func configuration(parts int) []byte {
	part := func(i int) uint64 { return uint64(parts >> i & 1) }
	w := &bitWriter{data: []byte{33 << 1, 1}, n: 16}
	layers := int(2 * part(0))
	w.bits(0, 4)
	w.bits(uint64(layers), 3)
	w.bits(1, 1)
	w.bits(1, 88) // profile
	w.bits(90, 8) // level
	if layers > 0 {
		w.bits(0b11_01, 4) // which of the two have a profile and a level
		w.bits(0, 12)
		w.bits(1, 88)
		w.bits(3, 8)
		w.bits(3, 8)
	}
	w.numbers(0, 1+2*part(1))
	if part(1) > 0 {
		w.bits(0, 1)
	}
	w.numbers(64, 48)
	if w.bits(part(2), 1); part(2) > 0 {
		w.numbers(0, 3, 0, 5)
	}
	w.numbers(0, 0, 4)
	w.bits(part(3), 1)
	for range 1 + layers*int(part(3)) {
		w.numbers(4, 2, 0)
	}
	w.numbers(0, 3, 0, 3, 0, 1)
	if w.bits(part(4), 1); part(4) > 0 {
		writeScalingLists(w, part(5))
	}
	w.bits(3, 2)
	if w.bits(part(6), 1); part(6) > 0 {
		w.bits(0x77, 8)
		w.numbers(0, 2)
		w.bits(1, 1)
	}
	if writeReferenceSets(w, part(7)); part(8) == 0 {
		w.bits(0, 1)
	} else {
		w.bits(1, 1)
		w.numbers(2)
		w.bits(0x155, 9)
		w.bits(0x0aa, 9)
	}
	w.bits(3, 2)
	w.bits(1, 1) // usability information
	if w.bits(part(9), 1); part(9) > 0 {
		w.bits(255, 8)
		w.bits(1<<16|1, 32)
	}
	w.bits(part(9)*3, 1+int(part(9)))
	w.bits(1, 1)
	w.bits(5, 3)
	w.bits(1, 1) // full range
	w.bits(1, 1)
	w.bits(1<<16|13<<8|9, 24)
	w.bits(1, 1)
	set := bytes.ReplaceAll(w.data, []byte{0, 0, 0}, []byte{0, 0, 3, 0})
	other := []byte{32, 0, 1, 0, 2, 64, 1}
	return slices.Concat(make([]byte, 22), []byte{2}, other, []byte{33, 0, 1, byte(len(set) >> 8), byte(len(set))}, set)
}

// writeScalingLists writes lists of their own, or references to others.
func writeScalingLists(w *bitWriter, own uint64) {
	if w.bits(own, 1); own == 0 {
		return
	}
	for size, factors := range []int{16, 64, 64, 64} {
		for list := 0; list < 6; list += 1 + 2*(size/3) {
			if list == 1 {
				w.bits(0, 1)
				w.numbers(1)
				continue
			}
			w.bits(1, 1)
			if size > 1 {
				w.numbers(7)
			}
			for i := range factors {
				w.numbers(uint64(i % 5))
			}
		}
	}
}

// writeReferenceSets writes three sets, of which the last is told by the one before it, or none.
func writeReferenceSets(w *bitWriter, some uint64) {
	if w.numbers(3 * some); some == 0 {
		return
	}
	w.numbers(1, 2) // before and after this picture
	for range 3 {
		w.numbers(1)
		w.bits(1, 1)
	}
	w.bits(1, 1) // as the set before
	w.bits(1, 1)
	w.numbers(0)
	w.bits(0b1_01_00_1, 6) // used, used later, not, used: three
	w.bits(1, 1)
	w.bits(0, 1)
	w.numbers(0)
	w.bits(0b1_1_1_1, 4)
}

// The coding is found behind all parts that a parameter set may have.
func TestStreamCoding(t *testing.T) {
	for parts := range 1 << 10 {
		if c := streamCoding(configuration(parts)); c == nil || *c != (coding{matrix: 9, full: true}) {
			t.Fatalf("parts %b: %+v", parts, c)
		}
	}
	for name, want := range map[string]string{
		"tv709.heic": "&{matrix:1 full:false blend:false}", "half.heic": "&{matrix:6 full:true blend:false}",
		"tvgray.heic": "&{matrix:2 full:false blend:false}", "silent601.heic": "<nil>",
	} {
		if got := fmt.Sprintf("%+v", streamCoding(box(box(box(testFile(t, name), "meta")[4:], "iprp")[8:], "hvcC"))); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// Nothing in a parameter set makes the reader fail otherwise than by no answer, or read for long.
func TestStreamCodingSpoilt(t *testing.T) {
	for _, parts := range []int{0, 1<<10 - 1} {
		file := configuration(parts)
		for i := range 8 * len(file) {
			bad := bytes.Clone(file)
			bad[i/8] ^= 0x80 >> (i % 8)
			streamCoding(bad)
			if c := streamCoding(file[:i/8]); c != nil && i/8 < len(file)-5 {
				t.Fatalf("%d of %d bytes: %+v", i/8, len(file), c)
			}
		}
		streamCoding(append(file[:40:40], make([]byte, 1000)...))
		streamCoding(append(file[:40:40], bytes.Repeat([]byte{0xff}, 1000)...))
	}
}
