// Package odetest checks that a solver keeps what package ode promises of every [ode.Solver].
package odetest

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/ode"
)

// Solve returns the batch x moved from t0 to t1. The test fails on an error.
func Solve(t testing.TB, s ode.Solver, f ode.Field, x []float32, n int, t0, t1 float64) ([]float32, ode.Stats) {
	t.Helper()
	x = append([]float32(nil), x...)
	stats, err := s.Solve(context.Background(), f, x, n, t0, t1)
	if err != nil {
		t.Fatalf("%v: %v", s, err)
	}
	return x, stats
}

// Check runs all checks that any solver must pass, over times from 0 to 1. fresh returns a solver
// that nobody used before, always the same.
func Check(t *testing.T, fresh func() ode.Solver) {
	t.Run("nothing to do", func(t *testing.T) { checkNothing(t, fresh()) })
	t.Run("wrong sizes and times", func(t *testing.T) { checkRefuses(t, fresh()) })
	t.Run("cancel", func(t *testing.T) { checkCancel(t, fresh()) })
	t.Run("concurrent calls", func(t *testing.T) { checkConcurrent(t, fresh()) })
	t.Run("reuse", func(t *testing.T) { checkReuse(t, fresh(), fresh()) })
	t.Run("allocations", func(t *testing.T) { checkAllocations(t, fresh()) })
}

// turning is a field that turns states of two numbers, faster with time, and a batch of two states
// for it.
func turning() (f ode.FieldFunc, start []float32, n int) {
	p := numtest.Problems[2]
	return p.Field(), p.At(0), len(p.Start)
}

func checkNothing(t *testing.T, s ode.Solver) {
	untouched := ode.FieldFunc(func(_, _, _ []float32, _ []int) { t.Error("the field was asked") })
	if _, err := s.Solve(t.Context(), untouched, nil, 0, 0, 1); err != nil {
		t.Errorf("no states: %v", err)
	}
	x := []float32{1, 2}
	if _, err := s.Solve(t.Context(), untouched, x, 2, 0.5, 0.5); err != nil || x[0] != 1 || x[1] != 2 {
		t.Errorf("no time: %v, %v", x, err)
	}
}

func checkRefuses(t *testing.T, s ode.Solver) {
	f, _, _ := turning()
	five := make([]float32, 5)
	numtest.MustPanic(t, "5 numbers as 2 states", func() { _, _ = s.Solve(t.Context(), f, five, 2, 0, 1) })
	numtest.MustPanic(t, "numbers as no states", func() { _, _ = s.Solve(t.Context(), f, five, 0, 0, 1) })
	for _, span := range [][2]float64{{0, math.Inf(1)}, {math.NaN(), 1}} {
		_, err := s.Solve(t.Context(), f, make([]float32, 2), 1, span[0], span[1])
		if !errors.Is(err, ode.ErrNotFinite) {
			t.Errorf("times %v: %v", span, err)
		}
	}
}

// checkCancel cancels during evaluation k, for every k: no other evaluation may follow.
func checkCancel(t *testing.T, s ode.Solver) {
	inner, start, n := turning()
	_, stats := Solve(t, s, inner, start, n, 0, 1)
	for k := range stats.Calls {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		f := ode.FieldFunc(func(v, x, at []float32, index []int) {
			if calls++; calls == k {
				cancel()
			}
			inner(v, x, at, index)
		})
		if k == 0 {
			cancel()
		}
		got, err := s.Solve(ctx, f, append([]float32(nil), start...), n, 0, 1)
		counted := got.States == n && got.Calls == k && got.Evaluations.Max == k
		if !errors.Is(err, context.Canceled) || calls != k || !counted {
			t.Errorf("cancelled in call %d: %d calls, %+v, error %v", k, calls, got, err)
		}
		cancel()
	}
}

// checkConcurrent shares the solver between goroutines, with batches of different sizes.
func checkConcurrent(t *testing.T, s ode.Solver) {
	f, start, n := turning()
	d := len(start) / n
	want, _ := Solve(t, s, f, start, n, 0, 1)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			own, _, _ := turning() // a field has buffers
			m := 1 + g%n
			for range 5 {
				x, _ := Solve(t, s, own, start[:m*d], m, 0, 1)
				if !numtest.SameBits(x, want[:m*d]) {
					t.Errorf("goroutine %d got %v, want %v", g, x, want[:m*d])
				}
			}
		})
	}
	wg.Wait()
}

// checkReuse: what an earlier, larger batch left in the buffers of a solver does not show.
func checkReuse(t *testing.T, used, fresh ode.Solver) {
	shrink := ode.FieldFunc(func(v, x, _ []float32, _ []int) {
		for i := range v {
			v[i] = -3 * x[i]
		}
	})
	Solve(t, used, shrink, numtest.Normals(700, 1), 7, 0, 1)
	Solve(t, used, shrink, numtest.Normals(3, 1), 3, 0, 1)
	f, start, n := turning()
	a, statsA := Solve(t, used, f, start, n, 0, 1)
	b, statsB := Solve(t, fresh, f, start, n, 0, 1)
	if !numtest.SameBits(a, b) || statsA != statsB {
		t.Errorf("used %v %+v, fresh %v %+v", a, statsA, b, statsB)
	}
}

// checkAllocations: after a first call nothing is allocated, in steps or around them, also when
// observed.
func checkAllocations(t *testing.T, s ode.Solver) {
	const n, d = 5, 300
	x, start := make([]float32, n*d), numtest.Normals(n*d, 1)
	var f ode.Field = ode.FieldFunc(func(v, x, at []float32, _ []int) {
		for i := range v {
			v[i] = at[i/d] - 2*x[i]
		}
	})
	for _, s := range []ode.Solver{s, s.Observed(func(int, float64, []float32) {})} {
		got := testing.AllocsPerRun(5, func() {
			copy(x, start)
			if _, err := s.Solve(context.Background(), f, x, n, 0, 1); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%v allocations", got)
		}
	}
}

// Hash returns a hash of the bits of a solution, to be compared with those that another machine
// found.
func Hash(t testing.TB, s ode.Solver) uint64 {
	t.Helper()
	const n, d = 3, 500
	start := make([]float32, n*d)
	for i := range start {
		start[i] = float32(i%97) / 50
	}
	f := ode.FieldFunc(func(v, x, at []float32, _ []int) {
		for i := range v {
			v[i] = float32(at[i/d]*x[i]) - float32(1.7*float32(x[i]*x[i])) + 0.3
		}
	})
	x, _ := Solve(t, s, f, start, n, 0, 1)
	hash := fnv.New64a()
	if err := binary.Write(hash, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return hash.Sum64()
}
