package main

// An operation is an instruction on vectors of float32, or of int32 where its name says so.
type operation struct {
	amd64   string // its name on amd64
	arm64   string // its name on arm64, as in Arm's manual
	goName  string // its name in Go's assembler for arm64, or "" if that lacks it
	code    uint32 // its code on arm64 with registers 0
	element uint32 // the same with an element of a register as the last operand, or 0
}

// The operations on two operands. sub is first - second, div is first / second. Where an operand is
// NaN, minimum and maximum return the second operand on amd64, and the NaN on arm64.
var (
	add     = operation{"VADDPS", "fadd", "", 0x4e20d400, 0}
	sub     = operation{"VSUBPS", "fsub", "", 0x4ea0d400, 0}
	mul     = operation{"VMULPS", "fmul", "", 0x6e20dc00, 0x4f809000}
	div     = operation{"VDIVPS", "fdiv", "", 0x6e20fc00, 0}
	minimum = operation{"VMINPS", "fmin", "", 0x4ea0f400, 0}
	maximum = operation{"VMAXPS", "fmax", "", 0x4e20f400, 0}
	// largest returns the second operand where the first is NaN.
	largest = operation{"VMAXPS", "fmaxnm", "", 0x4e20c400, 0}
	fma     = operation{"VFMADD231PS", "fmla", "VFMLA", 0x4e20cc00, 0x4f801000}
	fms     = operation{"VFNMADD231PS", "fmls", "VFMLS", 0x4ea0cc00, 0x4f805000}
	addInt  = operation{"VPADDD", "add", "VADD", 0x4ea08400, 0}
)

// The operations on one operand. toInt rounds to the nearest integer, and halves to the even
// neighbour.
var (
	root    = operation{"VSQRTPS", "fsqrt", "", 0x6ea1f800, 0}
	toInt   = operation{"VCVTPS2DQ", "fcvtns", "", 0x4e21a800, 0}
	toFloat = operation{"VCVTDQ2PS", "scvtf", "", 0x4e21d800, 0}
	minus   = operation{"", "fneg", "", 0x6ea0f800, 0} // amd64 has none: it flips the sign bit
)
