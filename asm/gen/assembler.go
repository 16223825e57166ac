package main

import (
	"fmt"
	"strings"
)

// A target is a vector instruction set as the routines see it.
type target struct {
	name   string // suffix of routine names
	suffix string // part of file names
	reg    string // letter of its vector registers
	lanes  int    // float32 in a register
	count  int    // vector registers
}

var (
	avx2   = target{name: "AVX2", suffix: "avx2", reg: "Y", lanes: 8, count: 16}
	avx512 = target{name: "AVX512", suffix: "avx512", reg: "Z", lanes: 16, count: 32}
)

// v names vector register i.
func (t target) v(i int) string {
	if i >= t.count {
		panic(fmt.Sprintf("%s has no register %d", t.name, i))
	}
	return fmt.Sprintf("%s%d", t.reg, i)
}

// bytes is the size of a vector register.
func (t target) bytes() int { return 4 * t.lanes }

// A routine collects the lines of one assembly function that takes a pointer to an argument struct.
type routine struct {
	target
	name  string
	args  string // name of the Go struct
	doc   string // the Go loop that it equals
	lines []string
}

func newRoutine(t target, name, args, doc string) *routine {
	return &routine{target: t, name: name + t.name, args: args, doc: name + t.name + " " + doc}
}

// op appends an instruction.
func (r *routine) op(format string, args ...any) {
	r.lines = append(r.lines, "\t"+fmt.Sprintf(format, args...))
}

// note appends a comment.
func (r *routine) note(format string, args ...any) {
	r.lines = append(r.lines, "", "\t// "+fmt.Sprintf(format, args...))
}

// label appends a jump target.
func (r *routine) label(name string) { r.lines = append(r.lines, "", name+":") }

// loop appends a jump target aligned for the instruction fetch.
func (r *routine) loop(name string) {
	r.lines = append(r.lines, "", "\tPCALIGN $32", name+":")
}

// field loads a field of the argument struct, whose pointer is in AX.
func (r *routine) field(name, reg string) { r.op("MOVQ %s_%s(AX), %s", r.args, name, reg) }

// zero clears vector register i.
func (r *routine) zero(i int) {
	op := "VXORPS"
	if r.reg == "Z" {
		op = "VPXORD"
	}
	r.op("%s %s, %s, %s", op, r.v(i), r.v(i), r.v(i))
}

// text returns the function in Go's assembly language.
func (r *routine) text() string {
	var b strings.Builder
	b.WriteString(comment(r.doc) + "\n")
	fmt.Fprintf(&b, "TEXT ·%s(SB), NOSPLIT, $0-8\n\tMOVQ args+0(FP), AX\n", r.name)
	b.WriteString(strings.Join(r.lines, "\n"))
	b.WriteString("\n\tVZEROUPPER\n\tRET\n")
	return b.String()
}

// row addresses row i (0 to 6) of a matrix: p the register of its first row, l1, l3, l5 registers
// with 1, 3 and 5 times the distance of two rows.
func row(i, displacement int, p, l1, l3, l5 string) string {
	index := [...]string{"", "(" + l1 + "*1)", "(" + l1 + "*2)", "(" + l3 + "*1)", "(" + l1 + "*4)", "(" + l5 + "*1)", "(" + l3 + "*2)"}
	return fmt.Sprintf("%d(%s)%s", displacement, p, index[i])
}
