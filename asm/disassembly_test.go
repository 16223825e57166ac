//go:build !noasm && !purego

package asm

import (
	"debug/elf"
	"encoding/hex"
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

// An instruction is what a disassembler says of one.
type instruction struct {
	address  uint64
	code     []byte // arm64's as a number, the highest byte first
	name     string
	operands string
}

// end is the address behind it.
func (i instruction) end() uint64 { return i.address + uint64(len(i.code)) }

// A reader knows the instructions of an architecture.
type reader struct {
	arch    string // as in GOARCH
	prefix  string // of its GNU tools
	machine elf.Machine
	targets []string // endings of routines' names
	padding string   // the instruction that the assembler fills routines up with
	// needs lists the features that an instruction needs, from [Needs]. It is an error if it is not
	// known to be harmless: to the stack, to registers that Go keeps, and on every CPU of the target.
	needs func(i instruction) ([]string, error)
	// body checks what a single instruction does not show.
	body func(routine []instruction) error
}

var readers = []reader{
	{"amd64", "x86_64-linux-gnu-", elf.EM_X86_64, []string{"AVX2", "AVX512"}, "int3", x86Needs, x86Body},
	{"arm64", "aarch64-linux-gnu-", elf.EM_AARCH64, []string{"NEON"}, "udf", neonNeeds, neonBody},
}

// TestRoutinesKeepToTheirTarget has GNU's disassembler read every routine of a linked program: none may
// hold an instruction beyond what its callers have asked the CPU for. Go's own does not know AVX-512.
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
				if len(routine) == 0 || routine[0].address != s.Value || routine[len(routine)-1].end() != s.Value+s.Size {
					t.Errorf("%s: %d instructions do not make up its %d bytes", name, len(routine), s.Size)
					continue
				}
				for routine[len(routine)-1].name == r.padding {
					routine = routine[:len(routine)-1]
				}
				if err := r.check(r.targetOf(name), routine); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// check says what is wrong with a routine of a target.
func (r reader) check(target string, routine []instruction) error {
	if target == "" {
		return fmt.Errorf("its name ends in none of %v", r.targets)
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

// targetOf returns the target that a routine's name ends in.
func (r reader) targetOf(name string) string {
	for _, target := range r.targets {
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
		if version, err := exec.Command(name, "--version").Output(); err == nil && strings.HasPrefix(string(version), "GNU") {
			return name
		}
	}
	t.Skipf("no GNU %s (Debian package binutils-%s)", names[0], strings.ReplaceAll(strings.TrimSuffix(r.prefix, "-"), "_", "-"))
	return ""
}

// link builds these tests for the architecture, as a program that holds all that they call.
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

// symbols returns the routines in a program. Assembly has Go's first calling convention, ABI0.
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
		if name, ok := strings.CutPrefix(strings.TrimSuffix(s.Name, ".abi0"), "github.com/fmimg/fmimg/asm."); ok && strings.HasSuffix(s.Name, ".abi0") {
			routines[name] = s
		}
	}
	return routines
}

// declared lists the routines of the .s files. go test keeps a result until a file changes that the test
// itself has read, so it is these that it reads.
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

// disassemble reads all that lies between the first and the last routine.
func (r reader) disassemble(t *testing.T, tool, file string, symbols map[string]elf.Symbol) []instruction {
	t.Helper()
	first, last := ^uint64(0), uint64(0)
	for _, s := range symbols {
		first, last = min(first, s.Value), max(last, s.Value+s.Size)
	}
	const longest = 16 // bytes, which else would go over several lines
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
	text = strings.TrimSpace(regexp.MustCompile(`\s+(#|//) .*$`).ReplaceAllString(text, "")) // the tool's remarks
	i.name, i.operands, _ = strings.Cut(regexp.MustCompile(`\s+`).ReplaceAllString(text, " "), " ")
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

// jumpsInside checks that jumps, which isJump knows, lead to instructions of the routine, and that it ends
// in a return or a jump. It returns the addresses that are jumped to.
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

// parseAll reads the lines of a test.
func parseAll(t *testing.T, lines ...string) []instruction {
	t.Helper()
	var all []instruction
	for _, line := range lines {
		i, ok := parseInstruction(line)
		if !ok {
			t.Fatalf("%q is no instruction", line)
		}
		all = append(all, i)
	}
	return all
}

// mustSay fails unless an error says what is expected, and nothing is wrong where that is empty.
func mustSay(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
}
