// Package crew runs work on a fixed set of goroutines.
//
// A [Crew] has workers 0 to n-1. [Crew.Run] calls a function once on each, [Crew.Each] hands out
// indices. A call returns when all its workers are done, so whatever they wrote may be read then.
// What a worker needs alone, such as buffers, the caller keeps in a slice by the worker's number.
//
// A panic of a worker becomes a [PanicError]. The crew takes no notice of deadlines: work that
// should stop early asks a context.
package crew
