package main

// An operation is an instruction on vectors of float32, or of int32 where its name says so: amd64's
// name; arm64's, as the Arm manual has it; its name in Go's assembler where that knows it; its code with
// registers 0; and its code where the last operand is one element of a register, 0 where there is none.
type operation struct {
	amd64   string
	arm64   string
	goName  string
	code    uint32
	element uint32
}

// Operations on two operands. sub and div take the second from the first; those of amd64's minimum and
// maximum return the second where one is NaN, arm64's return the NaN.
var (
	add     = operation{"VADDPS", "fadd", "", 0x4e20d400, 0}
	sub     = operation{"VSUBPS", "fsub", "", 0x4ea0d400, 0}
	mul     = operation{"VMULPS", "fmul", "", 0x6e20dc00, 0x4f809000}
	div     = operation{"VDIVPS", "fdiv", "", 0x6e20fc00, 0}
	minimum = operation{"VMINPS", "fmin", "", 0x4ea0f400, 0}
	maximum = operation{"VMAXPS", "fmax", "", 0x4e20f400, 0}
	largest = operation{"VMAXPS", "fmaxnm", "", 0x4e20c400, 0} // the number where the first is NaN
	fma     = operation{"VFMADD231PS", "fmla", "VFMLA", 0x4e20cc00, 0x4f801000}
	fms     = operation{"VFNMADD231PS", "fmls", "VFMLS", 0x4ea0cc00, 0x4f805000}
	addInt  = operation{"VPADDD", "add", "VADD", 0x4ea08400, 0}
)

// Operations on one. toInt rounds to the nearest integer, and halves to the even one.
var (
	root    = operation{"VSQRTPS", "fsqrt", "", 0x6ea1f800, 0}
	toInt   = operation{"VCVTPS2DQ", "fcvtns", "", 0x4e21a800, 0}
	toFloat = operation{"VCVTDQ2PS", "scvtf", "", 0x4e21d800, 0}
	minus   = operation{"", "fneg", "", 0x6ea0f800, 0} // amd64 turns the sign bit
)
