//go:build !noasm && !purego

package asm

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An encoded instruction is written in a .s file by its code, because Go's assembler lacks it, with
// the text of a disassembler in a comment.
type encoded struct {
	code []byte
	text string
	line string
}

var (
	encodedBytes = regexp.MustCompile(`^\t((?:BYTE \$0x[0-9a-f]{2}(?:; )?)+) // (.*)$`)
	encodedWord  = regexp.MustCompile(`^\tWORD \$0x([0-9a-f]{8}) // (.*)$`)
	encodedByte  = regexp.MustCompile(`0x([0-9a-f]{2})`)
)

// parseEncoded reads a line of a .s file. It fails for a code without a comment.
func parseEncoded(t *testing.T, file, line string) (e encoded, ok bool) {
	t.Helper()
	if !strings.HasPrefix(line, "\tBYTE") && !strings.HasPrefix(line, "\tWORD") {
		return e, false
	}
	e.line = file + ": " + line
	if m := encodedBytes.FindStringSubmatch(line); m != nil {
		for _, b := range encodedByte.FindAllStringSubmatch(m[1], -1) {
			n, err := strconv.ParseUint(b[1], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			e.code = append(e.code, byte(n))
		}
		e.text = m[2]
		return e, true
	}
	m := encodedWord.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("%s: an instruction by its code has the text of a disassembler in a comment", e.line)
	}
	n, err := strconv.ParseUint(m[1], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	e.code, e.text = binary.LittleEndian.AppendUint32(nil, uint32(n)), m[2]
	return e, true
}

// encodedOf lists the instructions by code of an architecture's .s files, each once.
func (r reader) encodedOf(t *testing.T) []encoded {
	t.Helper()
	files, err := filepath.Glob("*_" + r.arch + ".s")
	if err != nil {
		t.Fatal(err)
	}
	var all []encoded
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			e, ok := parseEncoded(t, file, strings.TrimSuffix(line, "\n"))
			if ok && !seen[e.line] {
				seen[e.line] = true
				all = append(all, e)
			}
		}
	}
	return all
}

// GNU's disassembler reads each instruction that is written by its code as the comment beside it
// says.
func TestEncodings(t *testing.T) {
	machines := map[string]string{"amd64": "i386:x86-64", "arm64": "aarch64"}
	for _, r := range readers {
		t.Run(r.arch, func(t *testing.T) {
			tool, all := r.disassembler(t), r.encodedOf(t)
			var code []byte
			for _, e := range all {
				code = append(code, e.code...)
			}
			file := filepath.Join(t.TempDir(), "code")
			if err := os.WriteFile(file, code, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), tool, "-D", "-z", "-b", "binary", "-m", machines[r.arch],
				"--insn-width=16", file).Output()
			if err != nil {
				t.Fatalf("%s: %v", tool, err)
			}
			var read []instruction
			for line := range strings.Lines(string(out)) {
				if i, ok := parseInstruction(line); ok {
					read = append(read, i)
				}
			}
			mustReadAs(t, read, all)
		})
	}
}

func mustReadAs(t *testing.T, read []instruction, all []encoded) {
	t.Helper()
	if len(read) != len(all) || len(all) == 0 {
		t.Fatalf("the disassembler reads %d instructions, there are %d", len(read), len(all))
	}
	for i, e := range all {
		got := strings.TrimSpace(read[i].name + " " + read[i].operands)
		if got != e.text || len(read[i].code) != len(e.code) {
			t.Errorf("%s\nis %s", e.line, got)
		}
	}
	t.Log(fmt.Sprint(len(all), " instructions"))
}
