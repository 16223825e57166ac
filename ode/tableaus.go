package ode

// Euler is the method of order 1 with one evaluation a step: x follows its tangent.
var Euler = &Tableau{
	Name:  "euler",
	Order: 1,
	A:     [][]float64{{}},
	B:     []float64{1},
	C:     []float64{0},
}

// Midpoint is the method of order 2 with two evaluations a step. It takes the velocity half-way
// (Runge 1895).
var Midpoint = &Tableau{
	Name:  "midpoint",
	Order: 2,
	A:     [][]float64{{}, {1. / 2}},
	B:     []float64{0, 1},
	C:     []float64{0, 1. / 2},
}

// Heun is the method of order 2 with two evaluations a step. It averages the velocities at both
// ends, as the trapezoidal rule does (Heun 1900).
var Heun = &Tableau{
	Name:  "heun",
	Order: 2,
	A:     [][]float64{{}, {1}},
	B:     []float64{1. / 2, 1. / 2},
	C:     []float64{0, 1},
}

// RK4 is the classical method of order 4 with four evaluations a step (Kutta 1901).
var RK4 = &Tableau{
	Name:  "rk4",
	Order: 4,
	A:     [][]float64{{}, {1. / 2}, {0, 1. / 2}, {0, 0, 1}},
	B:     []float64{1. / 6, 1. / 3, 1. / 3, 1. / 6},
	C:     []float64{0, 1. / 2, 1. / 2, 1},
}
