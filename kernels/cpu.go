package kernels

import (
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// A Processor describes a CPU. What the CPU does not tell is empty or 0.
type Processor struct {
	Name     string   `json:"name"` // the vendor's, such as "AMD EPYC 9654 96-Core Processor"
	Vendor   string   `json:"vendor,omitempty"`
	Family   int      `json:"family,omitempty"`
	Model    int      `json:"model,omitempty"`
	Stepping int      `json:"stepping,omitempty"`
	Cores    int      `json:"cores,omitempty"`   // physical ones
	Threads  int      `json:"threads,omitempty"` // logical ones
	Line     int      `json:"cache_line_bytes,omitempty"`
	L1D      int      `json:"l1d_bytes,omitempty"` // of one core
	L2       int      `json:"l2_bytes,omitempty"`  // of one core, or of the cores that share it
	L3       int      `json:"l3_bytes,omitempty"`  // of the cores that share it
	Hz       int64    `json:"hz,omitempty"`        // base clock
	BoostHz  int64    `json:"boost_hz,omitempty"`  // highest clock
	Features []string `json:"features,omitempty"`  // extensions, by the vendors' names
}

// CPU describes the processor that the program runs on. A virtual machine sees the description that
// its host chooses.
func CPU() Processor {
	c := &cpuid.CPU
	return Processor{
		Name: strings.Join(strings.Fields(c.BrandName), " "), Vendor: vendor(c.VendorString),
		Family: c.Family, Model: c.Model, Stepping: c.Stepping,
		Cores: c.PhysicalCores, Threads: max(c.LogicalCores, runtime.NumCPU()),
		Line: known(c.CacheLine), L1D: known(c.Cache.L1D), L2: known(c.Cache.L2), L3: known(c.Cache.L3),
		Hz: c.Hz, BoostHz: c.BoostFreq, Features: c.FeatureSet(),
	}
}

// known replaces -1, cpuid's size for a cache that the CPU does not tell, by 0.
func known(bytes int) int { return max(bytes, 0) }

func vendor(name string) string {
	if name == "Unknown" {
		return ""
	}
	return name
}
