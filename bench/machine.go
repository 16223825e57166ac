package bench

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
)

// A Machine is what was measured: the program and the CPU.
type Machine struct {
	pipeline.Machine
	// Processor describes the CPU in full. In JSON it takes the place of the embedded CPU, a name.
	Processor kernels.Processor `json:"cpu"`
}

// ThisMachine describes the running program and its CPU.
func ThisMachine() Machine {
	cpu := kernels.CPU()
	complete(&cpu, os.DirFS("/"))
	cpu.Name = cmp.Or(cpu.Name, "unknown "+runtime.GOARCH+" CPU")
	return Machine{pipeline.ThisMachine(), cpu}
}

// same reports whether two machines are of one kind: CPU, system and number of threads.
func (m Machine) same(o Machine) bool {
	return m.Processor.Name == o.Processor.Name && m.System == o.System && m.Threads == o.Threads
}

// complete fills in what an arm64 CPU does not tell a program, from files of a Linux system. It
// does nothing on other systems, which do not have the files.
func complete(cpu *kernels.Processor, root fs.FS) {
	if cpu.Name == "" {
		cpu.Name = nameFromProc(root)
	}
	for i := range 8 {
		dir := fmt.Sprintf("sys/devices/system/cpu/cpu0/cache/index%d/", i)
		size := parseSize(line(root, dir+"size"))
		switch level, kind := line(root, dir+"level"), line(root, dir+"type"); {
		case size == 0 || kind == "Instruction":
		case level == "1" && cpu.L1D == 0:
			cpu.L1D = size
		case level == "2" && cpu.L2 == 0:
			cpu.L2 = size
		case level == "3" && cpu.L3 == 0:
			cpu.L3 = size
		}
	}
}

// armParts names cores of servers and small boards, by the part numbers of implementer 0x41, Arm.
var armParts = map[string]string{
	"0xd03": "Cortex-A53", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76",
	"0xd41": "Cortex-A78", "0xd0c": "Neoverse N1", "0xd40": "Neoverse V1", "0xd49": "Neoverse N2",
	"0xd4f": "Neoverse V2", "0xd8e": "Neoverse N3", "0xd84": "Neoverse V3",
}

// nameFromProc finds a name in /proc/cpuinfo: a model name, or the numbers of an Arm core.
func nameFromProc(root fs.FS) string {
	text, err := fs.ReadFile(root, "proc/cpuinfo")
	if err != nil {
		return ""
	}
	fields := map[string]string{}
	for row := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(row, ":"); ok {
			if key = strings.TrimSpace(key); fields[key] == "" {
				fields[key] = strings.TrimSpace(value)
			}
		}
	}
	implementer, part := fields["CPU implementer"], fields["CPU part"]
	switch {
	case fields["model name"] != "":
		return fields["model name"]
	case implementer == "0x41" && armParts[part] != "":
		return "Arm " + armParts[part]
	case implementer != "":
		return fmt.Sprintf("arm64 CPU (implementer %s, part %s)", implementer, part)
	}
	return ""
}

// line returns the text of a file of one line, or "" when there is no such file.
func line(root fs.FS, name string) string {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// parseSize reads a number of bytes such as 32K.
func parseSize(text string) int {
	digits := strings.TrimRight(text, "KM")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n < 0:
		return 0
	case strings.HasSuffix(text, "K"):
		return n << 10
	case strings.HasSuffix(text, "M"):
		return n << 20
	}
	return n
}

// relevant are the beginnings of the names of features that arithmetic can use.
var relevant = []string{"AVX", "FMA", "F16C", "AMX", "ASIMD", "SVE", "SME", "FPHP", "BF16", "I8MM", "FP16"}

// relevantFeatures returns the features of a CPU that arithmetic can use.
func relevantFeatures(cpu kernels.Processor) []string {
	var found []string
	for _, f := range cpu.Features {
		for _, prefix := range relevant {
			if strings.HasPrefix(f, prefix) {
				found = append(found, f)
				break
			}
		}
	}
	return found
}
