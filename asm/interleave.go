package asm

import "unsafe"

// Interleave describes lines of pixels of bfloat16 that become pairs of pixels: the matrix B of
// [Pairs], whose rows are the channels of two neighbouring pixels. A line gives Pairs pairs; of its
// pixels only the first ones are read, and the others are zero.
type Interleave struct {
	Src     unsafe.Pointer
	LdSrc   uintptr        // distance between two pixels
	LineSrc uintptr        // distance between two lines
	Lines   int            // at least 1
	Pixels  int            // that are read, at most 2·Pairs
	Pairs   int            // of a line
	Rest    int            // pairs of a line that have no pixel, Pairs - ⌈Pixels/2⌉
	Dst     unsafe.Pointer // groups of [Lines·Pairs][PairCols][2], zero in channels beyond C
	Group   uintptr        // distance between two groups
	C       int            // channels, at least 1
	Last    uintptr        // the channels of the last group, a bit for each
}

// InterleaveGo writes lines of pairs.
func InterleaveGo(args *Interleave) {
	for line := range args.Lines {
		for k := range args.Pairs {
			for c := range (args.C + PairCols - 1) / PairCols * PairCols {
				row := uintptr(line*args.Pairs+k) * 4 * PairCols
				dst := unsafe.Add(args.Dst, uintptr(c/PairCols)*args.Group+row+uintptr(c%PairCols*4))
				*(*[2]uint16)(dst) = [2]uint16{args.at(line, 2*k, c), args.at(line, 2*k+1, c)}
			}
		}
	}
}

// at returns a channel of a pixel, or zero.
func (p *Interleave) at(line, pixel, c int) uint16 {
	if pixel >= p.Pixels || c >= p.C {
		return 0
	}
	at := uintptr(line)*p.LineSrc + uintptr(pixel)*p.LdSrc + uintptr(2*c)
	return *(*uint16)(unsafe.Add(p.Src, at))
}

// Turn describes the transposition of pairs: Blocks matrices of 16 rows of 16 pairs. Rows of the
// source are LdSrc apart, and a matrix follows the one before after 16 rows; in the result, rows
// are LdDst apart, and a matrix follows to the right of the one before.
type Turn struct {
	Src, Dst     unsafe.Pointer
	LdSrc, LdDst uintptr
	Blocks       int // at least 1
}

// TurnGo transposes matrices of pairs.
func TurnGo(args *Turn) {
	for i := range uintptr(args.Blocks * PairCols) {
		for c := range uintptr(PairCols) {
			pair := (*[2]uint16)(unsafe.Add(args.Src, i*args.LdSrc+4*c))
			*(*[2]uint16)(unsafe.Add(args.Dst, c*args.LdDst+4*i)) = *pair
		}
	}
}
