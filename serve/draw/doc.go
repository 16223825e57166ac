// Package draw draws images for many who ask at the same time, with a few workers.
//
// Start at draw.go, which has what a front end needs: a [Service] lists models, and does what a
// [Request] asks for. How a request goes through the package:
//
//	Service.Do          service.go    finds the model, bounds what waits
//	  library.open      library.go    loads models, and lets go of those that nobody uses
//	                    catalogue.go  knows models by the headers of their files
//	  job               job.go        does it: generate.go, edits.go, likelihood.go
//	    turns.run       turns.go      begins images of all requests in turn
//	      evaluator     evaluator.go  evaluates networks: the rows of many images together
//
// # Batches
//
// Each image has a goroutine, with a drawer whose replica is a [batched] one: it evaluates nothing,
// but puts its rows, one for each state, into the queue of the evaluator and waits. A worker of the
// evaluator takes up to 8 rows of one network, in the order in which they came. So an image begins
// while others are half done, and the workers have full batches as long as there are enough images.
// Rows do not depend on each other, so an image has the same bytes whatever it was evaluated with,
// and those are the bytes of [sample.Draw].
//
// # Bounds
//
// No more images are under way or wait than [Options].Waiting. Twice as many are under way as the
// workers take at once, and beside them one image of each of some requests that have none under
// way. The others wait for their turn, and requests take turns: a request of one image waits
// neither for one of thousands nor for one of hours. An image whose likelihood is found has the
// activations of a training in memory of its own, so there are few of these at once. Models are in
// memory within [Options].Memory. A model that is in use stays.
package draw
