package train

import (
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// A Coupling says which noise a training image is paired with.
type Coupling string

// The couplings.
const (
	// Independent pairs an image with noise of its own.
	Independent Coupling = "independent"
	// OptimalTransport pairs images with noises of some batches, within each class, such that all
	// paths together are shortest.
	OptimalTransport Coupling = "ot"
)

// A pairing finds, for each position of a batch, the position whose noise it takes. It pairs the
// steps of a group together: the more noises there are to choose from, the shorter the paths
// become. Pairs stay within a class, so that the noise of each class is normal.
//
// Of several ranks each pairs one group of as many in a row, and tells the others: together they
// take no longer than one of them.
type pairing struct {
	feed    feed.Feed // reads ahead of the feed that batches come from
	seed    uint64
	batch   int
	steps   int // steps of a group
	size    int // numbers of an image
	crew    *crew.Crew
	ranks   cluster.Comm
	workers []pairer
	hashes  maphash.Seed

	first  int     // the first group of those that are paired, one for each rank; negative: none
	paired []int32 // for each position of these groups, the one of its group whose noise it takes

	// The group of this rank.
	group  int
	noise  []int32   // the part of paired
	images []float32 // [steps·batch][size]
	noises []float32 // [steps·batch][size]
	labels []int

	// The phases of the work. They are made once, so that running them allocates nothing.
	load, pair func(worker int)
	next       atomic.Int64 // the next number of the running phase
}

// A pairer is the memory of one worker.
type pairer struct {
	rng    rand.PCG
	same   []int     // the positions of one class
	hashes []uint64  // of their images, sorted
	cost   []float64 // of each image with each noise of the class
	solver flow.Assigner
}

const (
	// maxPaired is the largest group of images: without classes one worker compares all pairs of
	// it.
	maxPaired = 2048
	// pairedOfClass is how many images of one class are paired together unless the options say
	// otherwise. Work and memory grow with the square and more, and gain little.
	pairedOfClass = 256
)

// usualPaired returns how many images are paired together unless the options say otherwise. Where
// nobody counted labels, all images may be of one class.
func (c labelCount) usualPaired() int {
	return int(min(pairedOfClass/c.largestShare(), maxPaired))
}

// sameClass returns how many images of a group of n are of one class, nearly always at most: the
// mean for the largest class and four deviations.
func (c labelCount) sameClass(n int) int {
	mean := float64(n) * c.largestShare()
	return min(int(mean+4*math.Sqrt(mean))+1, n)
}

// groupImages returns the number of images that are paired together: whole batches, of at most so
// many images, and at least one batch.
func groupImages(batch, most int) int { return max(most/batch, 1) * batch }

// pairingMemory returns about how many bytes a pairing takes. size is the numbers of an image.
func pairingMemory(batch, most int, had labelCount, size, workers int) float64 {
	n := groupImages(batch, most)
	same := float64(had.sameClass(n))
	return float64(2*4*n*size) + 8*same*same*float64(workers)
}

// newPairing makes the pairing of a run that takes its batches from f, whose images have the labels
// that had counts.
func newPairing(f *feed.Feed, seed uint64, batch, most int, had labelCount, c *crew.Crew,
	ranks cluster.Comm) *pairing {
	h, w, channels := f.Data.Shape()
	n, size := groupImages(batch, most), h*w*channels
	p := &pairing{
		feed: *f, seed: seed, batch: batch, steps: n / batch, size: size,
		crew: c, ranks: ranks, workers: make([]pairer, c.Size()), hashes: maphash.MakeSeed(), first: -ranks.Size(),
		paired: make([]int32, n*ranks.Size()), images: make([]float32, n*size), noises: make([]float32, n*size), labels: make([]int, n),
	}
	p.noise = p.paired[n*ranks.Rank():][:n]
	p.feed.Order = feed.NewOrder(f.Data.Len(), seed, n)
	same := had.sameClass(n)
	for i := range p.workers {
		p.workers[i] = pairer{same: make([]int, 0, n), hashes: make([]uint64, 0, n), cost: make([]float64, 0, same*same)}
		p.workers[i].solver.Reserve(n)
	}
	p.load = func(worker int) { p.eachOf(n, func(i int) { p.draw(&p.workers[worker].rng, i) }) }
	p.pair = func(worker int) { p.eachOf(len(f.Data.Classes())+1, func(i int) { p.assign(&p.workers[worker], i-1) }) }
	return p
}

// prepare pairs the positions of a step's group, unless they are paired. Collective.
func (p *pairing) prepare(step int) error {
	group := step / p.steps
	if group >= p.first && group < p.first+p.ranks.Size() {
		return nil
	}
	p.first = group / p.ranks.Size() * p.ranks.Size()
	if err := cluster.Agree(p.ranks, p.pairGroup(p.first+p.ranks.Rank())); err != nil {
		return err
	}
	return cluster.AllGather(p.ranks, cluster.IndexBytes(p.paired), cluster.Shares(p.ranks, len(p.paired), 4))
}

// pairGroup pairs the positions of a group.
func (p *pairing) pairGroup(group int) error {
	p.group = group
	p.feed.Prepare(group, len(p.noise))
	for _, phase := range []func(int){p.load, p.pair} {
		p.next.Store(0)
		if err := p.crew.Run(phase); err != nil {
			return err
		}
	}
	return nil
}

// eachOf calls do for the numbers below n that no other worker takes.
func (p *pairing) eachOf(n int, do func(i int)) {
	for {
		i := int(p.next.Add(1)) - 1
		if i >= n {
			return
		}
		do(i)
	}
}

// draw fetches the image and the noise of a position of the group.
func (p *pairing) draw(rng *rand.PCG, i int) {
	step, position := p.place(p.group, i)
	p.labels[i] = p.feed.Read(rng, p.feed.Order.Index(i), step, position, p.image(i))
	drawNoise(rng, p.seed, step, position, p.noiseAt(i))
}

// place returns the step of a position of a group, and the position in its batch.
func (p *pairing) place(group, i int) (step, position int) {
	return group*p.steps + i/p.batch, i % p.batch
}

// assign pairs the images and the noises of a class. Class -1 is for images without a class.
func (p *pairing) assign(w *pairer, class int) {
	w.same, w.cost = w.same[:0], w.cost[:0]
	for i, label := range p.labels {
		if label == class {
			w.same = append(w.same, i)
		}
	}
	if p.feed.Data.Len() < len(p.noise) || p.copies(w) > p.steps {
		p.shuffle(w, class)
	}
	for _, i := range w.same {
		for _, j := range w.same {
			w.cost = append(w.cost, distance(p.image(i), p.noiseAt(j)))
		}
	}
	for i, j := range w.solver.Assign(w.cost, len(w.same)) {
		p.noise[w.same[i]] = int32(w.same[j])
	}
}

// copies returns how many images of a class are equal to one of them, at most.
func (p *pairing) copies(w *pairer) int {
	w.hashes = w.hashes[:0]
	for _, i := range w.same {
		w.hashes = append(w.hashes, maphash.Bytes(p.hashes, cluster.FloatBytes(p.image(i))))
	}
	slices.Sort(w.hashes)
	most, first := 0, 0
	for i, hash := range w.hashes {
		if hash != w.hashes[first] {
			first = i
		}
		most = max(most, i-first+1)
	}
	return most
}

// shuffle brings the images of a class into an order that does not go with the steps. Data that is
// smaller than a group is there several times, and other data may have many copies of one image,
// such as masks that are empty. Any noise is the best one for any of these copies, so that the
// solver may give a step noises of one kind. Where a step has less than two copies of an image, the
// order stays as it is: a recorded run of such data repeats.
func (p *pairing) shuffle(w *pairer, class int) {
	pipeline.Seed(&w.rng, p.seed, pipeline.StreamPairs, p.group, class+1)
	for i := len(w.same) - 1; i > 0; i-- {
		j := int(w.rng.Uint64() % uint64(i+1))
		w.same[i], w.same[j] = w.same[j], w.same[i]
	}
}

// noiseOf returns the step and the position whose noise an image takes. The image is at a position
// of a step's batch, and the step's group is paired.
func (p *pairing) noiseOf(step, position int) (from, at int) {
	return p.place(step/p.steps, int(p.paired[(step-p.first*p.steps)*p.batch+position]))
}

// image returns the image at a position of the group.
func (p *pairing) image(i int) []float32 { return p.images[i*p.size : (i+1)*p.size] }

// noiseAt returns the noise of a position of the group.
func (p *pairing) noiseAt(i int) []float32 { return p.noises[i*p.size : (i+1)*p.size] }

// distance returns −2·x·y, which stands for ‖x − y‖²: the norms add up to the same in every
// pairing. It keeps four sums, so that an addition does not wait for the last one. It returns 0 for
// an image with numbers that are not finite: the loss will show them.
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
