package kernels

import "github.com/fmimg/fmimg/asm"

// An Algorithm is a way to compute a pass of a convolution.
type Algorithm uint8

// The algorithms. Winograd's need a 3x3 kernel with stride 1, and multiples of 16 channels. Shifted
// needs a plain 3x3 kernel, and has no weight gradient. Pairs needs maps of bfloat16, and an even
// number of channels that it sums over.
const (
	Direct    Algorithm = iota // implicit GEMM
	Winograd4                  // F(4x4, 3x3): 4 times fewer multiplications
	Winograd2                  // F(2x2, 3x3): 2.25 times fewer
	Shifted                    // all taps of a pixel in one product: for very few channels out
	Pairs                      // implicit GEMM of pairs of bfloat16, with sums in float32
)

var algorithmNames = [...]string{"direct", "winograd4", "winograd2", "shifted", "pairs"}

// String returns the name that reports show.
func (a Algorithm) String() string { return algorithmNames[a] }

func (a Algorithm) filtering() *filtering {
	switch a {
	case Winograd4:
		return &f4
	case Winograd2:
		return &f2
	}
	return nil
}

// A Plan is the algorithm of each pass of a convolution.
type Plan struct{ Forward, InputGrad, WeightGrad Algorithm }

// maxShifted is the most channels out for which Shifted is the fastest.
const maxShifted = 3

// CanWinograd reports whether Winograd's algorithms cover a shape.
func (s ConvShape) CanWinograd() bool {
	return (s.Kind == Same3 || s.Kind == Up3) && s.IC%16 == 0 && s.OC%16 == 0
}

// Plan returns the fastest algorithms for a shape, as measured; NEON was not measured and has
// AVX2's. The choice depends on the shape and the instruction set alone, so the same network gives
// the same numbers everywhere.
func (isa ISA) Plan(s ConvShape) Plan {
	var p Plan
	if isa != Generic && s.CanWinograd() {
		p = Plan{Winograd4, Winograd4, Winograd4}
	}
	if s.Kind == Same3 && s.OC <= maxShifted {
		p.Forward = Shifted
	}
	if s.Kind == Same3 && s.IC <= maxShifted {
		p.InputGrad = Shifted
	}
	return p
}

// minPaired is the fewest channels for which Pairs sums over them: fewer leave most of an
// instruction idle.
const minPaired = 16

// PlanFor is [ISA.Plan] for a network of the given precision. Instruction sets that multiply pairs
// of bfloat16 use Pairs where the channels fill their instructions.
func (isa ISA) PlanFor(p Precision, s ConvShape) Plan {
	plan := isa.Plan(s)
	if p != BF16 || tilesOf[isa].pairs == nil || tilesOf[isa].whole && (s.IC%asm.PairCols != 0 || s.OC%asm.PairCols != 0) {
		return plan
	}
	fits := func(channels int) bool { return channels >= minPaired && 2*pairUnit(channels) >= minPaired }
	if s.IC%2 == 0 && fits(s.IC) {
		plan.Forward = Pairs
	}
	if s.OC%2 == 0 && fits(s.OC) {
		plan.InputGrad = Pairs
	}
	plan.WeightGrad = Pairs
	return plan
}
