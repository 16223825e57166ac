// Package bijection is the mathematics of normalizing flows: invertible maps between data and noise, whose change of
// volume is known, so that the density of data is known too.
//
// # Notation
//
//	x        data
//	y = f(x) noise, N(0, I) for data of the model
//	logDet   log|det ∂f/∂x|, one number for each state, in nats
//	dx, dy   gradients of a loss by x and y
//
// The density of data follows from the change of variables,
//
//	log p(x) = log N(f(x); 0, I) + log|det ∂f/∂x|
//
// (Rezende and Mohamed 2015, "Variational Inference with Normalizing Flows", equation 7).
//
// A [NormalizingFlow] is a [Chain] of layers, each a [Bijection]: [AffineCoupling], [ActNorm], [Permute], [Logit], and
// [Leading], which factors out a part of the numbers (Dinh et al. 2017, "Density estimation using Real NVP"). A [CNF]
// is the continuous form (Chen et al. 2018, "Neural Ordinary Differential Equations"). Both are trained by maximum
// likelihood. [LogLikelihood] finds the density under any flow that a field of package ode makes.
//
// # Layout and ownership
//
// A batch of n states of d numbers is one slice of n·d float32, state after state; layers of images take
// [pixels][channels]. Layers work in place, and keep no slice that they are given, parameters apart: those belong to
// the caller, who may change them between passes. Layers have buffers of their own, so one goroutine may use a layer at a
// time. A wrong length is a bug of the caller and panics with both lengths. Sums over a state are float64.
package bijection
