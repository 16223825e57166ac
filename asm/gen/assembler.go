package main

import (
	"fmt"
	"slices"
	"strings"
)

// A target is a vector instruction set as the routines see it.
type target struct {
	name   string // suffix of routine names
	suffix string // part of file names
	arch   string // as in GOARCH
	reg    string // letter of its vector registers
	lanes  int    // float32 in a register
	count  int    // vector registers
	side   int    // most registers side by side in element-wise work: a cache line is 4 of NEON's
	spell  func(*listing) machine
}

var (
	avx2   = target{"AVX2", "avx2", "amd64", "Y", 8, 16, 1, newX86}
	avx512 = target{"AVX512", "avx512", "amd64", "Z", 16, 32, 1, newX86}
	neon   = target{"NEON", "neon", "arm64", "V", 4, 32, 4, newNEON}
)

// v names vector register i.
func (t target) v(i int) string { return fmt.Sprintf("%s%d", t.reg, i) }

// bytes is the size of a vector register.
func (t target) bytes() int { return 4 * t.lanes }

// widths lists how many registers side by side a routine of so many values takes, the most first: as
// many as fit beside the registers that it needs once.
func (t target) widths(values, once int) []int {
	width := t.side
	for width > 1 && width*values+once > t.count {
		width /= 2
	}
	if width == 1 {
		return []int{1}
	}
	return []int{width, 1}
}

// A machine spells a routine's steps in the language of one architecture. Integer registers go by
// amd64's names; each architecture has one for every name. AX holds the pointer to the arguments.
type machine interface {
	begin()
	end()

	field(name, reg string)                            // reg = args.name
	addField(name string, regs ...string)              // reg += args.name
	add(by string, regs ...string)                     // reg += by, "$4" or a register
	clear(reg string)                                  // reg = 0
	times(reg, by string)                              // reg *= by
	multiply(reg string, n int)                        // reg *= n
	address(base, index string, scale int, reg string) // reg = base + index·scale
	jump(label string)
	addJump(n int, reg, condition, label string)   // reg += n, and jump if it is LT, GE, EQ, … 0
	jumpIfZero(reg, label string)                  // jump if reg is 0
	jumpField(name, condition, than, label string) // jump if args.name is LT, GE, … than, "$4" or a register

	zero(v value)
	move(dst value, src operand)
	store(src value, m memory)
	prefetch(m memory, level int)                         // ask for the cache line there, in level 1 or 2 of the caches
	broadcast(dst value, field string)                    // dst = args.field, a float32, in all lanes
	do(o operation, dst value, a, b operand)              // dst = a o b; for fma and fms dst ± a·b; a is no memory
	apply(o operation, dst, a value)                      // dst = o(a)
	negate(dst, a value)                                  // dst = -a
	shiftLeft(v value, n int)                             // of lanes as integers
	mulAdd(dst value, a operand, b, c value)              // dst = a·b + c; dst is none of them
	horner(p, x value, c operand, q value) (value, value) // p·x + c in p or q: that one and then the other
	declare(table []constant) string                      // the data of a file
	prepare(table []constant) int                         // for a routine that uses constants; the registers it takes

	rows(half int) rows
	factors(n int, at func(i, step int) memory, abreast bool) factors
}

// rows are the pointers to the rows of A that a product advances, and the address of row i.
type rows struct {
	pointers []string
	at       func(i, disp int) memory
}

// factors are the numbers of a step that whole vectors are multiplied by. amd64 spreads one over a
// register at a time; arm64 fetches those of up to 4 steps and multiplies by element.
type factors interface {
	fetch(steps int)
	of(i, step int) operand
}

// A value is a float32 vector in one or more registers, each of which holds as many as there are lanes.
type value []int

// number writes a number where an instruction may have a register.
func number(n int) string { return fmt.Sprintf("$%d", n) }

// A memory is a run of vectors at base + index·scale + displacement.
type memory struct {
	base, index string
	scale       int // 0 means 1
	disp        int
	spare       value // where arm64 loads it for an instruction that works on registers
}

// A constant is a number that all lanes hold.
type constant struct {
	name  string
	value float32
}

// An element is one lane of a register, standing for a vector of it.
type element struct{ reg, lane int }

// An operand is a value, a memory, the name of a constant, or an element.
type operand any

// A listing collects the instructions of a routine and knows which vector registers are free.
type listing struct {
	target
	args  string // name of the Go struct
	lines []string
	next  int // first free vector register
	limit int // behind the last of them
	width int // registers of a value
}

// op appends an instruction.
func (l *listing) op(format string, args ...any) {
	l.lines = append(l.lines, "\t"+fmt.Sprintf(format, args...))
}

// note appends a comment.
func (l *listing) note(text string) { l.lines = append(l.lines, "", "\t// "+text) }

// label appends a jump target; mark one that follows straight on.
func (l *listing) label(name string) { l.lines = append(l.lines, "", name+":") }
func (l *listing) mark(name string)  { l.lines = append(l.lines, name+":") }

// loop appends a jump target aligned for the instruction fetch.
func (l *listing) loop(name string) {
	l.lines = append(l.lines, "", "\tPCALIGN $32", name+":")
}

// take takes n registers.
func (l *listing) take(n int) value {
	v := make(value, n)
	for i := range v {
		v[i] = l.next + i
	}
	if l.next += n; l.next > l.limit {
		panic(fmt.Sprintf("%s has no %d registers to take from %d on", l.name, n, v[0]))
	}
	return v
}

// value takes the registers of a value.
func (l *listing) value() value { return l.take(l.width) }

// spare takes the registers of a value that amd64 does not need: it reads memory in every instruction
// and overwrites any operand of a fused step.
func (l *listing) spare() value {
	if l.arch == "amd64" {
		return nil
	}
	return l.value()
}

// same takes one register for a value whose vectors are all alike.
func (l *listing) same() value { return slices.Repeat(l.take(1), l.width) }

// A routine is one assembly function that takes a pointer to an argument struct.
type routine struct {
	*listing
	machine
	name string
	doc  string // the Go loop that it equals
}

func newRoutine(t target, name, args, doc string) *routine {
	l := &listing{target: t, args: args, limit: t.count, width: 1}
	return &routine{listing: l, machine: t.spell(l), name: name + t.name, doc: name + t.name + " " + doc}
}

// text returns the function in Go's assembly language.
func (r *routine) text() string {
	body := r.lines
	r.lines = nil
	r.begin()
	r.lines = append(r.lines, body...)
	r.end()
	return fmt.Sprintf("%s\nTEXT ·%s(SB), NOSPLIT, $0-8\n%s\n", comment(r.doc), r.name, strings.Join(r.lines, "\n"))
}

// eachVector goes through the elements counted in register left by widths[0] registers at a time, and
// then by fewer: body handles r.width registers of each vector. The position in bytes is in BX.
func (r *routine) eachVector(left string, widths []int, body func()) {
	for i, w := range widths {
		r.width = w
		n, label, rest := w*r.lanes, r.wide("vector"), r.wide("done")
		r.addJump(-n, left, "LT", rest)
		r.loop(label)
		free := r.next
		body()
		r.next = free
		r.add(number(w*r.bytes()), "BX")
		r.addJump(-n, left, "GE", label)
		r.label(rest)
		if i < len(widths)-1 {
			r.add(number(n), left)
		}
	}
}

// wide returns a label of the code for values of the present width.
func (l *listing) wide(label string) string {
	if l.width == 1 {
		return label
	}
	return fmt.Sprintf("%s%d", label, l.width)
}
