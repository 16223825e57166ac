package main

import (
	"fmt"
	"slices"
	"strings"
)

// A machine spells a routine's steps in the language of one architecture. Integer registers have
// amd64's names; each architecture has a register for every name. AX holds the pointer to the
// arguments.
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
	// addJump adds n to reg, and jumps if the sum is LT, GE, EQ, … 0.
	addJump(n int, reg, condition, label string)
	jumpIfZero(reg, label string)
	// jumpField jumps if args.name is LT, GE, … than, which is "$4" or a register.
	jumpField(name, condition, than, label string)

	zero(v value)
	move(dst value, src operand)
	store(src value, m memory)
	// prefetch asks for the cache line at m, in level 1 or 2 of the caches.
	prefetch(m memory, level int)
	// broadcast sets all lanes of dst to args.field, a float32.
	broadcast(dst value, field string)
	// do sets dst = a o b; for fma and fms it sets dst = dst ± a·b. Operand a is not a memory.
	do(o operation, dst value, a, b operand)
	apply(o operation, dst, a value) // dst = o(a)
	negate(dst, a value)             // dst = -a
	shiftLeft(v value, n int)        // of each lane as an integer
	// roundIn gives the routine the registers in which stores of bfloat16 round, at least
	// roundingRegs.
	roundIn(v value)
	roundingRegs() int
	// mulAdd sets dst = a·b + c. dst differs from a, b and c.
	mulAdd(dst value, a operand, b, c value)
	// horner leaves p·x + c in p or in q. It returns the one that holds the result, and then the
	// other.
	horner(p, x value, c operand, q value) (result, free value)
	declare(table []constant) string // the data of a file
	// prepare begins a routine that uses the constants, and returns how many registers they take.
	prepare(table []constant) int

	rows(half int) rows
	factors(n int, at func(i, step int) memory, abreast bool) factors
}

// rows are the pointers to the rows of A that a product advances, and the address of row i.
type rows struct {
	pointers []string
	at       func(i, disp int) memory
}

// factors are the numbers of a step that whole vectors are multiplied by. amd64 spreads one number
// over a register at a time; arm64 fetches the numbers of up to 4 steps and multiplies by element.
type factors interface {
	fetch(steps int)
	of(i, step int) operand
}

// A value is a float32 vector in one or more registers, each of which holds one element a lane.
type value []int

// number writes a number where an instruction may have a register.
func number(n int) string { return fmt.Sprintf("$%d", n) }

// A memory is a run of vectors at base + index·scale + displacement.
type memory struct {
	base, index string
	scale       int // 0 means 1
	disp        int
	half        bool  // bfloat16: widened when it is loaded, and rounded when it is stored
	spare       value // where the vectors are loaded for an instruction that works on registers
}

// bytes is the size of a vector register's elements in the memory.
func (l *listing) bytesOf(m memory) int {
	if m.half {
		return l.bytes() / 2
	}
	return l.bytes()
}

// into returns m with the value that it is loaded into where an instruction needs a register.
func (m memory) into(spare value) memory {
	m.spare = spare
	return m
}

// A constant is a number that all lanes hold.
type constant struct {
	name  string
	value float32
}

// An element is one lane of a register. It stands for a vector whose lanes all equal that lane.
type element struct{ reg, lane int }

// An operand is a value, a memory, the name of a constant, or an element.
type operand any

// A listing collects the instructions of a routine and knows which vector registers are free.
type listing struct {
	target
	args  string // name of the Go struct
	lines []string
	next  int // first free vector register
	limit int // one behind the last free register
	width int // registers of a value

	rounding value // registers that stores of bfloat16 work in; see [machine]'s roundIn
}

// op appends an instruction.
func (l *listing) op(format string, args ...any) {
	l.lines = append(l.lines, "\t"+fmt.Sprintf(format, args...))
}

// note appends a comment.
func (l *listing) note(text string) { l.lines = append(l.lines, "", "\t// "+text) }

// label appends a jump target with an empty line before it; mark appends one without.
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
		panic(fmt.Sprintf("%s has fewer than %d registers free from %d on", l.name, n, v[0]))
	}
	return v
}

// value takes the registers of a value.
func (l *listing) value() value { return l.take(l.width) }

// spare takes the registers of a value that arm64 alone needs. amd64 reads memory in every
// instruction, and its fused instructions may overwrite any operand.
func (l *listing) spare() value {
	if l.arch == "amd64" {
		return nil
	}
	return l.value()
}

// operand returns a memory with the registers that it needs as an operand.
func (l *listing) operand(m memory) memory {
	if m.half {
		return m.into(l.value())
	}
	return m.into(l.spare())
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

// eachVector goes through the elements that register left counts, widths[0] registers at a time,
// and then through the rest with the smaller widths. body handles r.width registers of each vector.
// The position is in BX, in bytes of elements of which a register's take the given number of bytes.
func (r *routine) eachVector(left string, bytes int, widths []int, body func()) {
	for i, w := range widths {
		r.width = w
		n, label, rest := w*r.lanes, r.wide("vector"), r.wide("done")
		r.addJump(-n, left, "LT", rest)
		r.loop(label)
		free := r.next
		body()
		r.next = free
		r.add(number(w*bytes), "BX")
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
