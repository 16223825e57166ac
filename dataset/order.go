package dataset

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/fmimg/fmimg/internal/keyed"
)

// A Permutation is the order in which one epoch visits the images 0 to n-1, each of them once. It
// takes 4 bytes for each image.
type Permutation struct{ index []int32 }

// Order returns the order of an epoch over n images. It depends on n, seed and epoch alone. It
// panics unless 0 <= n < 2³¹.
func Order(n int, seed uint64, epoch int) *Permutation {
	if n < 0 || n > math.MaxInt32 {
		panic(fmt.Sprintf("dataset: order of %d images, want 0 to %d", n, math.MaxInt32))
	}
	p := &Permutation{make([]int32, n)}
	p.Reset(seed, epoch)
	return p
}

// Reset makes p the order of another epoch over the same number of images. It does not allocate.
func (p *Permutation) Reset(seed uint64, epoch int) {
	for i := range p.index {
		p.index[i] = int32(i)
	}
	// Both words are scrambled, as the streams of PCG for neighbouring states resemble each other.
	high := keyed.SplitMix64(seed)
	source := rand.NewPCG(high, keyed.SplitMix64(high^uint64(epoch)))
	// The shuffle of Fisher and Yates takes the bits of the generator alone. Go may change what
	// rand.Shuffle makes of them.
	for i := len(p.index) - 1; i > 0; i-- {
		j := below(source.Uint64(), uint64(i)+1)
		p.index[i], p.index[j] = p.index[j], p.index[i]
	}
}

// Len returns the number of images.
func (p *Permutation) Len() int { return len(p.index) }

// At returns the image at position k of the epoch.
func (p *Permutation) At(k int) int { return int(p.index[k]) }

// below maps 64 random bits to 0..n-1 by the high half of their product. For n < 2³¹ the
// probabilities of two numbers differ by at most one part in 2³³.
func below(random, n uint64) uint64 {
	high, _ := bits.Mul64(random, n)
	return high
}
