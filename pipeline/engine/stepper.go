package engine

import (
	"math"
	"slices"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A stepper changes the parameters by their gradient, in pieces that workers take one by one. The pieces are
// fixed, so that no number depends on who takes them.
type stepper struct {
	Recipe
	isa    kernels.ISA
	state  State
	muon   *nn.Muon       // nil for AdamW alone
	work   []*nn.MuonWork // of each worker
	pieces []piece        // the dearest first, so that workers end together

	// Of the running step.
	adamw  kernels.AdamWStep
	spread nn.MuonStep
	toLerp float32 // weight of the new values in the averages
}

// A piece is a range of the flat vectors.
type piece struct {
	from, to int
	matrix   *nn.Param // that Muon steps; nil for AdamW
}

func newStepper(r Recipe, isa kernels.ISA, state State, params *nn.Params, workers int) *stepper {
	s := &stepper{Recipe: r, isa: isa, state: state}
	if r.Muon {
		s.muon = nn.NewMuon(params, isa)
		for range workers {
			s.work = append(s.work, s.muon.NewWork())
		}
		for _, p := range s.muon.Matrices {
			s.pieces = append(s.pieces, piece{p.Off, p.Off + p.Len(), p})
		}
	}
	for _, rest := range gaps(s.pieces, len(state.Values)) {
		for from := rest.from; from < rest.to; from += chunkLen {
			s.pieces = append(s.pieces, piece{from, min(from+chunkLen, rest.to), nil})
		}
	}
	return s
}

// gaps returns what the pieces leave of a vector of n elements.
func gaps(pieces []piece, n int) []piece {
	var rest []piece
	ordered := slices.SortedFunc(slices.Values(pieces), func(a, b piece) int { return a.from - b.from })
	from := 0
	for _, p := range append(ordered, piece{from: n}) {
		if p.from > from {
			rest = append(rest, piece{from: from, to: p.from})
		}
		from = p.to
	}
	return rest
}

// prepare settles the numbers of a step (from 0) at a learning rate, for a gradient of the given norm: AdamW's (Loshchilov
// and Hutter 2019, algorithm 2), Muon's and the averages'.
func (s *stepper) prepare(step int, rate, norm float64) {
	t := float64(step + 1)
	scale := 1.0
	if s.Clip > 0 && norm > s.Clip {
		scale = s.Clip / norm
	}
	s.adamw = kernels.AdamWStep{
		LR: float32(rate), Beta1: float32(s.Beta1), Beta2: float32(s.Beta2), Eps: float32(s.Eps), Decay: float32(s.Decay),
		Bias1: float32(1 - math.Pow(s.Beta1, t)), Bias2: float32(1 - math.Pow(s.Beta2, t)), GradScale: float32(scale),
	}
	s.spread = nn.MuonStep{LR: float32(rate), Momentum: muonMomentum, Decay: float32(s.Decay), GradScale: float32(scale)}
	// Early averages look back on a tenth of the steps only, so that they forget the first weights.
	s.toLerp = float32(1 - min(s.EMA, (1+t)/(10+t)))
}

// muonMomentum is Muon's usual one.
const muonMomentum = 0.95

// step changes one piece.
func (s *stepper) step(worker int, p piece, grad []float32) {
	o := &s.state
	if p.matrix != nil {
		s.muon.Step(s.work[worker], p.matrix, o.Values, o.Moment, grad, s.spread)
	} else {
		s.isa.AdamW(o.Values[p.from:p.to], o.Moment[p.from:p.to], o.Square[p.from:p.to], grad[p.from:p.to], s.adamw)
	}
	s.isa.Lerp(o.Average[p.from:p.to], o.Values[p.from:p.to], s.toLerp)
}
