// Package compare trains five ways to learn a distribution on points of the plane, where the result
// can be seen:
//
//	normalizing-flow  coupling layers, maximum likelihood
//	cnf               a continuous normalizing flow, maximum likelihood through a solver
//	flow-matching     regression on the velocities of independent pairs
//	flow-matching-ot  the same with pairs by optimal transport
//	diffusion         regression on the noise, on the variance-preserving path
//
// Each method has a fixed number of steps, and all take about the same time ([Methods]). [Run]
// gives each method to a goroutine of its own. All numbers but the seconds depend on the seed and
// the instruction set alone, so what runs beside a method makes no difference.
package compare
