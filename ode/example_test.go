package ode_test

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/ode"
)

// movedGaussian is the velocity field of the linear path from N(0, 1) to N(3, 0.5²), in closed
// form: it carries x0 to 3 + 0.5·x0. Elsewhere a trained network stands here.
func movedGaussian(v, x, t []float32, _ []int) {
	d := len(x) / len(t)
	for i := range x {
		at := float64(t[i/d])
		variance := (1-at)*(1-at) + at*at*0.25
		v[i] = float32(3 + (at*0.25-(1-at))/variance*(float64(x[i])-at*3))
	}
}

// An adaptive solver takes the steps that a tolerance needs. An observer sees evenly spaced times
// all the same.
func ExampleDormandPrince() {
	solver := ode.DormandPrince(1e-5, 1e-5)
	x := []float32{-1, 1, 2} // three states of one number
	stats, err := solver.Solve(context.Background(), ode.FieldFunc(movedGaussian), x, 3, 0, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f after at most %d steps of a state\n", x, stats.Steps.Max)

	watched := ode.Adaptive(ode.Dopri5, ode.AdaptiveOptions{RTol: 1e-5, ATol: 1e-5, Frames: 4}).
		Observed(func(step int, t float64, x []float32) { fmt.Printf("%d: t = %.2f, x = %.3f\n", step, t, x) })
	if _, err := watched.Solve(context.Background(), ode.FieldFunc(movedGaussian), x, 3, 1, 0); err != nil {
		fmt.Println(err)
	}
	// Output:
	// [2.500 3.500 4.000] after at most 6 steps of a state
	// 0: t = 1.00, x = [2.500 3.500 4.000]
	// 1: t = 0.75, x = [1.799 2.701 3.151]
	// 2: t = 0.50, x = [0.941 2.059 2.618]
	// 3: t = 0.25, x = [-0.010 1.510 2.271]
	// 4: t = 0.00, x = [-1.000 1.000 2.000]
}

// A tableau of one's own is checked against the order that it claims.
func ExampleTableau_Check() {
	ralston := &ode.Tableau{
		Name:  "ralston",
		Order: 2,
		A:     [][]float64{{}, {2. / 3}},
		B:     []float64{1. / 4, 3. / 4},
		C:     []float64{0, 2. / 3},
	}
	fmt.Println(ralston.Check())
	ralston.Order = 3
	fmt.Println(ralston.Check())
	// Output:
	// <nil>
	// ode: tableau ralston: b weights miss a condition of order 3: 0, not 0.16666666666666666
}
