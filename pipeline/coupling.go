package pipeline

import (
	"math"
	"math/rand/v2"

	"github.com/fmimg/fmimg/flow"
)

// A Coupling is which noise a training image is paired with.
type Coupling string

// The couplings.
const (
	Independent      Coupling = "independent" // any
	OptimalTransport Coupling = "ot"          // that of the batch, and of images of its class, which makes all paths together the shortest
)

// A pairing finds, for each position of a batch, the position whose noise it takes. Pairs stay within a class, since
// the noise of each class has to be normal too.
type pairing struct {
	feed *feed
	seed uint64
	size int // numbers of an image

	rng    rand.PCG
	noise  []int     // of each position
	images []float32 // [batch][size]
	noises []float32 // [batch][size]
	labels []int
	same   []int // the positions of one class
	cost   []float64
	solver flow.Assigner
}

func newPairing(f *feed, seed uint64, batch int) *pairing {
	h, w, c := f.data.Shape()
	size := h * w * c
	p := &pairing{
		feed: f, seed: seed, size: size,
		noise: make([]int, batch), images: make([]float32, batch*size), noises: make([]float32, batch*size), labels: make([]int, batch),
		same: make([]int, 0, batch), cost: make([]float64, 0, batch*batch),
	}
	p.solver.Reserve(batch)
	return p
}

// maxPaired is the largest batch that is paired: of images without classes all pairs are compared, by one worker.
const maxPaired = 1024

// prepare pairs the positions of a step, whose images the feed has ready.
func (p *pairing) prepare(step int) {
	for i := range p.noise {
		p.labels[i] = p.feed.image(&p.rng, step, i, p.image(i))
		drawNoise(&p.rng, p.seed, step, i, p.noiseAt(i))
	}
	first := 0
	for class := -1; first < len(p.noise); class++ {
		p.same = p.same[:0]
		for i, label := range p.labels {
			if label == class {
				p.same = append(p.same, i)
			}
		}
		p.assign()
		first += len(p.same)
	}
}

// assign pairs the images and the noises of the positions in same.
func (p *pairing) assign() {
	n := len(p.same)
	p.cost = p.cost[:0]
	for _, i := range p.same {
		for _, j := range p.same {
			p.cost = append(p.cost, distance(p.image(i), p.noiseAt(j)))
		}
	}
	for i, j := range p.solver.Assign(p.cost, n) {
		p.noise[p.same[i]] = p.same[j]
	}
}

func (p *pairing) image(i int) []float32   { return p.images[i*p.size : (i+1)*p.size] }
func (p *pairing) noiseAt(i int) []float32 { return p.noises[i*p.size : (i+1)*p.size] }

// distance returns −2·x·y, which orders pairs as ‖x − y‖² does: the norms are the same in every pairing. Four sums, so that
// one need not wait for the last. Of an image with numbers that are not finite it is 0: the loss will tell of it.
func distance(x, y []float32) float64 {
	var s [4]float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b := x[i:i+4:i+4], y[i:i+4:i+4]
		s[0] += float32(a[0] * b[0])
		s[1] += float32(a[1] * b[1])
		s[2] += float32(a[2] * b[2])
		s[3] += float32(a[3] * b[3])
	}
	for ; i < len(x); i++ {
		s[0] += float32(x[i] * y[i])
	}
	sum := float64(s[0]) + float64(s[1]) + float64(s[2]) + float64(s[3])
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0
	}
	return -2 * sum
}

// drawNoise fills x with the noise of a position of a step's batch.
func drawNoise(rng *rand.PCG, seed uint64, step, position int, x []float32) {
	seedStream(rng, seed, streamNoise, step, position)
	flow.Gaussian(x, rng)
}
