package asm

import "unsafe"

// Outer describes a tile of C += Σ a·bᵀ, or C = Σ a·bᵀ. The vectors a and b lie in a nest
// of three loops, of N2, N1 and N0 steps; the elements of a vector lie side by side.
type Outer struct {
	A, B           unsafe.Pointer // first vectors
	LdA, LdB       uintptr        // steps of the inner loop
	N2, N1, N0     int            // counts, the outermost first, each at least 1
	StepA1, StepB1 uintptr        // from the end of the inner loop to its next beginning
	StepA2, StepB2 uintptr        // the same for the middle loop
	C              unsafe.Pointer // first row of the sums
	LdC            uintptr        // distance between two rows
	Set            uintptr        // 0 to add to C, 1 to set it
}

// OuterGo adds to, or sets, a tile of the given number of rows and [OuterCols] columns. It keeps
// positions as offsets, because Go forbids a pointer past the end of a map.
func OuterGo(args *Outer, rows int) {
	for i := range uintptr(rows) {
		var sum [OuterCols]float32
		a, b := 4*i, uintptr(0)
		for range args.N2 {
			for range args.N1 {
				for range args.N0 {
					x := *at(args.A, a)
					for j, y := range columns(args.B, b) {
						sum[j] += float32(x * y)
					}
					a, b = a+args.LdA, b+args.LdB
				}
				a, b = a+args.StepA1, b+args.StepB1
			}
			a, b = a+args.StepA2, b+args.StepB2
		}
		c := columns(args.C, i*args.LdC)
		if args.Set == 0 {
			for j, y := range c {
				sum[j] += y
			}
		}
		*c = sum
	}
}
