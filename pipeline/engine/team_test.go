package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// A noisyTask has a gradient that depends on the parameters, the step and the micro-batch. Sums in
// another order have other last bits.
type noisyTask struct {
	model *bareModel
	spoil func(step, first int) float32 // added to all; may be nil
}

func (n *noisyTask) Gradient(grad []float32, step, first, count int) float64 {
	add := float32(0)
	if n.spoil != nil {
		add = n.spoil(step, first)
	}
	loss := 0.0
	for i, v := range n.model.params.Values {
		random := int32(uint32(i+first*7919+step*104729) * 2654435761)
		g := float32(random)/(1<<31)*float32(count) + 0.1*v + add
		grad[i] += g
		loss += float64(g) / 1e4
	}
	return loss
}

// mixedModel has matrices of Muon's, a vector longer than a part, and ends that fill no chunk.
func mixedModel(isa kernels.ISA) *bareModel {
	m := &bareModel{isa: isa}
	m.params.Add("first", nn.Plain, 3)
	m.params.Add("wide", nn.HWIO, 64, 300)
	m.params.Add("long", nn.Plain, 3*leastPart+5)
	m.params.Add("square", nn.HWIO, 16, 16)
	m.params.Add("tall", nn.HWIO, 24, 40)
	m.params.Add("last", nn.Plain, 70)
	for i := range m.params.Values {
		m.params.Values[i] = float32(math.Cos(float64(i)))
	}
	return m
}

// teamCase is what a test trains by. threads has a number for each rank.
type teamCase struct {
	recipe  Recipe
	isa     kernels.ISA
	in      kernels.Precision
	threads []int
	spoil   func(rank, step, first int) float32
	prepare func(rank, step int) error
}

// onRanks makes a trainer for each rank and does work on all at once. Ranks that wait for each
// other for ever fail the test.
func onRanks(t *testing.T, c teamCase, comms []cluster.Comm, work func(rank int, tr *Trainer)) {
	t.Helper()
	roomtest.Within(t, 60*time.Second, func() {
		var all sync.WaitGroup
		for rank, threads := range c.threads {
			all.Go(func() {
				m := mixedModel(c.isa)
				s := Setup{Recipe: c.recipe, Model: m, Precision: c.in, Ranks: comms[rank]}
				for range threads {
					s.Tasks = append(s.Tasks, &noisyTask{m, func(step, first int) float32 {
						if c.spoil == nil {
							return 0
						}
						return c.spoil(rank, step, first)
					}})
				}
				if c.prepare != nil {
					s.Prepare = func(_ context.Context, step int) error { return c.prepare(rank, step) }
				}
				tr := NewTrainer(s)
				defer tr.Close()
				work(rank, tr)
			})
		}
		all.Wait()
	})
}

// steps trains, and returns what rank 0 has in the end, with a line for each step's result.
func (c teamCase) steps(t *testing.T, n int) (vectors [][]float32, results string) {
	t.Helper()
	lines := make([]string, len(c.threads))
	onRanks(t, c, cluster.InProcess(len(c.threads)), func(rank int, tr *Trainer) {
		for step := range n {
			result, err := tr.Step(t.Context(), step, 0.01)
			if err != nil {
				t.Errorf("rank %d, step %d: %v", rank, step, err)
				return
			}
			lines[rank] += fmt.Sprintln(result.Loss, result.Norm)
		}
		if err := tr.Average(); err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
		average := slices.Clone(tr.State().Average)
		if err := tr.Collect(); err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
		if rank == 0 {
			for _, v := range tr.State().Vectors() {
				vectors = append(vectors, v.Flat)
			}
			if !slices.Equal(average, tr.State().Average) {
				t.Error("averages that all ranks have are not those of rank 0")
			}
		}
	})
	for rank, line := range lines {
		if line != lines[0] {
			t.Errorf("results of rank %d:\n%swant\n%s", rank, line, lines[0])
		}
	}
	return vectors, lines[0]
}

// Any number of ranks, with any threads, has the tensors of one, byte for byte.
func TestTeamSameBytes(t *testing.T) {
	threads := [][]int{{3}, {1, 3}, {2, 1, 1}, {1, 1, 1, 1}, {1, 2, 1, 1, 1, 3, 1, 1}}
	for _, batch := range []int{1, 2, 5, 8, 14} { // micro-batches of 2, so 1, 3, 4 and 7 of them
		for _, optimizer := range Optimizers() {
			for _, in := range kernels.Precisions() {
				c := teamCase{isa: kernels.Best(), in: in, threads: []int{1}, recipe: Recipe{
					Batch: batch, MicroBatch: 2, Optimizer: optimizer, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: 0.01, Clip: 1,
				}}
				if batch != 2 {
					c.recipe.EMA = 0.9
				}
				want, results := c.steps(t, 2)
				for _, c.threads = range threads {
					if got, now := c.steps(t, 2); now != results || !slices.EqualFunc(got, want, slices.Equal) {
						t.Errorf("batch %d, %s in %v: ranks of %v threads differ from one\n%swant\n%s", batch, optimizer, in, c.threads, now, results)
					}
				}
				if testing.Short() {
					return
				}
			}
		}
	}
}

// teamOf is a small case of so many ranks.
func teamOf(ranks int) teamCase {
	c := teamCase{isa: kernels.Generic, recipe: Recipe{Batch: 16, MicroBatch: 2, Optimizer: Muon, Clip: 1, EMA: 0.9, Eps: 1e-8}}
	for range ranks {
		c.threads = append(c.threads, 2)
	}
	return c
}

// A gradient of one rank that is not finite is one of all, and changes nothing.
func TestTeamNotFinite(t *testing.T) {
	c := teamOf(3)
	c.spoil = func(rank, step, _ int) float32 {
		if rank == 2 && step == 1 {
			return float32(math.NaN())
		}
		return 0
	}
	onRanks(t, c, cluster.InProcess(3), func(rank int, tr *Trainer) {
		for step := range 3 {
			before := slices.Clone(tr.State().Values)
			result, err := tr.Step(t.Context(), step, 0.01)
			if err != nil || result.Finite() != (step != 1) {
				t.Errorf("rank %d, step %d: %+v, %v", rank, step, result, err)
			}
			if slices.Equal(before, tr.State().Values) != (step == 1) {
				t.Errorf("rank %d, step %d: values changed only where the step is finite", rank, step)
			}
		}
	})
}

// When the context of one rank ends, the step ends on all, and the state stays as it was.
func TestTeamInterrupted(t *testing.T) {
	c := teamOf(3)
	ctx, cancel := context.WithCancel(t.Context())
	c.prepare = func(rank, step int) error {
		if rank == 1 && step == 1 {
			cancel()
		}
		return nil
	}
	onRanks(t, c, cluster.InProcess(3), func(rank int, tr *Trainer) {
		own := t.Context()
		if rank == 1 {
			own = ctx
		}
		if _, err := tr.Step(own, 0, 0.01); err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
		before := slices.Clone(tr.State().Values)
		_, err := tr.Step(own, 1, 0.01)
		if !errors.Is(err, context.Canceled) || !slices.Equal(before, tr.State().Values) {
			t.Errorf("rank %d: %v", rank, err)
		}
		if err := tr.Collect(); err != nil {
			t.Errorf("rank %d: the state cannot be collected: %v", rank, err)
		}
	})
}

// An error of one rank, and a panic of its worker, end the step on all. The others name the rank.
func TestTeamFailure(t *testing.T) {
	for name, spoil := range map[string]func(c *teamCase){
		"error": func(c *teamCase) {
			c.prepare = func(rank, _ int) error {
				if rank == 1 {
					return errors.New("spoiled")
				}
				return nil
			}
		},
		"panic": func(c *teamCase) {
			c.spoil = func(rank, _, first int) float32 {
				if rank == 1 && first > 4 {
					panic("spoiled")
				}
				return 0
			}
		},
	} {
		c := teamOf(3)
		spoil(&c)
		onRanks(t, c, cluster.InProcess(3), func(rank int, tr *Trainer) {
			_, err := tr.Step(t.Context(), 0, 0.01)
			failure, other := errors.AsType[*cluster.RankError](err)
			if err == nil || !strings.Contains(err.Error(), "spoiled") || other != (rank != 1) || other && failure.Rank != 1 {
				t.Errorf("%s, rank %d: %v", name, rank, err)
			}
		})
	}
}

// A worker that panics in the tail of a step leaves its rank with half of the values: the ranks
// have lost each other.
func TestTeamBrokenTail(t *testing.T) {
	comms := cluster.InProcess(2)
	onRanks(t, teamOf(2), comms, func(rank int, tr *Trainer) {
		if rank == 1 {
			tr.phases.apply = func(int) { panic("spoiled") }
		}
		_, err := tr.Step(t.Context(), 0, 0.01)
		if _, lost := errors.AsType[*cluster.Error](err); lost != (rank == 1) {
			t.Errorf("rank %d: %v", rank, err)
		}
	})
}

// When a rank dies, at any message of a step, the others get an error and do not wait for ever.
func TestTeamDeath(t *testing.T) {
	for after := range 12 {
		comms := cluster.InProcess(3)
		comms[1] = &roomtest.Mortal{Comm: comms[1], Left: after}
		onRanks(t, teamOf(3), comms, func(rank int, tr *Trainer) {
			var err error
			for step := 0; step < 3 && err == nil; step++ {
				_, err = tr.Step(t.Context(), step, 0.01)
			}
			if lost, ok := errors.AsType[*cluster.Error](err); !ok || lost.Rank != 1 {
				t.Errorf("death after %d messages, rank %d: %v", after, rank, err)
			}
		})
	}
}

// The tops of any ranges meet in the root of the whole tree.
func TestMergesEqualTree(t *testing.T) {
	for n := 1; n <= 20; n++ {
		leaves := make([]float32, n)
		for i := range leaves {
			leaves[i] = float32(math.Sin(float64(i * i)))
		}
		for a := 0; a <= n; a++ {
			for b := a; b <= n; b++ {
				shape := tree(n)
				var nodes []node
				var sums []float32
				for _, cut := range []span{{0, a}, {a, b}, {b, n}} {
					r := newReducer(n, cut.from, cut.to, 2, 1, func(dst, src []float32) { dst[0] += src[0] })
					r.reset()
					for p, i, ok := r.Take(); ok; p, i, ok = r.Take() {
						p.Grad[0] = leaves[i]
						r.Deliver(p, i)
					}
					nodes = append(nodes, r.tops...)
					for _, p := range r.sums {
						sums = append(sums, p.Grad[0])
					}
				}
				for _, m := range shape.merges(nodes) {
					sums[m.into] += sums[m.from]
				}
				if want := sumTree(leaves); sums[0] != want || len(shape.merges(nodes)) != len(nodes)-1 {
					t.Fatalf("%d leaves cut at %d and %d: %v, want %v", n, a, b, sums[0], want)
				}
			}
		}
	}
}

// The costliest of the ranges costs no more than a piece above the mean, and they have all pieces.
func TestDivide(t *testing.T) {
	var pieces []piece
	at, sum, most := 0, 0, 0
	for i := range 40 {
		p := piece{from: at, to: at + 1 + i*i%17}
		at, sum, most = p.to, sum+p.cost(), max(most, p.cost())
		pieces = append(pieces, p)
	}
	for runs := 1; runs < 60; runs++ {
		end := 0
		for _, s := range divide(pieces, runs) {
			if s.from != end && s.from != s.to {
				t.Errorf("%d runs: a gap before %d", runs, s.from)
			}
			if cost := (s.to - s.from) * sideCost; cost > sum/runs+most {
				t.Errorf("%d runs: one costs %d of %d", runs, cost, sum)
			}
			end = s.to
		}
		if end != at {
			t.Errorf("%d runs end at %d, want %d", runs, end, at)
		}
	}
}
