package kernels

import (
	"fmt"

	"github.com/fmimg/fmimg/internal/option"
)

// A Precision is the format in which a network stores its activations and their gradients. Sums,
// the statistics of norms, weights, their gradients and an optimiser's state are float32 in each.
type Precision uint8

const (
	// F32 is IEEE's binary32.
	F32 Precision = iota
	// BF16 is bfloat16, the upper half of a binary32: 8 bits of exponent and 8 of significand. It
	// halves the memory traffic, and matrix units multiply it.
	BF16
)

var precisionNames = [...]string{F32: "f32", BF16: "bf16"}

// Precisions lists all precisions.
func Precisions() []Precision { return []Precision{F32, BF16} }

// String returns the name that --precision takes.
func (p Precision) String() string {
	if int(p) < len(precisionNames) {
		return precisionNames[p]
	}
	return fmt.Sprintf("Precision(%d)", uint8(p))
}

// Bytes is the size of an element.
func (p Precision) Bytes() int {
	if p == BF16 {
		return 2
	}
	return 4
}

// ParsePrecision returns the precision of the given name. The empty name and "auto" mean the
// precision that was measured to be the fastest on an instruction set at equal quality.
func ParsePrecision(name string, isa ISA) (Precision, error) {
	if name == "" || name == "auto" {
		return isa.Precision(), nil
	}
	var known []string
	for _, p := range Precisions() {
		if p.String() == name {
			return p, nil
		}
		known = append(known, p.String())
	}
	return F32, &option.ValueError{
		Kind: "precision", Text: name, Known: append([]string{"auto"}, known...), Reason: "choose one of auto, f32, bf16",
	}
}

// Precision returns the precision that "auto" stands for.
func (isa ISA) Precision() Precision { return F32 }
