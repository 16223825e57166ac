package flow_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
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

// Samples of N(3, 0.5²) from noise. Each state has its own noise.
func Example_sampling() {
	solver, err := ode.NewSolver("midpoint", 20, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	const states, size = 2, 3
	x := make([]float32, states*size)
	for i := range states {
		flow.Noise(x[i*size:(i+1)*size], 42, uint64(i))
	}
	fmt.Printf("noise %.2f\n", x)
	stats, err := solver.Solve(context.Background(), ode.FieldFunc(movedGaussian), x, states, 0, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("data  %.2f\n", x)
	fmt.Println(solver, "with", stats.MeanEvaluations(), "evaluations a state")
	// Output:
	// noise [0.72 1.07 -0.22 0.82 -2.02 1.66]
	// data  [3.36 3.54 2.89 3.41 1.99 3.83]
	// midpoint, 20 steps with 40 evaluations a state
}

// What a step of training needs: times, noise, pairs, the loss and its gradient.
func ExampleConditionalPairs() {
	const batch, size = 4, 2
	x1 := []float32{1, 1, -1, 1, 1, -1, -1, -1} // data

	var random rand.PCG
	flow.Seed(&random, 7, 0) // seed 7, step 0
	u := make([]float64, batch)
	for i := range u {
		u[i] = flow.OpenUniform(&random)
	}
	t := make([]float32, batch)
	flow.SampleTimes(t, u, flow.Uniform{})
	x0 := make([]float32, batch*size)
	flow.Gaussian(x0, &random)

	xt, target := make([]float32, batch*size), make([]float32, batch*size)
	flow.ConditionalPairs(xt, target, x0, x1, t, flow.Linear{})

	v := make([]float32, batch*size) // a network's answer to xt and t
	gradient := make([]float32, batch*size)
	loss := flow.MSE(gradient, v, target)
	fmt.Printf("t    %.3f\nloss %.3f\n", t, loss)
	// Output:
	// t    [0.216 0.494 0.547 0.818]
	// loss 2.577
}

// Paths by their names: how much of x_t is data, and how much noise.
func ExampleParseSchedule() {
	for _, name := range []string{"linear", "linear-power(2)", "cosine", "vp"} {
		path, err := flow.ParseSchedule(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		c := path.At(0.5)
		fmt.Printf("%v: α %.3f, σ %.3f, log-SNR %.2f\n", path, c.Alpha, c.Sigma, c.LogSNR())
	}
	// Output:
	// linear: α 0.500, σ 0.500, log-SNR 0.00
	// linear-power(2): α 0.250, σ 0.750, log-SNR -2.20
	// cosine: α 0.707, σ 0.707, log-SNR 0.00
	// vp(0.1,20): α 0.281, σ 0.960, log-SNR -2.46
}

// From a predicted noise follow the velocity and the data.
func ExampleCoefficients_Parts() {
	x0, x1 := []float32{0.5}, []float32{-1} // noise and data
	c := flow.Cosine{}.At(0.3)
	x := make([]float32, 1)
	flow.Interpolate(x, x0, x1, c)

	prediction := x0 // of a network that is always right
	parts := c.Parts(flow.PredictNoise)
	velocity, data := make([]float32, 1), make([]float32, 1)
	parts.Velocity.Apply(velocity, x, prediction)
	parts.Data.Apply(data, x, prediction)

	truth := make([]float32, 1)
	flow.TargetVelocity(truth, x0, x1, c)
	fmt.Printf("data %.3f; velocity %.3f, which is %.3f\n", data, velocity, truth)
	// Output: data [-1.000]; velocity [-1.756], which is [-1.756]
}

// What a network would learn from three points if nothing limited it: a field whose flow ends at
// these points.
func ExampleMarginalField() {
	points := []float32{-1, 0, 0.5, 1, 1, -0.5}
	field := flow.NewMarginalField(flow.Cosine{}, points, 3)

	x := []float32{-0.3, 0.1, 0.9, 0.4, 0.2, -1.3, 1.5, 1.1} // four states of noise
	if _, err := flow.DDIM(flow.Cosine{}, 50).Solve(context.Background(), field, x, 4, 0, 1); err != nil {
		fmt.Println(err)
		return
	}
	for i := 0; i < len(x); i += 2 {
		fmt.Printf("%.2f\n", x[i:i+2])
	}
	// Output:
	// [-1.00 0.00]
	// [0.50 1.00]
	// [1.00 -0.50]
	// [0.50 1.00]
}

// DDPM adds fresh noise at each step. It depends on a seed, so that a state can be drawn again.
func ExampleDDPM() {
	field := flow.NewMarginalField(flow.Cosine{}, []float32{-1, 0.5, 1}, 3)
	const seed = 7
	solver := flow.DDPM(flow.Cosine{}, 20).WithNoise(func(z []float32, index, step int) {
		var random rand.PCG
		flow.Seed(&random, seed, uint64(index), uint64(step))
		flow.Gaussian(z, &random)
	})
	x := []float32{-0.3, -0.3, -0.3, -0.3, -0.3} // five times the same
	if _, err := solver.Solve(context.Background(), field, x, 5, 0, 1); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v: %.2f\n", solver, x)
	// Output: ddpm, 20 steps: [1.00 -1.00 -1.00 0.50 1.00]
}

func ExampleParseTimeDistribution() {
	for _, s := range []string{"uniform", "logit-normal(-0.5,1)", "logit-normal(1)"} {
		times, err := flow.ParseTimeDistribution(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%v: a quarter before %.3f, half before %.3f\n", times, times.Quantile(0.25), times.Quantile(0.5))
	}
	// Output:
	// uniform: a quarter before 0.250, half before 0.500
	// logit-normal(-0.5,1): a quarter before 0.236, half before 0.378
	// flow: distribution of times "logit-normal(1)": want two numbers, as in logit-normal(0,1)
}

func ExampleNoise() {
	image := make([]float32, 4)
	flow.Noise(image, 1, 2)
	fmt.Printf("%.3f\n", image)
	// Output: [-0.242 0.152 -0.724 -0.695]
}
