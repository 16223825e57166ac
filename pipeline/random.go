package pipeline

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
)

// Streams of the draws round likelihoods, apart from those that were there before.
const (
	StreamSpread      = iota + 32 // u of a training image, keyed by (step, position in the batch)
	StreamHeldSpread              // u of an image of the validation loss, keyed by its number
	StreamScoreSpread             // u of an image whose likelihood is measured, keyed by (image, sample)
	StreamProbe                   // the directions of the trace of an image, keyed by (image, probe)
	StreamEdit                    // noise of an edited image, keyed by (input, which of its images, draw)
)

// Streams keep the draws for different purposes apart under one seed. A draw depends on its key alone,
// never on what was drawn before it, so any worker may draw for any image at any time.
const (
	StreamInit  = iota + 1 // the network's first weights
	StreamNoise            // x0 of a training image, keyed by (step, position in the batch)
	StreamTime             // t of a training image, likewise
	StreamDrop             // whether a training image loses its label, likewise
	StreamClass            // the class of a generated image, keyed by its index
	StreamFlip             // whether a training image is mirrored, as streamNoise
	StreamHeld             // x0 of an image of the validation loss, keyed by its number
	StreamWarp             // how a training image is moved, as streamNoise
	StreamStep             // the noise that a solver adds to a generated image, keyed by (its index, step)
	StreamPool             // the seed of a pool of trajectories, keyed by its round; that of the held ones is streamHeld's
)

// Seed sets p to the start of the stream of a key.
func Seed(p *rand.PCG, seed uint64, stream, a, b int) {
	flow.Seed(p, seed, uint64(stream), uint64(a), uint64(b))
}
