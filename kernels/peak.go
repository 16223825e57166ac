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

// PeakBF16 measures, like [ISA.Peak], the operations a second of products of pairs of bfloat16. It
// is 0 for an instruction set without such products.
func (isa ISA) PeakBF16(budget time.Duration) float64 {
	operations := tilesOf[isa].peak
	if operations == 0 {
		return 0
	}
	rounds := max(maxPairCycles/pairPeakCycles, 1)
	best := 0.0
	for deadline := time.Now().Add(budget); ; {
		start := time.Now()
		isa.pairPeak(&asm.Pairs{N: rounds, Config: asm.PairConfig(asm.PairUnit, asm.PairUnit)})
		now := time.Now()
		best = max(best, float64(rounds)*operations/now.Sub(start).Seconds())
		if now.After(deadline) {
			return best
		}
	}
}
