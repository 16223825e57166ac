package metrics

import (
	"fmt"
	"math"

	"github.com/fmimg/fmimg/kernels"
)

// Features are N rows of D numbers. A row holds the features of an image, or its pixels.
type Features struct {
	N, D int
	Data []float32 // [N][D]
}

// Row returns row i, a part of Data.
func (f Features) Row(i int) []float32 { return f.Data[i*f.D : (i+1)*f.D : (i+1)*f.D] }

// Rows returns a copy of the rows with the given numbers, in their order.
func (f Features) Rows(numbers []int) Features {
	part := Features{N: len(numbers), D: f.D, Data: make([]float32, 0, len(numbers)*f.D)}
	for _, i := range numbers {
		part.Data = append(part.Data, f.Row(i)...)
	}
	return part
}

// References returns the features as references to search in.
func (f Features) References() References {
	f.mustFit()
	return References{N: f.N, D: f.D, Rows: func(first int, dst []float32) error {
		copy(dst, f.Data[first*f.D:])
		return nil
	}}
}

// mustFit panics unless Data has N rows of D numbers.
func (f Features) mustFit() {
	if f.N < 0 || f.D < 1 || len(f.Data) != f.N*f.D {
		panic(fmt.Sprintf("metrics: %d numbers for %d rows of %d", len(f.Data), f.N, f.D))
	}
}

// mustMatch panics unless rows of a and rows of b numbers have one length.
func mustMatch(a, b int) {
	if a != b {
		panic(fmt.Sprintf("metrics: rows of %d and of %d numbers", a, b))
	}
}

// References are N rows of D numbers that need not be in memory at once.
type References struct {
	N, D int

	// Rows writes len(dst)/D rows to dst, from row first on. A pass asks for each row once, in any
	// order. It calls Rows on several goroutines at once if Compute.Parallel does.
	Rows func(first int, dst []float32) error
}

// Compute says how a function computes. The zero value is right, and slow.
type Compute struct {
	ISA kernels.ISA // of matrix products; the zero value is plain Go, kernels.Best() the fastest

	// Parallel calls do for 0 to n-1, in any order and possibly at once, and returns after the last
	// call has. It returns an error if it did not make all calls. nil: one call after the other.
	Parallel func(n int, do func(i int)) error
}

// each calls do for 0 to n-1, and returns the error of the lowest index.
func (c Compute) each(n int, do func(i int) error) error {
	errs := make([]error, n)
	keep := func(i int) { errs[i] = do(i) }
	if c.Parallel != nil {
		if err := c.Parallel(n, keep); err != nil {
			return err
		}
	} else {
		for i := range n {
			keep(i)
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// parts returns the number of parts into which n elements are cut, each of the given size but the
// last.
func parts(n, size int) int { return (n + size - 1) / size }

// finite reports whether x is neither NaN nor infinite.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// normSquared returns ‖x‖². The squares of float32 are exact in float64.
func normSquared(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for len(x) >= 4 {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0, s1, s2, s3 = s0+a*a, s1+b*b, s2+c*c, s3+d*d
		x = x[4:]
	}
	for _, v := range x {
		s0 += float64(v) * float64(v)
	}
	return s0 + s1 + (s2 + s3)
}

// distanceSquared returns ‖x − y‖², which equals ‖y − x‖² to the bit. Squares are rounded before
// they are summed, so that all architectures agree to the bit.
func distanceSquared(x, y []float32) float64 {
	var s0, s1, s2, s3 float64
	for len(x) >= 4 && len(y) >= 4 {
		a, b := float64(x[0])-float64(y[0]), float64(x[1])-float64(y[1])
		c, d := float64(x[2])-float64(y[2]), float64(x[3])-float64(y[3])
		s0, s1, s2, s3 = s0+float64(a*a), s1+float64(b*b), s2+float64(c*c), s3+float64(d*d)
		x, y = x[4:], y[4:]
	}
	for i, v := range x {
		d := float64(v) - float64(y[i])
		s0 += float64(d * d)
	}
	return s0 + s1 + (s2 + s3)
}
