package flow

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"strings"
	"sync"
	"testing"
)

// everySolver returns one of each kind.
func everySolver(t testing.TB) []Solver {
	var all []Solver
	for _, name := range SolverNames() {
		s, err := NewSolver(name, 10, 1e-4)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for _, name := range PathSolverNames() {
		s, err := NewPathSolver(name, Linear{}, 10, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s.WithNoise(patterned))
	}
	return all
}

// patterned is a noise that every machine computes alike.
func patterned(z []float32, index, step int) {
	for i := range z {
		z[i] = float32((7*i+5*index+3*step)%11-5) / 4
	}
}

func TestNewSolver(t *testing.T) {
	for name, want := range map[string]string{
		"euler": "euler, 1 step", "midpoint": "midpoint, 1 step", "heun": "heun, 1 step", "rk4": "rk4, 1 step",
		"dopri5": "dopri5, rtol 1e-05, atol 1e-05",
	} {
		s, err := NewSolver(name, 1, 1e-5)
		if err != nil || s.String() != want {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	for _, c := range []struct {
		name  string
		steps int
		tol   float64
		cure  string
	}{
		{"rk5", 1, 1e-5, "known are euler, midpoint, heun, rk4, adams2, dopri5"},
		{"", 1, 1e-5, "known are euler"},
		{"heun", 0, 1e-5, "at least 1"},
		{"heun", -3, 1e-5, "at least 1"},
		{"dopri5", 20, 0, "from 1e-7 to 1"},
		{"dopri5", 20, 1e-9, "from 1e-7 to 1"},
		{"dopri5", 20, 1.5, "from 1e-7 to 1"},
		{"dopri5", 20, math.NaN(), "from 1e-7 to 1"},
	} {
		if s, err := NewSolver(c.name, c.steps, c.tol); err == nil || !strings.Contains(err.Error(), c.cure) {
			t.Errorf("%q, %d steps, tolerance %v: %v, %v", c.name, c.steps, c.tol, s, err)
		}
	}
}

func TestSolveNothing(t *testing.T) {
	untouched := FieldFunc(func(_, _, _ []float32, _ []int) { t.Error("the field was asked") })
	for _, s := range everySolver(t) {
		if _, err := s.Solve(context.Background(), untouched, nil, 0, 0, 1); err != nil {
			t.Errorf("%v: no states: %v", s, err)
		}
		x := []float32{1, 2}
		if _, err := s.Solve(context.Background(), untouched, x, 2, 0.5, 0.5); err != nil || x[0] != 1 || x[1] != 2 {
			t.Errorf("%v: no time: %v, %v", s, x, err)
		}
	}
}

func TestSolveRefuses(t *testing.T) {
	f := problems[0].field()
	for _, s := range everySolver(t) {
		mustPanic(t, "5 numbers as 2 states", func() { _, _ = s.Solve(context.Background(), f, make([]float32, 5), 2, 0, 1) })
		mustPanic(t, "numbers as no states", func() { _, _ = s.Solve(context.Background(), f, make([]float32, 5), 0, 0, 1) })
		for _, span := range [][2]float64{{0, math.Inf(1)}, {math.NaN(), 1}} {
			_, err := s.Solve(context.Background(), f, make([]float32, 2), 1, span[0], span[1])
			if !errors.Is(err, ErrNotFinite) {
				t.Errorf("%v over %v: %v", s, span, err)
			}
		}
	}
}

// TestCancel cancels during evaluation k, for every k: no other evaluation follows.
func TestCancel(t *testing.T) {
	p := problems[2]
	inner := p.field()
	for _, s := range everySolver(t) {
		_, stats := solve(t, s, inner, p.at(0), len(p.start), 0, 1)
		for k := 0; k < stats.Calls; k++ {
			ctx, cancel := context.WithCancel(context.Background())
			calls := 0
			f := FieldFunc(func(v, x, at []float32, index []int) {
				if calls++; calls == k {
					cancel()
				}
				inner(v, x, at, index)
			})
			if k == 0 {
				cancel()
			}
			got, err := s.Solve(ctx, f, p.at(0), len(p.start), 0, 1)
			if !errors.Is(err, context.Canceled) || calls != k || got.Calls != k || got.Evaluations.Max != k || got.States != len(p.start) {
				t.Errorf("%v: cancelled in call %d: %d calls, %+v, error %v", s, k, calls, got, err)
			}
			cancel()
		}
	}
}

// TestConcurrent shares each solver between goroutines, with batches of different sizes.
func TestConcurrent(t *testing.T) {
	p := problems[2]
	for _, s := range everySolver(t) {
		want, _ := solve(t, s, p.field(), p.at(0), len(p.start), 0, 1)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				n := 1 + g%len(p.start)
				for range 5 {
					x, _ := solve(t, s, p.field(), p.at(0)[:n*p.d], n, 0, 1)
					if !sameBits(x, want[:n*p.d]) {
						t.Errorf("%v: goroutine %d got %v, want %v", s, g, x, want[:n*p.d])
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestSameEverywhere holds the bits that an amd64 found against those of every other machine that runs the tests; it was
// also run on arm64, 386 and amd64 of level 3. The numbers of all users' samples change when these do.
func TestSameEverywhere(t *testing.T) {
	const n, d = 3, 500
	start := make([]float32, n*d)
	for i := range start {
		start[i] = float32(i%97) / 50
	}
	bits := map[string]uint64{
		"euler":    0xb0c51ec6e7259fb1,
		"midpoint": 0xc63338e21815ab15,
		"heun":     0x1d84a4ffecc450f6,
		"rk4":      0x746ad8a6e88cd394,
		"adams2":   0x14c6651ba26cec73,
		"dopri5":   0x20d6d554c58c36c8,
		"ddim":     0xfc9c2b73bc6a8fc0,
		"ddpm":     0x4a75f01e79e8650e,
		"sde":      0x0fa51e913ad5ac3f,
	}
	f := FieldFunc(func(v, x, at []float32, _ []int) {
		for i := range v {
			v[i] = float32(at[i/d]*x[i]) - float32(1.7*float32(x[i]*x[i])) + 0.3
		}
	})
	for _, s := range everySolver(t) {
		name, _, _ := strings.Cut(s.String(), ",")
		want := bits[name]
		x, _ := solve(t, s, f, start, n, 0, 1)
		hash := fnv.New64a()
		if err := binary.Write(hash, binary.LittleEndian, x); err != nil {
			t.Fatal(err)
		}
		if got := hash.Sum64(); got != want {
			t.Errorf("%s: bits hash to %#x, want %#x", name, got, want)
		}
	}
}

// TestReuse: what an earlier, larger batch left in the buffers does not show.
func TestReuse(t *testing.T) {
	p := problems[0]
	for i, used := range everySolver(t) {
		noise := FieldFunc(func(v, x, _ []float32, _ []int) {
			for i := range v {
				v[i] = -3 * x[i]
			}
		})
		solve(t, used, noise, normals(700, 1), 7, 0, 1)
		solve(t, used, noise, normals(3, 1), 3, 0, 1)
		a, statsA := solve(t, used, p.field(), p.at(0), len(p.start), 0, 1)
		b, statsB := solve(t, everySolver(t)[i], p.field(), p.at(0), len(p.start), 0, 1)
		if !sameBits(a, b) || statsA != statsB {
			t.Errorf("%v: used %v %+v, fresh %v %+v", used, a, statsA, b, statsB)
		}
	}
}

// TestSolveAllocations: after a first call, nothing is allocated, in steps or round them, also when observed.
func TestSolveAllocations(t *testing.T) {
	const n, d = 5, 300
	x := make([]float32, n*d)
	start := normals(n*d, 1)
	var f Field = FieldFunc(func(v, x, at []float32, _ []int) {
		for i := range v {
			v[i] = at[i/d] - 2*x[i]
		}
	})
	for _, s := range everySolver(t) {
		for _, s := range []Solver{s, s.Observed(func(int, float64, []float32) {})} {
			got := testing.AllocsPerRun(5, func() {
				copy(x, start)
				if _, err := s.Solve(context.Background(), f, x, n, 0, 1); err != nil {
					t.Fatal(err)
				}
			})
			if got != 0 {
				t.Errorf("%v: %v allocations", s, got)
			}
		}
	}
}

func TestStatsMerge(t *testing.T) {
	a := Stats{States: 2, Calls: 8, Evaluations: Tally{14, 8}, Steps: Tally{2, 1}, Rejected: Tally{0, 0}}
	b := Stats{States: 1, Calls: 14, Evaluations: Tally{14, 14}, Steps: Tally{1, 1}, Rejected: Tally{1, 1}}
	want := Stats{States: 3, Calls: 22, Evaluations: Tally{28, 14}, Steps: Tally{3, 1}, Rejected: Tally{1, 1}}
	if got := a.Merge(b); got != want || b.Merge(a) != want {
		t.Errorf("merged %+v, want %+v", got, want)
	}
	if got := (Stats{}).MeanEvaluations(); got != 0 {
		t.Errorf("mean of nothing is %v", got)
	}
}

func TestStepsFor(t *testing.T) {
	for name, want := range map[string]int{"euler": 8, "midpoint": 4, "rk4": 2, "ddim": 8, "ddpm": 8, "sde": 8} {
		if steps, err := StepsFor(name, 8); err != nil || steps != want {
			t.Errorf("%s: %d steps, %v, want %d", name, steps, err, want)
		}
	}
	for name, evaluations := range map[string]int{"rk4": 6, "midpoint": 0, "ddim": 0, "dopri5": 8} {
		if steps, err := StepsFor(name, evaluations); err == nil {
			t.Errorf("%s makes %d evaluations in %d steps", name, evaluations, steps)
		}
	}
}
