package engine

import (
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// Each parameter belongs to exactly one piece, with Muon and without it. A matrix of Muon's is one
// piece.
func TestStepperPieces(t *testing.T) {
	var params nn.Params
	params.Add("first", nn.Plain, 3)
	params.Add("matrix", nn.HWIO, 64, 600)
	params.Add("long", nn.Plain, 2*chunkLen+5)
	params.Add("square", nn.HWIO, 8, 8)
	params.Add("last", nn.HWIO, 8, 8)
	for optimizer, want := range map[Optimizer]int{AdamW: 0, Muon: 3} {
		recipe, state := Recipe{Optimizer: optimizer}, newState(params.Values, false)
		s := newStepper(recipe, kernels.Generic, state, &params, 2)
		owners, matrices := make([]int, params.Len()), 0
		for _, p := range s.pieces {
			for i := p.from; i < p.to; i++ {
				owners[i]++
			}
			if p.matrix != nil {
				matrices++
			} else if p.to-p.from > chunkLen {
				t.Errorf("a piece of %d", p.to-p.from)
			}
		}
		for i, n := range owners {
			if n != 1 {
				t.Fatalf("%s: parameter %d is in %d pieces", optimizer, i, n)
			}
		}
		if matrices != want {
			t.Errorf("%s: %d matrices", optimizer, matrices)
		}
	}
}
