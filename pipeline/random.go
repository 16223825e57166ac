package pipeline

import (
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
)

// Streams keep the draws for different purposes apart under one seed. A draw depends on its key
// alone, never on what was drawn before it. So any worker may draw for any image at any time.
const (
	// StreamInit draws the first weights of a network.
	StreamInit = iota + 1
	// StreamNoise draws x0 of a training image, keyed by (step, position in the batch).
	StreamNoise
	// StreamTime draws t of a training image, keyed as StreamNoise.
	StreamTime
	// StreamDrop draws whether a training image loses its label, keyed as StreamNoise.
	StreamDrop
	// StreamClass draws the class of a generated image, keyed by its index.
	StreamClass
	// StreamFlip draws whether a training image is mirrored, keyed as StreamNoise.
	StreamFlip
	// StreamHeld draws x0 of an image of the validation loss, keyed by the image's number.
	// Distillation has trajectories there, and draws their seed from it.
	StreamHeld
	// StreamWarp draws how a training image is moved, keyed as StreamNoise.
	StreamWarp
	// StreamStep draws the noise that a solver adds to a generated image, keyed by (index, step).
	StreamStep
	// StreamPool draws the seed of a pool of trajectories, keyed by the pool's round.
	StreamPool
	// StreamGuidance draws the weight of guidance of a trajectory of a pool, keyed by its index.
	StreamGuidance
)

// Streams of likelihoods and edits. They start at 32, so that the list above can grow.
const (
	// StreamSpread draws u of a training image, which spreads its bytes, keyed as StreamNoise.
	StreamSpread = iota + 32
	// StreamHeldSpread draws u of an image of the validation loss, keyed by the image's number.
	StreamHeldSpread
	// StreamScoreSpread draws u of an image whose likelihood is measured, keyed by (image, sample).
	StreamScoreSpread
	// StreamProbe draws the directions that estimate a trace, keyed by (image, probe).
	StreamProbe
	// StreamEdit draws the noise of an edited image, keyed by (input, which of its images, draw).
	StreamEdit
	// StreamView draws the views of an image by which a judge is trained, keyed as StreamNoise.
	StreamView
)

// A list that can grow beside those above.
const (
	// StreamShift draws how far a training image is shifted, keyed as StreamNoise.
	StreamShift = iota + 48
	// StreamPairs draws the order in which the images of a class are paired, keyed by the group of
	// steps and the class, from 0 for images without one.
	StreamPairs
)

// Seed sets p to the start of the stream of the key (a, b).
func Seed(p *rand.PCG, seed uint64, stream, a, b int) {
	flow.Seed(p, seed, uint64(stream), uint64(a), uint64(b))
}
