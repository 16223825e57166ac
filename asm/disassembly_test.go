//go:build !noasm && !purego

package asm

import (
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An instruction is a line of a disassembler.
type instruction struct {
	address  uint64
	code     []byte // on arm64 a number, the highest byte first
	name     string
	operands string
}

// end is the address behind the instruction.
func (i instruction) end() uint64 { return i.address + uint64(len(i.code)) }

// A reader knows the instructions of an architecture.
type reader struct {
	arch    string // as in GOARCH
	prefix  string // of its GNU tools
	machine elf.Machine
	padding string // the instruction that the assembler pads routines with
	// needs lists the features that an instruction needs, from [Needs]. It returns an error for an
	// instruction that is not known to leave alone the stack and the registers that Go keeps.
	needs func(i instruction) ([]string, error)
	// body checks a whole routine.
	body func(routine []instruction) error
}

var readers = []reader{
	{"amd64", "x86_64-linux-gnu-", elf.EM_X86_64, "int3", x86Needs, x86Body},
	{"arm64", "aarch64-linux-gnu-", elf.EM_AARCH64, "udf", neonNeeds, neonBody},
}

// GNU's disassembler reads every routine of a linked program: each may hold only instructions that
// its callers have asked the CPU for. Go's own disassembler does not know AVX-512.
func TestRoutinesKeepToTheirTarget(t *testing.T) {
	for _, r := range readers {
		t.Run(r.arch, func(t *testing.T) {
			tool := r.disassembler(t)
			file := r.link(t)
			symbols := r.symbols(t, file)
			code := r.disassemble(t, tool, file, symbols)
			for _, name := range r.declared(t) {
				s, ok := symbols[name]
				if !ok {
					t.Errorf("%s is not in the program: no test calls it", name)
					continue
				}
				routine := within(code, s.Value, s.Value+s.Size)
				n := len(routine)
				if n == 0 || routine[0].address != s.Value || routine[n-1].end() != s.Value+s.Size {
					t.Errorf("%s: its %d instructions do not fill its %d bytes", name, n, s.Size)
					continue
				}
				for routine[len(routine)-1].name == r.padding {
					routine = routine[:len(routine)-1]
				}
				if err := r.check(targetOf(name), routine); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// check returns an error if something is wrong with a routine of a target.
func (r reader) check(target string, routine []instruction) error {
	if target == "" {
		return errors.New("its name does not end in a target's")
	}
	allowed := Needs(target)
	for _, i := range routine {
		needs, err := r.needs(i)
		if err != nil {
			return fmt.Errorf("%s %s: %w", i.name, i.operands, err)
		}
		for _, feature := range needs {
			if !slices.Contains(allowed, feature) {
				return fmt.Errorf("%s %s needs %s, and %s has %v", i.name, i.operands, feature, target, allowed)
			}
		}
	}
	return r.body(routine)
}

// targetOf returns the target that a routine's name ends in, or "".
func targetOf(name string) string {
	for target := range needs {
		if strings.HasSuffix(name, target) {
			return target
		}
	}
	return ""
}

// disassembler finds GNU objdump for the architecture, or skips the test.
func (r reader) disassembler(t *testing.T) string {
	t.Helper()
	names := []string{r.prefix + "objdump"}
	if r.arch == runtime.GOARCH {
		names = append(names, "objdump")
	}
	for _, name := range names {
		version, err := exec.Command(name, "--version").Output()
		if err == nil && strings.HasPrefix(string(version), "GNU") {
			return name
		}
	}
	t.Skipf("no GNU %s (Debian package binutils-%s)",
		names[0], strings.ReplaceAll(strings.TrimSuffix(r.prefix, "-"), "_", "-"))
	return ""
}

// link builds these tests for the architecture: a program that holds every routine that a test
// calls.
func (r reader) link(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), r.arch+".test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", file, ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+r.arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return file
}

// symbols returns the routines in a program. Assembly uses Go's first calling convention, ABI0.
func (r reader) symbols(t *testing.T, file string) map[string]elf.Symbol {
	t.Helper()
	program, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	all, err := program.Symbols()
	if err != nil || program.Machine != r.machine {
		t.Fatalf("%s for %v: %v", file, program.Machine, err)
	}
	routines := map[string]elf.Symbol{}
	for _, s := range all {
		name, isABI0 := strings.CutSuffix(s.Name, ".abi0")
		if name, ok := strings.CutPrefix(name, "github.com/fmimg/fmimg/asm."); ok && isABI0 {
			routines[name] = s
		}
	}
	return routines
}

// declared lists the routines of the .s files. It reads these files because go test caches a result
// until a file changes that the test has read.
func (r reader) declared(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_" + r.arch + ".s")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^TEXT ·(\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	if len(names) == 0 {
		t.Fatal("no routines are declared")
	}
	return names
}

// disassemble reads everything between the first and the last routine.
func (r reader) disassemble(t *testing.T, tool, file string, symbols map[string]elf.Symbol) []instruction {
	t.Helper()
	first, last := ^uint64(0), uint64(0)
	for _, s := range symbols {
		first, last = min(first, s.Value), max(last, s.Value+s.Size)
	}
	const longest = 16 // bytes; objdump would break longer instructions into several lines
	out, err := exec.Command(tool, "-d", "-z", fmt.Sprintf("--insn-width=%d", longest),
		fmt.Sprintf("--start-address=%#x", first), fmt.Sprintf("--stop-address=%#x", last), file).Output()
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	var code []instruction
	for line := range strings.Lines(string(out)) {
		if i, ok := parseInstruction(line); ok {
			code = append(code, i)
		}
	}
	return code
}

var (
	remarks = regexp.MustCompile(`\s+(#|//) .*$`) // that objdump adds to an instruction
	spaces  = regexp.MustCompile(`\s+`)
)

// parseInstruction reads a line of objdump: address, code and text, with tabs between.
func parseInstruction(line string) (instruction, bool) {
	var i instruction
	address, rest, ok := strings.Cut(strings.TrimSpace(line), ":\t")
	if !ok {
		return i, false
	}
	code, text, _ := strings.Cut(rest, "\t")
	var errs [2]error
	i.address, errs[0] = strconv.ParseUint(address, 16, 64)
	i.code, errs[1] = hex.DecodeString(strings.ReplaceAll(code, " ", ""))
	text = strings.TrimSpace(remarks.ReplaceAllString(text, ""))
	i.name, i.operands, _ = strings.Cut(spaces.ReplaceAllString(text, " "), " ")
	return i, errs[0] == nil && errs[1] == nil
}

// within returns the instructions of a range of addresses.
func within(code []instruction, from, to uint64) []instruction {
	var some []instruction
	for _, i := range code {
		if i.address >= from && i.address < to {
			some = append(some, i)
		}
	}
	return some
}

// jumpsInside checks that the jumps of a routine lead to its own instructions, and that it ends in
// a return or a jump. isJump tells jumps by name. It returns the addresses that the jumps lead to.
func jumpsInside(routine []instruction, isJump func(name string) bool) (map[uint64]bool, error) {
	starts, targets := map[uint64]bool{}, map[uint64]bool{}
	for _, i := range routine {
		starts[i.address] = true
	}
	for _, i := range routine {
		if !isJump(i.name) {
			continue
		}
		to, _, _ := strings.Cut(i.operands[strings.LastIndex(i.operands, ",")+1:], "<")
		address, err := strconv.ParseUint(strings.TrimSpace(to), 16, 64)
		if err != nil || !starts[address] {
			return nil, fmt.Errorf("%s %s leads out of the routine", i.name, i.operands)
		}
		targets[address] = true
	}
	if last := routine[len(routine)-1]; last.name != "ret" && last.name != "jmp" && last.name != "b" {
		return nil, fmt.Errorf("it ends in %s %s", last.name, last.operands)
	}
	return targets, nil
}

// parseAll parses the lines of a test.
func parseAll(t *testing.T, lines ...string) []instruction {
	t.Helper()
	var all []instruction
	for _, line := range lines {
		i, ok := parseInstruction(line)
		if !ok {
			t.Fatalf("%q is not an instruction", line)
		}
		all = append(all, i)
	}
	return all
}

// mustSay fails unless an error contains want, or there is no error where want is empty.
func mustSay(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
}
