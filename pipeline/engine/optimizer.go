package engine

import (
	"math"
	"slices"
	"sync"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// An Optimizer is how parameters follow their gradient. To add one, name it here and in the table
// optimizers, and give it a case in [stepper.step].
type Optimizer string

// The optimisers. AdamW steps all that is not a matrix in both cases, and they share the learning
// rate and the weight decay.
const (
	// Muon steps a matrix along the nearest orthogonal matrix to its momentum, see [nn.Muon].
	Muon Optimizer = "muon"
	// NorMuon is Muon whose steps are of equal size for all neurons of a layer.
	NorMuon Optimizer = "normuon"
	AdamW   Optimizer = "adamw"
)

// optimizers has all of them, with the peak learning rate that suits each.
var optimizers = []struct {
	name Optimizer
	rate float64
}{{AdamW, 2e-3}, {Muon, 4e-3}, {NorMuon, 4e-3}}

// Optimizers lists the optimisers.
func Optimizers() []Optimizer {
	var names []Optimizer
	for _, o := range optimizers {
		names = append(names, o.name)
	}
	return names
}

// Rate returns the peak learning rate that suits an optimiser. It is 0 for any other name.
func (o Optimizer) Rate() float64 {
	for _, known := range optimizers {
		if known.name == o {
			return known.rate
		}
	}
	return 0
}

// A stepper changes the parameters by their gradient, in pieces. Workers take the pieces one by
// one. The pieces are fixed, so that no number depends on the worker that takes a piece.
type stepper struct {
	Recipe
	isa    kernels.ISA
	state  State
	muon   *nn.Muon       // nil for AdamW alone
	work   []*nn.MuonWork // one for each worker
	pieces []piece        // the slowest first, so that workers end together; see keep
	parts  []int          // the part to which each piece belongs

	mu      sync.Mutex
	changed sync.Cond
	left    []int // for each part, the pieces that are not done yet in the running step
	broken  bool  // a worker panicked

	// The numbers of the running step.
	adamW    kernels.AdamWStep
	muonStep nn.MuonStep
	toLerp   float32 // the weight of the new values in the averages
}

// A piece is a range of the flat vectors.
type piece struct {
	from, to int
	matrix   *nn.Param // the matrix, for Muon; nil for AdamW
}

// cost is about proportional to the time that a piece takes, with its way to the other ranks. A
// number takes as long as sideCost rows or columns of Muon's products.
func (p piece) cost() int {
	if p.matrix == nil {
		return (p.to - p.from) * sideCost
	}
	cols := p.matrix.Shape[0]
	return (p.to - p.from) * (sideCost + min(cols, p.matrix.Len()/cols))
}

const sideCost = 16

// muonMomentum is the usual decay of Muon's momentum.
const muonMomentum = 0.95

// neuronSquare is NorMuon's usual decay of the mean squares.
const neuronSquare = 0.95

// newStepper cuts the parameters into pieces: a matrix of Muon's is one piece, all else comes in
// chunks.
//
// Muon's products take the network's precision where the instruction set multiplies in it.
// Elsewhere rounding would cost time and save none.
func newStepper(setup Setup, state State, workers int) *stepper {
	s := &stepper{Recipe: setup.Recipe, isa: setup.Model.ISA(), state: state}
	s.changed.L = &s.mu
	if s.Optimizer == Muon || s.Optimizer == NorMuon {
		s.muon = nn.NewMuon(setup.Model.Params(), s.isa)
		s.muon.Neurons = s.Optimizer == NorMuon
		s.muon.Pairs = s.isa.Working(setup.Precision) == kernels.BF16
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

// keep leaves the pieces that lie in one of some ranges, and orders them by these.
func (s *stepper) keep(ranges []span) {
	all := s.pieces
	s.pieces, s.left = nil, make([]int, len(ranges))
	for part, r := range ranges {
		for _, p := range all {
			if r.has(p) {
				s.pieces, s.parts = append(s.pieces, p), append(s.parts, part)
			}
		}
	}
}

// begin starts a step: no piece is done.
func (s *stepper) begin() {
	clear(s.left)
	for _, part := range s.parts {
		s.left[part]++
	}
}

// done notes that a piece is stepped.
func (s *stepper) done(i int) {
	s.mu.Lock()
	s.left[s.parts[i]]--
	last := s.left[s.parts[i]] == 0
	s.mu.Unlock()
	if last {
		s.changed.Broadcast()
	}
}

// await waits until all pieces of a part are stepped, or will never be.
func (s *stepper) await(part int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.left[part] > 0 && !s.broken {
		s.changed.Wait()
	}
}

// giveUp says that a worker panicked.
func (s *stepper) giveUp() {
	s.mu.Lock()
	s.broken = true
	s.mu.Unlock()
	s.changed.Broadcast()
}

// gaps returns the ranges of a vector of n elements that no piece covers.
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

// prepare sets the numbers of a step, counted from 0, for a gradient of the given norm: those for
// AdamW (Loshchilov and Hutter 2019, algorithm 2), for Muon, and for the averages.
func (s *stepper) prepare(step int, rate, norm float64) {
	t := float64(step + 1)
	scale := 1.0
	if s.Clip > 0 && norm > s.Clip {
		scale = s.Clip / norm
	}
	s.adamW = kernels.AdamWStep{
		LR: float32(rate), Beta1: float32(s.Beta1), Beta2: float32(s.Beta2), Eps: float32(s.Eps),
		Decay: float32(s.Decay), GradScale: float32(scale),
		Bias1: float32(1 - math.Pow(s.Beta1, t)), Bias2: float32(1 - math.Pow(s.Beta2, t)),
	}
	s.muonStep = nn.MuonStep{
		LR: float32(rate), Momentum: muonMomentum, Decay: float32(s.Decay), GradScale: float32(scale),
		Square: neuronSquare,
	}
	// Early averages look back on only a tenth of the steps, so that they forget the first weights.
	s.toLerp = float32(1 - min(s.EMA, (1+t)/(10+t)))
}

// step changes one piece.
func (s *stepper) step(worker int, p piece, grad []float32) {
	v := &s.state
	if p.matrix != nil {
		s.muon.Step(s.work[worker], p.matrix, v.Values, v.Moment, v.Square, grad, s.muonStep)
	} else {
		s.isa.AdamW(v.Values[p.from:p.to], v.Moment[p.from:p.to], v.Square[p.from:p.to], grad[p.from:p.to], s.adamW)
	}
	s.isa.Lerp(v.Average[p.from:p.to], v.Values[p.from:p.to], s.toLerp)
}
