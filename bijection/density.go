package bijection

import (
	"context"
	"math"

	"github.com/fmimg/fmimg/internal/states"
	"github.com/fmimg/fmimg/ode"
)

// LogLikelihood sets logp to len(logp)/n numbers for each of the n states in x. Each is log p1 of
// the state in nats, where p1 is the density that the flow of f makes of standard normal noise.
// There is one for each number that f sets as its divergence. LogLikelihood leaves the noise x0 of
// each state in x. With x(t) the solution that passes x at t = 1,
//
//	log p1(x) = log N(x(0); 0, I) − ∫₀¹ ∇·v(x(t), t) dt
//
// (Chen et al. 2018, equation 8; Grathwohl et al. 2019, "FFJORD", equation 4). The divergence is
// integrated backwards together with the state.
func LogLikelihood(
	ctx context.Context, s ode.LogDetSolver, f ode.DivergenceField, x []float32, logp []float64, n int,
) (ode.Stats, error) {
	stats, err := s.SolveLogDet(ctx, f, x, logp, n, 1, 0) // ∫₁⁰ = −∫₀¹
	if err != nil || n == 0 {
		return stats, err
	}
	d, m := states.Size(len(x), n), len(logp)/n
	for i := range n {
		noise := LogNormal(x[i*d : (i+1)*d])
		for j := i * m; j < (i+1)*m; j++ {
			logp[j] += noise
		}
	}
	return stats, nil
}

// LogNormal returns log N(x; 0, I) = −(‖x‖² + d·log 2π)/2, in nats.
func LogNormal(x []float32) float64 {
	var squares float64
	for _, v := range x {
		squares += float64(float64(v) * float64(v))
	}
	return -(squares + float64(float64(len(x))*math.Log(2*math.Pi))) / 2
}

// BitsPerDimension turns log p of a state of d numbers, in nats, into bits for each number: −log
// p/(d·log 2) + scale. Fewer bits are more likely. When the numbers of the state are c times those
// to measure, scale is −log₂ c. Pixels in [-1,1] are 1/128 times as large as bytes, so a scale of 7
// gives bits for bytes.
func BitsPerDimension(logp float64, d int, scale float64) float64 {
	return -logp/(float64(d)*math.Ln2) + scale
}
