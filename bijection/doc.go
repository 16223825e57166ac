// Package bijection is the mathematics of normalizing flows: invertible maps between data and
// noise, whose change of volume is known, so that the density of data is known too.
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
// # Models
//
// A [NormalizingFlow] is a [Chain] of layers, each a [Bijection]: [AffineCoupling], [ActNorm],
// [Permute], [Logit], and [Leading], which factors out a part of the numbers (Dinh et al. 2017,
// "Density estimation using Real NVP"). A [CNF] is the continuous form (Chen et al. 2018, "Neural
// Ordinary Differential Equations"). Both are trained by maximum likelihood. [LogLikelihood] finds
// the density under the flow of any field of package ode.
//
// # Layout and ownership
//
// A batch of n states of d numbers is one slice of n·d float32, state after state. Layers of images
// take [pixels][channels]. Layers work in place. They keep no slice that they are given, except
// parameters. Those belong to the caller, who may change them between passes. Layers have their own
// buffers, so one goroutine may use a layer at a time. A wrong length is a bug of the caller and
// panics with both lengths.
//
// # Numbers
//
// States, parameters and gradients by them are float32. Log-determinants, densities and sums inside
// are float64.
package bijection
