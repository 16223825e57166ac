//go:build !noasm && !purego

package asm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// The instructions of ARMv8.0 that routines may have. Instructions of later versions, such as dot
// products, have other names, or registers that neonRegister does not match: halves in a whole
// register (.8h, h0) and SVE's (z0, p0).
var (
	neonInteger = setOf("mov add adds sub subs mul cmp orr adrp cbz cbnz b ret nop prfm ldr str ldp stp")
	neonVector  = setOf("fadd fsub fmul fdiv fmin fmax fmaxnm fmla fmls fsqrt fneg fcvtns scvtf add addhn shl shll ushr movi dup mov eor " +
		"ld1r ldr str ldp stp zip1 zip2")
)

// neonPairs and neonZip match the operands of BFDOT, of ARMv8.6, and of ZIP, which mixes registers
// of halves as they are.
var (
	neonPairs = regexp.MustCompile(`^v[0-9]+\.4s, v[0-9]+\.8h, v[0-9]+\.2h\[[0-3]\]$`)
	neonZip   = regexp.MustCompile(`^v[0-9]+\.8h, v[0-9]+\.8h, v[0-9]+\.8h$`)
)

var (
	// Numbers, addresses, shifts, levels of the cache.
	neonRemark   = regexp.MustCompile(`#-?[0-9a-fx.]+|\b[0-9a-f]+ <.*>|\b(lsl|msl|p[ls][dt]l[12]keep)\b`)
	neonWord     = regexp.MustCompile(`[a-z][a-z0-9]*(\.[0-9]*[a-z](\[\d\])?)?`)
	neonRegister = regexp.MustCompile(`^([xw]([0-9]|1[0-79]|2[0-6])|[xw]zr|[qds][0-9]+|v[0-9]+\.(4s|4h|16b|s\[\d\]))$`)
	neonFloat    = regexp.MustCompile(`\b([qds][0-9]+|v[0-9]+\.)`)
)

// neonNeeds refuses registers that are not the routine's: x18 belongs to the platform, x27 to Go's
// assembler, x28 to Go (the goroutine), and x29 and x30 to the caller (frame and return). It
// refuses the stack except for the argument.
func neonNeeds(i instruction) ([]string, error) {
	isVector := neonFloat.MatchString(i.operands)
	switch {
	case i.name == "bfdot" && neonPairs.MatchString(i.operands):
		return []string{"ASIMD", "BF16"}, nil
	case strings.HasPrefix(i.name, "zip") && neonZip.MatchString(i.operands):
		return []string{"ASIMD"}, nil
	case isVector && !neonVector[i.name], !isVector && !neonInteger[i.name] && !strings.HasPrefix(i.name, "b."):
		return nil, fmt.Errorf("routines may not have code %x: add it here if ARMv8.0 has it and it is harmless",
			i.code)
	case i.name == "ldr" && i.operands == "x0, [sp, #8]":
		return nil, nil
	}
	for _, word := range neonWord.FindAllString(neonRemark.ReplaceAllString(i.operands, ""), -1) {
		if word == "sp" {
			return nil, errors.New("the stack belongs to the caller")
		}
		if !neonRegister.MatchString(word) {
			return nil, fmt.Errorf("routines may not have register %s", word)
		}
	}
	if isVector {
		return []string{"ASIMD"}, nil
	}
	return nil, nil
}

func neonBody(routine []instruction) error {
	_, err := jumpsInside(routine, func(name string) bool {
		return name == "b" || strings.HasPrefix(name, "b.") || strings.HasPrefix(name, "cb")
	})
	return err
}

func TestNEONNeeds(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"  10:\t4e20cd88 \tfmla\tv8.4s, v12.4s, v0.4s", ""},
		{"  10:\t4f851a83 \tfmla\tv3.4s, v20.4s, v5.s[2]", ""},
		{"  10:\tf94007e0 \tldr\tx0, [sp, #8]", ""},
		{"  10:\t3ce16844 \tldr\tq4, [x2, x1]", ""},
		{"  10:\tad40348c \tldp\tq12, q13, [x4]", ""},
		{"  10:\tf000039a \tadrp\tx26, 1ad000 <cmp..dict.Compare[uintptr]+0x20>", ""},
		{"  10:\t8b010ce4 \tadd\tx4, x7, x1, lsl #3", ""},
		{"  10:\tf8800070 \tprfm\tpstl1keep, [x3]", ""},
		{"  10:\tf98000a2 \tprfm\tpldl2keep, [x5]", ""},
		{"  10:\t4e400c88 \tfmla\tv8.8h, v4.8h, v0.8h", "v8.8h"},              // FP16
		{"  10:\t4e829420 \tsdot\tv0.4s, v1.16b, v2.16b", "routines may not"}, // dot products
		{"  10:\t6e42fc20 \tbfdot\tv0.4s, v1.8h, v2.8h", "routines may not"},
		{"  10:\t85804000 \tldr\tz0, [x0]", "z0"}, // SVE
		{"  10:\t65a20020 \tfmla\tz0.s, p0/m, z1.s, z2.s", "routines may not"},
		{"  10:\tf8200041 \tldadd\tx0, x1, [x2]", "routines may not"}, // atomics of ARMv8.1
		{"  10:\taa0003f2 \tmov\tx18, x0", "x18"},
		{"  10:\taa0003fb \tmov\tx27, x0", "x27"},
		{"  10:\taa0003fc \tmov\tx28, x0", "x28"},
		{"  10:\t9100001f \tmov\tsp, x0", "the stack belongs"},
		{"  10:\tf90007e0 \tstr\tx0, [sp, #8]", "the stack belongs"},
		{"  10:\t94000000 \tbl\t10 <f>", "routines may not"},
		{"  10:\td61f0000 \tbr\tx0", "routines may not"},
		{"  10:\t14000002 \tb\t18 <g>", "leads out"},
		{"  10:\t54000020 \tb.eq\t14 <f+0x4>  // b.none", ""},
		{"  10:\tb4000022 \tcbz\tx2, 14 <f+0x4>", ""},
	} {
		i := parseAll(t, c.line, "  14:\td65f03c0 \tret")
		mustSay(t, readers[1].check("NEON", i), c.want)
	}
}
