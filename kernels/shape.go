package kernels

import "fmt"

var kindNames = [...]string{Point: "conv1x1", Same3: "conv3x3", Down3: "down3x3", Up3: "up3x3"}

// String returns the name that reports show.
func (k ConvKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("ConvKind(%d)", uint8(k))
}

// FLOPs returns the operations of one pass over one image as a direct convolution: a multiplication
// and an addition for each pixel of the output, each position of the kernel and each pair of
// channels. Reports count every algorithm by this number, so a faster algorithm may exceed the
// CPU's peak.
func (s ConvShape) FLOPs() float64 {
	side := s.Kind.Side()
	return 2 * float64(s.Kind.OutSize(s.H)*s.Kind.OutSize(s.W)) * float64(side*side*s.IC*s.OC)
}
