package kernels

import (
	"time"

	"github.com/fmimg/fmimg/asm"
)

// Peak measures the limit of fused multiply-adds of one core, in floating-point operations a second:
// the best of several loops over registers alone, which take about the given time together. Figures
// of kernels are quoted as a share of it.
func (isa ISA) Peak(budget time.Duration) float64 {
	const rounds = 1 << 13 // some 50 µs a call, which is not preemptible
	lanes := max(isa.lanes(), 1)
	best := 0.0
	for deadline := time.Now().Add(budget); ; {
		start := time.Now()
		v := asm.Vectors{N: rounds}
		if isa.flat(peak, v) == 0 {
			flatGo(peak, &v)
		}
		now := time.Now()
		best = max(best, float64(v.N)*2*asm.PeakChains*float64(lanes)/now.Sub(start).Seconds())
		if now.After(deadline) {
			return best
		}
	}
}
