package engine

import (
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A bareModel is parameters that no network uses.
type bareModel struct {
	params nn.Params
	isa    kernels.ISA
}

func (m *bareModel) Params() *nn.Params { return &m.params }
func (m *bareModel) ISA() kernels.ISA   { return m.isa }
func (m *bareModel) Repack(int, int)    {}

// Muon multiplies in bfloat16 for a network in it, where the instruction set does.
func TestMuonPrecision(t *testing.T) {
	for _, isa := range kernels.Available() {
		for _, p := range kernels.Precisions() {
			setup := Setup{Recipe: Recipe{Optimizer: Muon}, Model: &bareModel{isa: isa}, Precision: p}
			s := newStepper(setup, newState(nil, false), 1)
			if want := p == kernels.BF16 && isa.Working(p) == p; s.muon.Pairs != want {
				t.Errorf("%v, %v: products of pairs %t", isa, p, s.muon.Pairs)
			}
		}
	}
}

// Each parameter belongs to exactly one piece, with Muon and without it. A matrix of Muon's is one
// piece.
func TestStepperPieces(t *testing.T) {
	var model bareModel
	params := &model.params
	params.Add("first", nn.Plain, 3)
	params.Add("matrix", nn.HWIO, 64, 600)
	params.Add("long", nn.Plain, 2*chunkLen+5)
	params.Add("square", nn.HWIO, 8, 8)
	params.Add("last", nn.HWIO, 8, 8)
	for optimizer, want := range map[Optimizer]int{AdamW: 0, Muon: 3, NorMuon: 3} {
		recipe, state := Recipe{Optimizer: optimizer}, newState(params.Values, false)
		s := newStepper(Setup{Recipe: recipe, Model: &model}, state, 2)
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
