package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A kind is a set of routines that take the same arguments and differ in name alone. Package
// kernels names each by a constant, and calls it by a switch over these constants.
type kind struct {
	goType   string // of the constants
	doc      string // what goType names
	args     string // argument struct of package asm
	function string // beginning of the names of package kernels' functions: walkAVX2, walkGo
	table    string // beginning of the name of the table for tests of package asm
	routines []named
}

// A named is a routine of a kind.
type named struct {
	constant string // its name in package kernels
	test     string // its name in package asm's tests
	routine  string // its name in package asm, without the target
	goLoop   string // the call of its Go loop, with "args" for the arguments
}

func walkKind() kind {
	k := kind{
		goType: "walkRoutine", doc: "A walkRoutine names a walk over the channels of maps.",
		args: "Channels", function: "walk", table: "channels",
	}
	for _, w := range allWalks() {
		r := plain(w.variant())
		r.goLoop = "asm." + w.name + "Go(args)"
		k.routines = append(k.routines, r)
	}
	return k
}

func flatKind() kind {
	k := kind{
		goType: "flatRoutine", doc: "A flatRoutine names element-wise work on flat vectors.",
		args: "Vectors", function: "flat", table: "vectors",
	}
	for _, f := range flats {
		k.routines = append(k.routines, plain(f.name))
	}
	return k
}

func matrixKind() kind {
	k := kind{
		goType: "tileMatrix", doc: "A tileMatrix names one of package asm's matrices.",
		args: "Transform", function: "transform", table: "transform",
	}
	for _, m := range allMatrices() {
		k.routines = append(k.routines, named{
			"matrix" + m.variant(), m.variant(), "Transform" + m.variant(),
			fmt.Sprintf("asm.TransformGo(args, asm.Matrix%s, %v, %v, %v)", m.name, m.clip, m.add, m.half),
		})
	}
	return k
}

func kinds() []kind { return []kind{walkKind(), flatKind(), matrixKind()} }

// plain describes a routine whose name is the same everywhere.
func plain(name string) named {
	return named{unexported(name), name, name, "asm." + name + "Go(args)"}
}

// unexported returns a name with its first letter in lower case.
func unexported(name string) string {
	return string(unicode.ToLower(rune(name[0]))) + name[1:]
}

// params spells the parameters of a function that runs a routine of the kind.
func (k kind) params() string { return fmt.Sprintf("name %s, args *asm.%s", k.goType, k.args) }

// callSwitch writes a function that runs the routine of a name; call spells the call.
func (k kind) callSwitch(s *source, suffix string, call func(named) string) {
	s.line("func %s%s(%s) {\nswitch name {", k.function, suffix, k.params())
	for _, r := range k.routines {
		s.line("case %s:\n%s", r.constant, call(r))
	}
	s.line("}\n}")
}

// forTarget writes the switch over a target's routines.
func (k kind) forTarget(s *source, t target) {
	s.line("")
	k.callSwitch(s, t.name, func(r named) string { return fmt.Sprintf("asm.%s%s(args)", r.routine, t.name) })
}

// writeRoutines writes the names that package kernels has for the routines, and the switches over
// their Go loops; for tests, it lists the walks.
func writeRoutines() {
	s := newSource("", "kernels", "github.com/fmimg/fmimg/asm")
	for _, k := range kinds() {
		s.line("\n%s\ntype %s uint8\n\nconst (", comment(k.doc), k.goType)
		for i, r := range k.routines {
			s.line(r.constant + map[bool]string{true: " " + k.goType + " = iota"}[i == 0])
		}
		s.line(")\n\n// %sGo runs the Go loop.", k.function)
		k.callSwitch(s, "Go", func(r named) string { return r.goLoop })
	}
	s.line("\n// bf16Walks names the variant of a walk for maps of bfloat16.")
	s.line("var bf16Walks = [...][asm.BF16X | asm.BF16Y | asm.BF16D + 1]walkRoutine{")
	for _, w := range walks {
		var all []string
		for _, half := range halves[w.name] {
			v := w
			v.half = half
			formats := strings.ReplaceAll(v.formats(), "BF16", "asm.BF16")
			all = append(all, fmt.Sprintf("%s: %s", formats, unexported(v.variant())))
		}
		if len(all) > 0 {
			s.line("%s: {%s},", unexported(w.name), strings.Join(all, ", "))
		}
	}
	s.line("}")
	s.save("../kernels/routines.go")

	s = newSource("", "kernels")
	s.line("\n// walkNames holds the name of each walk.\nvar walkNames = [...]string{")
	for _, r := range walkKind().routines {
		s.line("%s: %q,", r.constant, r.constant)
	}
	s.line("}")
	s.save("../kernels/routines_test.go")
}

// writeTestTables lists the routines of an architecture for the tests of package asm.
func writeTestTables(arch string) {
	s := newSource(constraints[arch], "asm")
	s.line("\nvar (")
	for _, t := range of(arch) {
		s.line("%s = target{%q, %d, %d, supports(%q)}", t.suffix(), t.name, t.lanes, t.side, t.name)
	}
	s.line(")\n\nvar productRoutines = []productRoutine{")
	for _, t := range own(arch) {
		t.eachProduct(func(half, cols int) {
			s.line("{%s, %d, %d, %s},", t.suffix(), half, cols, productName(half, cols)+t.name)
		})
	}
	s.line("}\n\nvar outerRoutines = []outerRoutine{")
	for _, t := range own(arch) {
		t.eachOuter(func(rows, cols int) {
			s.line("{%s, %d, %d, %s},", t.suffix(), rows, cols, outerName(rows, cols)+t.name)
		})
	}
	s.line("}\n\nvar pairsRoutines = []pairsRoutine{")
	for _, t := range pairing(arch) {
		t.eachPairs(func(rows, cols int) {
			s.line("{%s, %d, %d, %s, %s},", t.suffix(), rows, cols, t.dot, pairsName(rows, cols)+t.name)
		})
	}
	s.line("}")
	writePairTables(s, arch)
	fetch := kind{args: "Fetch", table: "fetch", routines: []named{plain("Fetch")}}
	for _, k := range append(kinds(), fetch) {
		k.testTable(s, own(arch))
	}
	s.save("routines_" + arch + "_test.go")
}

// writePairTables lists the other routines for pairs.
func writePairTables(s *source, arch string) {
	peak := kind{args: "Pairs", table: "pairPeak", routines: []named{plain("PairPeak")}}
	peak.testTable(s, pairing(arch))
	having := slices.DeleteFunc(pairing(arch), func(t target) bool { return !t.hasPairing() })
	for _, name := range []string{"Interleave", "Turn"} {
		kind{args: name, table: unexported(name), routines: []named{plain(name)}}.testTable(s, having)
	}
}

// testTable lists the routines of a kind by name.
func (k kind) testTable(s *source, targets []target) {
	s.line("\nvar %sRoutines = map[string][]implementation[%s]{", k.table, k.args)
	for _, r := range k.routines {
		var all []string
		for _, t := range targets {
			all = append(all, fmt.Sprintf("{%s, %s%s}", t.suffix(), r.routine, t.name))
		}
		s.line("%q: {%s},", r.test, strings.Join(all, ", "))
	}
	s.line("}")
}

// writeLoops lists the Go loops that the tests of package asm compare the routines with.
func writeLoops() {
	s := newSource(anyArch, "asm")
	s.line("\nvar walkRoutines = []walkRoutine{")
	for _, w := range allWalks() {
		formats := "0"
		if w.half != "" {
			formats = w.formats()
		}
		s.line("{%q, %sGo, %s, %d, %d, %s},", w.variant(), w.name, w.maps(), w.params, w.sums, formats)
	}
	s.line("}\n\nvar vectorRoutines = []vectorRoutine{")
	for _, f := range flats {
		s.line("{%q, %sGo},", f.name, f.name)
	}
	s.line("}\n\nvar transformMatrices = []transformMatrix{")
	for _, m := range allMatrices() {
		s.line("{%q, Matrix%s, %v, %v, %v},", m.variant(), m.name, m.clip, m.add, m.half)
	}
	s.line("}")
	s.save("routines_test.go")
}

// maps spells the maps that a walk takes, as package asm's tests name them.
func (w walk) maps() string {
	var all []string
	for _, m := range w.in {
		all = append(all, "map"+string(m))
	}
	if w.over != "" {
		all = append(all, "in"+w.over)
	}
	return strings.Join(all, " | ")
}
