package pipeline

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
)

// Streams keep the draws for different purposes apart under one seed. A draw depends on its key alone,
// never on what was drawn before it, so any worker may draw for any image at any time.
const (
	streamInit  = iota + 1 // the network's first weights
	streamNoise            // x0 of a training image, keyed by (step, position in the batch)
	streamTime             // t of a training image, likewise
	streamDrop             // whether a training image loses its label, likewise
	streamClass            // the class of a generated image, keyed by its index
	streamFlip             // whether a training image is mirrored, as streamNoise
	streamHeld             // x0 of an image of the validation loss, keyed by its number
	streamWarp             // how a training image is moved, as streamNoise
	streamStep             // the noise that a solver adds to a generated image, keyed by (its index, step)
	streamPool             // the seed of a pool of trajectories, keyed by its round; that of the held ones is streamHeld's
)

// seedStream sets p to the start of the stream of a key.
func seedStream(p *rand.PCG, seed uint64, stream, a, b int) {
	flow.Seed(p, seed, uint64(stream), uint64(a), uint64(b))
}
