package bench

import (
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fmimg/fmimg/kernels"
)

// The files of a Raspberry Pi 4, of a server core that the table lacks, and of an x86 machine.
func TestComplete(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	cache := "sys/devices/system/cpu/cpu0/cache/index"
	for _, c := range []struct {
		name string
		cpu  kernels.Processor // as cpuid tells it
		root fstest.MapFS
		want kernels.Processor
	}{
		{"raspberry", kernels.Processor{}, fstest.MapFS{
			"proc/cpuinfo": file("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nprocessor\t: 1\n" +
				"CPU implementer\t: 0x41\nCPU part\t: 0xd08\n"),
			cache + "0/size": file("32K\n"), cache + "0/level": file("1\n"), cache + "0/type": file("Data\n"),
			cache + "1/size": file("48K\n"), cache + "1/level": file("1\n"), cache + "1/type": file("Instruction\n"),
			cache + "2/size": file("1M\n"), cache + "2/level": file("2\n"), cache + "2/type": file("Unified\n"),
		}, kernels.Processor{Name: "Arm Cortex-A72", L1D: 32 << 10, L2: 1 << 20}},
		{"unknown part", kernels.Processor{}, fstest.MapFS{
			"proc/cpuinfo": file("CPU implementer\t: 0xc0\nCPU part\t: 0xac3\n"),
		},
			kernels.Processor{Name: "arm64 CPU (implementer 0xc0, part 0xac3)"}},
		{"told already", kernels.Processor{Name: "AMD EPYC", L1D: 1, L3: 3}, fstest.MapFS{
			"proc/cpuinfo":   file("model name\t: other\n"),
			cache + "0/size": file("32K\n"), cache + "0/level": file("1\n"), cache + "0/type": file("Data\n"),
		}, kernels.Processor{Name: "AMD EPYC", L1D: 1, L3: 3}},
		{"no such files", kernels.Processor{}, fstest.MapFS{}, kernels.Processor{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.cpu
			complete(&got, c.root)
			if got.Name != c.want.Name || got.L1D != c.want.L1D || got.L2 != c.want.L2 || got.L3 != c.want.L3 {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestThisMachine(t *testing.T) {
	m := ThisMachine()
	if m.Processor.Name == "" || m.Threads < 1 || !m.same(m) {
		t.Errorf("%+v", m)
	}
	var text strings.Builder
	if err := m.WriteText(&text); err != nil || !strings.Contains(text.String(), m.Processor.Name) ||
		!strings.Contains(text.String(), "instruction sets: generic") {
		t.Errorf("%v: %s", err, &text)
	}
}

// After touching 32 MiB the peak is at least that much. It does not fall by more than the slack of
// the kernel's counters, which each CPU keeps for itself.
func TestPeakMemory(t *testing.T) {
	switch runtime.GOOS {
	case "linux", "darwin", "windows":
	default:
		t.Skip("not known how to ask " + runtime.GOOS)
	}
	const size = 32 << 20
	block := make([]byte, size)
	for i := range block {
		block[i] = byte(i)
	}
	first := peakMemory()
	if first < size {
		t.Errorf("a peak of %d bytes with %d touched", first, size)
	}
	runtime.KeepAlive(block)
	runtime.GC()
	if second := peakMemory(); second < first-4<<20 {
		t.Errorf("the peak fell from %d to %d", first, second)
	}
}

func TestBeyondCaches(t *testing.T) {
	for _, c := range []struct{ l3, want int }{
		{0, 64 << 20}, {8 << 20, 64 << 20}, {32 << 20, 128 << 20}, {384 << 20, 1 << 30},
	} {
		if got := beyondCaches(kernels.Processor{L3: c.l3}); got != c.want {
			t.Errorf("L3 of %d: %d, want %d", c.l3, got, c.want)
		}
	}
}
