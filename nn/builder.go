package nn

import (
	"math"
	"math/rand/v2"

	"github.com/fmimg/fmimg/kernels"
)

// A Run is what the layers of one worker share while they run.
type Run struct {
	ISA kernels.ISA
	N   int // images in this batch, at most the builder's

	// Grad is the gradient of all parameters. Backward passes add to it. With nil they compute the
	// gradient of the input alone.
	Grad []float32

	Scratch kernels.Scratch // working memory of the kernels

	// Weight gradients of the convolutions that a layer takes image by image.
	sums [2]kernels.WeightSum
}

// groupPixels bounds how many pixels of a map one step of a layer passes on to the next step before
// the next images follow. So what one step writes is in the cache when the next one reads it.
const groupPixels = kernels.LayerPixels

// groupSize returns how many images of h x w pixels a layer takes through all its steps at once.
func groupSize(h, w int) int { return max(groupPixels/(h*w), 1) }

// groups cuts the batch into groups of images and calls f with the first and last index of each.
// While f works on one group, the next group's part of the maps is fetched into the cache.
func (r *Run) groups(m kernels.Map, f func(from, to int), maps ...kernels.Map) {
	r.groupsOf(groupSize(m.H, m.W), f, maps...)
}

// groupsOf is [Run.groups] with groups of a given size.
func (r *Run) groupsOf(size int, f func(from, to int), maps ...kernels.Map) {
	for from := 0; from < r.N; from += size {
		to := min(from+size, r.N)
		r.Scratch.ForgetAhead()
		if to < r.N {
			for _, m := range maps {
				r.Scratch.Ahead(m.Images(to, min(to+size, r.N)))
			}
		}
		f(from, to)
	}
}

// rows returns the rows of the batch's images, of a map that [Builder.Rows] made.
func (r *Run) rows(m kernels.Map) kernels.Map { return m.FirstPixels(r.N) }

// An Act is a map of activations X and the map of its gradient D. Inference has no D.
type Act struct{ X, D kernels.Map }

// Channels returns a view of the channels [from, to).
func (a Act) Channels(from, to int) Act {
	a.X = a.X.Channels(from, to)
	if a.D.C > 0 {
		a.D = a.D.Channels(from, to)
	}
	return a
}

// Weights holds the packed forms of all convolutions and linear layers of a network.
type Weights struct {
	list   []packed
	byName map[string]*kernels.Conv
}

type packed struct {
	conv         *kernels.Conv
	weight, bias *Param
}

// Pack rebuilds the packed forms from the values. It does share part of parts, so that several
// goroutines can divide the work.
func (w *Weights) Pack(values []float32, part, parts int) {
	var done, total int
	for _, p := range w.list {
		total += p.weight.Len()
	}
	for _, p := range w.list {
		// A layer belongs to the share that its first element falls into.
		if share := done * parts / total; share == part {
			p.conv.Pack(p.weight.Of(values), p.bias.Of(values))
		}
		done += p.weight.Len()
	}
}

// A Builder makes the layers of one worker. The first builder of a network also adds the parameters
// and draws their first values. Later builders find the parameters by name.
type Builder struct {
	ISA       kernels.ISA
	Precision kernels.Precision // of the activations and their gradients
	Params    *Params
	Weights   *Weights
	N         int        // images in a batch, at most
	Train     bool       // whether backward will run
	Rand      *rand.Rand // for first values; nil leaves zeros
	// NormEpsilon is that of group norms; 0 means PyTorch's default.
	NormEpsilon float64

	temps map[tempKey]kernels.Map
}

type tempKey struct {
	precision     kernels.Precision
	slot, h, w, c int
}

// Act makes activations with a halo.
func (b *Builder) Act(h, w, c int) Act { return b.act(b.Precision, h, w, c) }

// Images makes activations for what goes into a network and comes out of it: float32 with a halo.
func (b *Builder) Images(h, w, c int) Act { return b.act(kernels.F32, h, w, c) }

func (b *Builder) act(p kernels.Precision, h, w, c int) Act {
	a := Act{X: p.NewMap(b.N, h, w, c)}
	if b.Train {
		a.D = p.NewMap(b.N, h, w, c)
	}
	return a
}

// Rows makes activations of one row of c elements for each image. The pixels of their map are the
// images.
func (b *Builder) Rows(c int) Act {
	a := Act{X: matrix(b.N, c)}
	if b.Train {
		a.D = matrix(b.N, c)
	}
	return a
}

// matrix makes a map of one line, whose pixels are the rows of a matrix.
func matrix(rows, cols int) kernels.Map { return kernels.NewDense(1, 1, rows, cols) }

// temp returns a map for a group of images, in the working precision. Its content lasts while a
// layer takes the group through its steps, and no longer: layers share the map of one slot and
// shape.
func (b *Builder) temp(slot, h, w, c int) kernels.Map {
	return b.shared(b.ISA.Working(b.Precision), slot, h, w, c)
}

// shared returns the map that layers share for a precision, a slot and a shape.
func (b *Builder) shared(p kernels.Precision, slot, h, w, c int) kernels.Map {
	n := min(groupSize(h, w), b.N)
	return b.cached(tempKey{p, slot, h, w, c}, func() kernels.Map { return p.NewMap(n, h, w, c) })
}

// dense is [Builder.shared] without a halo and for groups of n images. Its slots are its own.
func (b *Builder) dense(p kernels.Precision, slot, n, h, w, c int) kernels.Map {
	return b.cached(tempKey{p, slot, h, w, c}, func() kernels.Map { return p.NewDense(n, h, w, c) })
}

// cached returns the map of a key, which it makes first if there is none.
func (b *Builder) cached(key tempKey, newMap func() kernels.Map) kernels.Map {
	m, ok := b.temps[key]
	if !ok {
		if b.temps == nil {
			b.temps = map[tempKey]kernels.Map{}
		}
		m = newMap()
		b.temps[key] = m
	}
	return m
}

// The slots of temporary maps. Two maps that a layer needs at once have different slots.
const (
	slotNormed = iota
	slotHidden
	slotModulated
	slotInputGrad
	slotOutputGrad

	// Attention's, without a halo.
	slotTokens
	slotJoint
	slotHeads
	slotTokensGrad
	slotJointGrad
	slotHeadsGrad
)

// A kept map holds what backward will read, for all images. In inference it holds one group, in the
// same precision, so that both compute the same numbers.
type kept struct {
	kernels.Map
	train bool
}

func (b *Builder) kept(slot, h, w, c int) kept {
	if b.Train {
		return kept{b.Precision.NewMap(b.N, h, w, c), true}
	}
	return kept{b.shared(b.Precision, slot, h, w, c), false}
}

// group returns the images [from, to) of the batch.
func (k kept) group(from, to int) kernels.Map {
	if !k.train {
		return k.First(to - from)
	}
	return k.Images(from, to)
}

// param adds a parameter and gives it its first values. A parameter that is there already is
// returned as it is.
func (b *Builder) param(name string, layout Layout, first func() float32, shape ...int) *Param {
	known := b.Params.Lookup(name) != nil
	p := b.Params.Add(name, layout, shape...)
	if !known && b.Rand != nil {
		values := make([]float32, p.Len())
		for i := range values {
			values[i] = first()
		}
		p.Import(b.Params.Values, values)
	}
	return p
}

// uniform draws from [-1/√n, 1/√n]: PyTorch's first values for a layer with n inputs for each
// output.
func (b *Builder) uniform(n int) func() float32 {
	bound := 1 / math.Sqrt(float64(n))
	return func() float32 { return float32((2*b.Rand.Float64() - 1) * bound) }
}

func constant(v float32) func() float32 { return func() float32 { return v } }
