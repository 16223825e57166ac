package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The codes are those of GNU as.
func TestWordsOfOperations(t *testing.T) {
	d, a, b := value{30}, value{1}, value{18}
	for _, c := range []struct {
		line string
		emit func(r *routine)
	}{
		{"0x4e32d43e // fadd v30.4s, v1.4s, v18.4s", func(r *routine) { r.do(add, d, a, b) }},
		{"0x4eb2d43e // fsub v30.4s, v1.4s, v18.4s", func(r *routine) { r.do(sub, d, a, b) }},
		{"0x6e32dc3e // fmul v30.4s, v1.4s, v18.4s", func(r *routine) { r.do(mul, d, a, b) }},
		{"0x6e32fc3e // fdiv v30.4s, v1.4s, v18.4s", func(r *routine) { r.do(div, d, a, b) }},
		{"0x4eb2f43e // fmin v30.4s, v1.4s, v18.4s", func(r *routine) { r.do(minimum, d, a, b) }},
		{"0x4e32f43e // fmax v30.4s, v1.4s, v18.4s", func(r *routine) { r.do(maximum, d, a, b) }},
		{"0x6ea1f83e // fsqrt v30.4s, v1.4s", func(r *routine) { r.apply(root, d, a) }},
		{"0x4e21a83e // fcvtns v30.4s, v1.4s", func(r *routine) { r.apply(toInt, d, a) }},
		{"0x4e21d83e // scvtf v30.4s, v1.4s", func(r *routine) { r.apply(toFloat, d, a) }},
		{"0x6ea0f83e // fneg v30.4s, v1.4s", func(r *routine) { r.negate(d, a) }},
		{"0x4f92903e // fmul v30.4s, v1.4s, v18.s[0]", func(r *routine) { r.do(mul, d, a, element{18, 0}) }},
		{"0x4fb2103e // fmla v30.4s, v1.4s, v18.s[1]", func(r *routine) { r.do(fma, d, element{18, 1}, a) }},
		{"0x4f85183e // fmla v30.4s, v1.4s, v5.s[2]", func(r *routine) { r.do(fma, d, a, element{5, 2}) }},
		{"0x4fb2583e // fmls v30.4s, v1.4s, v18.s[3]", func(r *routine) { r.do(fms, d, a, element{18, 3}) }},
		{"0x3cf0683e // ldr q30, [x1, x16]", func(r *routine) { r.move(d, memory{base: "BX", index: "R16"}) }},
		{"0x3cb0683e // str q30, [x1, x16]", func(r *routine) { r.store(d, memory{base: "BX", index: "R16"}) }},
	} {
		r := newRoutine(neon, "", "", "")
		c.emit(r)
		if want := []string{"\tWORD $" + c.line}; !slices.Equal(r.lines, want) {
			t.Errorf("got %q, want %q", r.lines, want)
		}
	}
}

// A disassembler reads each word of the generated files. Its text must be the same as in the
// comment.
func TestWordsOfFiles(t *testing.T) {
	const tool = "aarch64-linux-gnu-objdump"
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("no %s (Debian package binutils-aarch64-linux-gnu)", tool)
	}
	codes, texts := words(t)
	file := filepath.Join(t.TempDir(), "words")
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, codes); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "-D", "-z", "-b", "binary", "-m", "aarch64", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	// A line is address, code, name and operands, with tabs between.
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) == 4 {
			got = append(got, fields[2]+" "+fields[3])
		}
	}
	if len(got) != len(texts) {
		t.Fatalf("%s read %d of %d instructions", tool, len(got), len(texts))
	}
	for i, text := range texts {
		if got[i] != text {
			t.Errorf("0x%08x is %q, not %q", codes[i], got[i], text)
		}
	}
}

// words lists the words of the generated files, each once, and their comments.
func words(t *testing.T) (codes []uint32, texts []string) {
	line := regexp.MustCompile(`(?m)^\tWORD \$0x([0-9a-f]{8}) // (.*)$`)
	seen := map[string]bool{}
	for _, text := range files(t) {
		for _, m := range line.FindAllStringSubmatch(text, -1) {
			if seen[m[0]] {
				continue
			}
			seen[m[0]] = true
			code, err := strconv.ParseUint(m[1], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			codes, texts = append(codes, uint32(code)), append(texts, m[2])
		}
	}
	return codes, texts
}

// files returns the text of each generated file for arm64.
func files(t *testing.T) map[string]string {
	names, err := filepath.Glob("../*_arm64.s")
	if err != nil || len(names) == 0 {
		t.Fatalf("no generated files for arm64: %v", err)
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

// Registers 18 and 27 to 30 belong to the platform, the assembler and Go.
func TestReservedRegisters(t *testing.T) {
	reserved := regexp.MustCompile(`\b[Rx](18|2[789]|30)\b`)
	for name, text := range files(t) {
		if m := reserved.FindString(text); m != "" {
			t.Errorf("%s names %s", name, m)
		}
	}
}
