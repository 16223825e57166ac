package kernels

import (
	"time"

	"github.com/fmimg/fmimg/asm"
)

// Peak measures how many floating-point operations a second one core can do in fused multiply-adds.
// It runs loops over registers alone for about the given time, and returns the rate of the fastest.
// The speed of kernels is quoted as a share of this peak.
func (isa ISA) Peak(budget time.Duration) float64 {
	lanes := max(isa.lanes(), 1)
	best := 0.0
	for deadline := time.Now().Add(budget); ; {
		start := time.Now()
		v := asm.Vectors{N: peakRounds}
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
