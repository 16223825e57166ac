package bench

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// inPrecision returns the name of a precision in a report. Old reports have none, as all was
// float32.
func inPrecision(name string) string { return cmp.Or(name, kernels.F32.String()) }

// unlessF32 returns the name of a precision for names of what was measured. Those of float32 say
// nothing.
func unlessF32(name string) string {
	if inPrecision(name) == kernels.F32.String() {
		return ""
	}
	return name
}

// parsePrecisions reads a list of precisions, joined by commas, and returns those of each
// instruction set. The empty list is auto, the fastest one of each.
func parsePrecisions(text string, isas []kernels.ISA) ([]arithmetic, error) {
	var list []arithmetic
	for _, isa := range isas {
		var own []arithmetic
		for name := range strings.SplitSeq(text, ",") {
			name = strings.TrimSpace(name)
			if name == "" && text != "" {
				return nil, option.Errorf("precision", option.Quoted(text), "a name is empty: choose some of auto, f32, bf16")
			}
			precision, err := kernels.ParsePrecision(name, isa)
			if err != nil {
				return nil, option.Of("precision", err)
			}
			if on := (arithmetic{isa, precision}); !slices.Contains(own, on) {
				own = append(own, on)
			}
		}
		slices.SortFunc(own, func(a, b arithmetic) int { return cmp.Compare(a.precision, b.precision) })
		list = append(list, own...)
	}
	return list, nil
}
