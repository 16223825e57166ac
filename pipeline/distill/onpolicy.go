package distill

import (
	"context"
	"fmt"
	"math"

	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
)

// A span is a jump between the ends of two parts of a trajectory, or a longer way.
type span struct{ from, to int }

// wholeWay is the span from noise to an image.
var wholeWay = span{0, keptParts}

// A stop is a state that the student sees on its way from noise to an image, and from which the
// teacher goes on for the next jump.
//
// A student that learns from the teacher's states alone never sees where its own jumps lead, and
// the errors of several jumps add up. States that the learner itself reaches, with a teacher's
// answer to each, are the remedy of Ross et al. 2011, "A Reduction of Imitation Learning and
// Structured Prediction to No-Regret Online Learning". arXiv 2410.11971 distils diffusion by it.
type stop struct {
	jumps int     // from noise to an image
	made  int     // of them, before the stop
	share float64 // of all jumps in training, those that begin here
}

// next returns the jump from the stop.
func (s stop) next() span {
	length := keptParts / s.jumps
	return span{length * s.made, length * (s.made + 1)}
}

// stops returns all stops on the ways that have a share.
func (s JumpShares) stops() []stop {
	var all []stop
	for level, jumps := range model.JumpCounts {
		for made := 1; made < jumps && s[level] > 0; made++ {
			all = append(all, stop{jumps, made, s[level] / float64(jumps)})
		}
	}
	return all
}

// jumpBeside is jump for the teacher's trajectories in a pool where the student begins a share of
// the jumps from stops. Together they have the shares s.
func (s JumpShares) jumpBeside(begun, u float64) span {
	sum := 0.0
	s.eachJump(begun, func(_ span, share float64) bool { sum += share; return true })
	u *= sum
	var chosen span
	s.eachJump(begun, func(jump span, share float64) bool {
		chosen = jump // the last one takes what rounding leaves
		u -= share
		return u >= 0
	})
	return chosen
}

// eachJump calls f with the jumps of the teacher's trajectories and their shares, until it returns
// false.
func (s JumpShares) eachJump(begun float64, f func(jump span, share float64) bool) {
	for level, jumps := range model.JumpCounts {
		length := keptParts / jumps
		for from := 0; from < keptParts; from += length {
			share := s[level] / float64(jumps)
			if from > 0 {
				share *= 1 - begun
			}
			if share > 0 && !f(span{from, from + length}, share) {
				return
			}
		}
	}
}

// A block is the trajectories first..first+n-1 of a pool, which consist of the jump from one stop.
type block struct {
	stop
	first, n int
}

// blocks divides the last of n trajectories among the stops, for the share of the jumps from stops
// that the student begins.
func blocks(stops []stop, begun float64, n int) []block {
	sum := 0.0
	for _, s := range stops {
		sum += begun * s.share
	}
	own := math.Round(sum * float64(n))
	var all []block
	first, before := n-int(own), 0.0
	for _, s := range stops {
		before += begun * s.share
		end := n - int(own) + int(math.Round(own*before/sum))
		all = append(all, block{s, first, end - first})
		first = end
	}
	return all
}

// A student draws the states from which the teacher goes on.
type student struct {
	net *model.UNet
	// draw draws with the averaged weights.
	draw func(ctx context.Context, d model.Drawing, out []float32) error
	// starts reports whether a round that begins at a step has such states.
	starts func(step int) bool
	blocks []block
	begun  float64 // share of the jumps from stops
	// round is the one whose states the pool holds, -1 for none. They come from weights that are
	// gone in the next step, so that they are kept for resuming.
	round int
}

// reach fills in the states of a round at the stops.
func (s *student) reach(ctx context.Context, p *trajectories, seed uint64, round int) error {
	if s.round == round {
		return nil // a resumed run has them from its file
	}
	s.round = -1
	for _, b := range s.blocks {
		part, stop := p.slice(b.first, b.n), b.next().from
		way := model.Part{To: float64(stop) / keptParts}
		d := model.Drawing{
			Seed: seed, First: b.first, Labels: part.labels, Weights: part.weights, Part: way,
			Plan: s.net.JumpsOver(way, b.made),
		}
		if err := s.draw(ctx, d, part.states[stop]); err != nil {
			return err
		}
	}
	s.round = round
	return nil
}

// name returns the name of the tensor of a block's states in the file of a run's state.
func (b block) name() string { return fmt.Sprintf("on_policy.%d_of_%d", b.made, b.jumps) }

// states returns the states of a block in a pool, [n, H, W, C].
func (b block) states(p *trajectories) []float32 {
	return p.states[b.next().from][b.first*p.imageLen : (b.first+b.n)*p.imageLen]
}

// Keep implements [run.Keeper]: the states at the stops of a round that is under way.
func (r *distillation) Keep(step int) []safetensors.Tensor {
	d := r.work
	var all []safetensors.Tensor
	if step/d.stepsPerRound() != d.student.round {
		return nil
	}
	for _, b := range d.student.blocks {
		s := r.Images
		all = append(all, safetensors.Tensor{
			Name: b.name(), DType: safetensors.F32, Shape: []int{b.n, s.Height, s.Width, s.Channels}, F32: b.states(d.pool),
		})
	}
	return all
}

// TakeBack implements [run.Keeper].
func (r *distillation) TakeBack(f *safetensors.File, step int) error {
	d := r.work
	if len(d.student.blocks) == 0 || f.Tensor(d.student.blocks[0].name()) == nil {
		return nil
	}
	for _, b := range d.student.blocks {
		s := r.Images
		states, err := f.Floats(b.name(), b.n, s.Height, s.Width, s.Channels)
		if err != nil {
			return err
		}
		copy(b.states(d.pool), states)
	}
	d.student.round = step / d.stepsPerRound()
	return nil
}
