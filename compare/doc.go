// Package compare trains five ways to learn a distribution on points of the plane, where the result can be seen:
//
//	normalizing-flow  coupling layers, maximum likelihood
//	cnf               a continuous normalizing flow, maximum likelihood through a solver
//	flow-matching     regression on the velocities of independent pairs
//	flow-matching-ot  the same with pairs by optimal transport
//	diffusion         regression on the noise, on the variance-preserving path
//
// Each has a fixed number of steps, which take about the same time ([Methods]). A number depends on the seed and the
// instruction set alone, so it makes no difference what runs beside it; the package starts no goroutines.
package compare
