//go:build !noasm && !purego

package asm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// x86Integer are instructions that every amd64 has and that change only their last operand and the
// flags. Every amd64 has PREFETCHT0, but not PREFETCHW.
var x86Integer = setOf("mov add sub xor imul lea dec inc cmp cmpq test ret nop nopw nopl data16 cs xchg " +
	"prefetcht0 prefetcht1")

// An encoding holds the feature that an instruction needs in each form, VEX and EVEX. "" means that
// the instruction lacks the form.
type encoding struct{ vex, evex string }

// x86Vector are the vector instructions that routines may have. They work on memory of any
// alignment.
var x86Vector = map[string]encoding{
	"vmovups":      {"AVX", "AVX512F"},
	"vaddps":       {"AVX", "AVX512F"},
	"vsubps":       {"AVX", "AVX512F"},
	"vmulps":       {"AVX", "AVX512F"},
	"vdivps":       {"AVX", "AVX512F"},
	"vminps":       {"AVX", "AVX512F"},
	"vmaxps":       {"AVX", "AVX512F"},
	"vsqrtps":      {"AVX", "AVX512F"},
	"vcvtps2dq":    {"AVX", "AVX512F"},
	"vcvtdq2ps":    {"AVX", "AVX512F"},
	"vbroadcastss": {"AVX2", "AVX512F"}, // from memory, AVX would be enough
	"vxorps":       {"AVX", "AVX512DQ"},
	"vpxord":       {"", "AVX512F"},
	"vpaddd":       {"AVX2", "AVX512F"},
	"vpslld":       {"AVX2", "AVX512F"},
	"vpsrld":       {"AVX2", "AVX512F"},
	"vpmovzxwd":    {"AVX2", "AVX512F"},
	"vpackusdw":    {"AVX2", ""},
	"vpermq":       {"AVX2", ""},
	"vpmovdw":      {"", "AVX512F"},
	"vpbroadcastd": {"AVX2", "AVX512F"},
	"vpord":        {"", "AVX512F"},
	"vpunpckldq":   {"AVX2", "AVX512F"},
	"vpunpckhdq":   {"AVX2", "AVX512F"},
	"vpunpcklqdq":  {"AVX2", "AVX512F"},
	"vpunpckhqdq":  {"AVX2", "AVX512F"},
	"vshufi32x4":   {"", "AVX512F"},
	"kmovw":        {"AVX512F", ""},
	"vdpbf16ps":    {"", "AVX512BF16"},
	"ldtilecfg":    {"AMXTILE", ""},
	"tilezero":     {"AMXTILE", ""},
	"tileloadd":    {"AMXTILE", ""},
	"tilestored":   {"AMXTILE", ""},
	"tilerelease":  {"AMXTILE", ""},
	"tdpbf16ps":    {"AMXBF16", ""},
	"vfmadd213ps":  {"FMA3", "AVX512F"},
	"vfmadd231ps":  {"FMA3", "AVX512F"},
	"vfnmadd231ps": {"FMA3", "AVX512F"},
	"vzeroupper":   {"AVX", ""},
}

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

var (
	x86Frame    = regexp.MustCompile(`%([re]?bp|bpl)\b`)
	x86Stack    = regexp.MustCompile(`%([re]?sp|spl)\b`)
	x86Argument = regexp.MustCompile(`^0x8\(%rsp\),%r[a-z0-9]+$`)
	x86Narrow   = regexp.MustCompile(`%[xy]mm`)
	x86Wide     = regexp.MustCompile(`%zmm`)
)

// x86Needs tells VEX from EVEX by the first byte: the register numbers do not tell, because EVEX
// reaches all registers. It refuses BP, which holds the address of Go's frame, and the stack except
// for the argument. Routines may change R14, R15 and X15: Go's compiler loads R14, its goroutine,
// and X15, its zero, again after a call of assembly in ABI0.
func x86Needs(i instruction) ([]string, error) {
	switch {
	case x86Frame.MatchString(i.operands):
		return nil, errors.New("BP belongs to the caller")
	case x86Stack.MatchString(i.operands) && (i.name != "mov" || !x86Argument.MatchString(i.operands)):
		return nil, errors.New("the stack belongs to the caller")
	}
	e, isVector := x86Vector[i.name]
	prefix := x86Prefix(i.code)
	switch {
	case !isVector && (x86Integer[i.name] || strings.HasPrefix(i.name, "j")) && !strings.ContainsAny(i.operands, "*"):
		return nil, nil
	case isVector && (prefix == 0xc4 || prefix == 0xc5) && e.vex != "":
		return []string{e.vex}, nil
	case isVector && prefix == 0x62 && e.evex != "":
		needs := []string{"AVX512F", e.evex}
		if x86Narrow.MatchString(i.operands) && !x86Wide.MatchString(i.operands) {
			needs = append(needs, "AVX512VL")
		}
		return needs, nil
	}
	return nil, fmt.Errorf("routines may not have code %x: if it is harmless, add it here with its feature",
		i.code)
}

// x86Prefix returns the first byte of an instruction after the prefixes that change segments and
// sizes.
func x86Prefix(code []byte) byte {
	for _, b := range code {
		if !strings.ContainsRune("\x26\x2e\x36\x3e\x64\x65\x66\x67", rune(b)) {
			return b
		}
	}
	return 0
}

// x86Body checks that a routine ends with VZEROUPPER before each RET: without it, SSE code after
// the routine would be slow.
func x86Body(routine []instruction) error {
	targets, err := jumpsInside(routine, func(name string) bool { return strings.HasPrefix(name, "j") })
	if err != nil {
		return err
	}
	for k, i := range routine {
		if i.name == "ret" && (k == 0 || routine[k-1].name != "vzeroupper" || targets[i.address]) {
			return errors.New("RET without VZEROUPPER")
		}
	}
	return nil
}

func TestX86Needs(t *testing.T) {
	for _, c := range []struct{ target, line, want string }{
		{"AVX2", "  10:\tc5 fc 58 c1          \tvaddps %ymm1,%ymm0,%ymm0", ""},
		{"AVX2", "  10:\tc4 e2 75 b8 04 1e    \tvfmadd231ps (%rsi,%rbx,1),%ymm1,%ymm0", ""},
		{"AVX2", "  10:\t48 8b 44 24 08       \tmov    0x8(%rsp),%rax", ""},
		{"AVX2", "  10:\t49 ff ce             \tdec    %r14", ""},
		{"AVX2", "  10:\t0f 18 0a             \tprefetcht0 (%rdx)", ""},
		{"AVX2", "  10:\t0f 18 17             \tprefetcht1 (%rdi)", ""},
		{"AVX2", "  10:\t0f 0d 0a             \tprefetchw (%rdx)", "routines may not have"},
		{"AVX2", "  10:\t62 f1 7c 48 58 c1    \tvaddps %zmm1,%zmm0,%zmm0", "needs AVX512F"},
		{"AVX2", "  10:\t62 a1 7c 28 58 c1    \tvaddps %ymm17,%ymm16,%ymm16", "needs AVX512F"},
		{"AVX2", "  10:\t62 f1 7c 29 58 c1    \tvaddps %ymm1,%ymm0,%ymm0{%k1}", "needs AVX512F"},
		// Only the code of the next one tells that it is AVX-512.
		{"AVX2", "  10:\t62 f1 7c 28 58 c1    \tvaddps %ymm1,%ymm0,%ymm0", "needs AVX512F"},
		{"AVX2", "  10:\tc5 f8 92 c8          \tkmovw  %eax,%k1", "needs AVX512F"},
		// SSE beside AVX is slow.
		{"AVX2", "  10:\t0f 58 c1             \taddps  %xmm1,%xmm0", "routines may not have"},
		{"AVX2", "  10:\tc5 fc 28 06          \tvmovaps (%rsi),%ymm0", "routines may not have"},
		{"AVX2", "  10:\tc4 e2 79 13 c1       \tvcvtph2ps %xmm1,%xmm0", "routines may not have"},
		{"AVX2", "  10:\t48 89 c5             \tmov    %rax,%rbp", "BP belongs"},
		{"AVX2", "  10:\t48 83 ec 08          \tsub    $0x8,%rsp", "the stack belongs"},
		{"AVX2", "  10:\t48 89 44 24 08       \tmov    %rax,0x8(%rsp)", "the stack belongs"},
		{"AVX2", "  10:\te8 00 00 00 00       \tcall   15 <f>", "routines may not have"},
		{"AVX2", "  10:\tff e0                \tjmp    *%rax", "routines may not have"},
		{"AVX512", "  10:\t62 f1 7c 48 58 c1  \tvaddps %zmm1,%zmm0,%zmm0", ""},
		{"AVX512", "  10:\t62 f1 7c 28 58 c1  \tvaddps %ymm1,%ymm0,%ymm0", ""},
		{"AVX512", "  10:\t62 f1 7c 48 57 c1  \tvxorps %zmm1,%zmm0,%zmm0", ""},
		{"AVX512", "  10:\t62 f2 7e 48 52 c1  \tvdpbf16ps %zmm1,%zmm0,%zmm0", "needs AVX512BF16"},
		{"AVX512BF16", "  10:\t62 f2 7e 48 52 c1  \tvdpbf16ps %zmm1,%zmm0,%zmm0", ""},
		{"AVX512BF16", "  10:\tc4 e2 7b 49 c0     \ttilezero %tmm0", "needs AMXTILE"},
		{"AMX", "  10:\tc4 e2 4a 5c c4     \ttdpbf16ps %tmm6,%tmm4,%tmm0", ""},
		{"AMX", "  10:\tc4 e2 4b 5c c4     \ttdpbssd %tmm6,%tmm4,%tmm0", "routines may not have"},
	} {
		i := parseAll(t, c.line)[0]
		ret := parseAll(t, "  20:\tc5 f8 77 \tvzeroupper", "  23:\tc3 \tret")
		mustSay(t, readers[0].check(c.target, append([]instruction{i}, ret...)), c.want)
	}
}

func TestX86Body(t *testing.T) {
	const zero, ret = "  13:\tc5 f8 77 \tvzeroupper", "  16:\tc3 \tret"
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"  10:\teb 01 \tjmp    13 <f+0x3>", zero, ret}, ""},
		{[]string{ret}, "without VZEROUPPER"},
		{[]string{"  10:\teb 04 \tjmp    16 <f+0x6>", zero, ret}, "without VZEROUPPER"},
		{[]string{"  10:\teb 05 \tjmp    17 <g>", zero, ret}, "leads out"},
		// The next jump leads into the middle of an instruction.
		{[]string{"  10:\teb 02 \tjmp    14 <f+0x4>", zero, ret}, "leads out"},
		{[]string{zero, ret, "  17:\t90 \tnop"}, "ends in nop"},
	} {
		mustSay(t, x86Body(parseAll(t, c.lines...)), c.want)
	}
}
