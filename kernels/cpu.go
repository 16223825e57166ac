package kernels

import (
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// A Processor describes a CPU, as far as it tells. What it does not tell is empty or 0.
type Processor struct {
	Name     string   `json:"name"` // the vendor's, such as "AMD EPYC 9654 96-Core Processor"
	Vendor   string   `json:"vendor,omitempty"`
	Family   int      `json:"family,omitempty"`
	Model    int      `json:"model,omitempty"`
	Stepping int      `json:"stepping,omitempty"`
	Cores    int      `json:"cores,omitempty"`   // physical ones
	Threads  int      `json:"threads,omitempty"` // logical ones
	Line     int      `json:"cache_line_bytes,omitempty"`
	L1D      int      `json:"l1d_bytes,omitempty"` // of a core
	L2       int      `json:"l2_bytes,omitempty"`  // of a core, or of those that share it
	L3       int      `json:"l3_bytes,omitempty"`  // of those that share it
	Hz       int64    `json:"hz,omitempty"`        // base clock
	BoostHz  int64    `json:"boost_hz,omitempty"`  // highest clock
	Features []string `json:"features,omitempty"`  // instruction set extensions, by their vendors' names
}

// CPU describes the processor that the program runs on. In a virtual machine that is what its host
// chooses to show.
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

// known replaces cpuid's -1 for a size that the CPU does not tell.
func known(bytes int) int { return max(bytes, 0) }

func vendor(name string) string {
	if name == "Unknown" {
		return ""
	}
	return name
}
