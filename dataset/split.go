package dataset

// A part has some of the images of a Source.
type part struct {
	Source
	name  string
	index []int32
}

// Split divides a source: held has a share of the images, rounded down, and train has the others in
// their order. The seed decides which images are held, and the same source and seed give the same
// split. When the share comes to no image, held is nil and train is s.
func Split(s Source, share float64, seed uint64) (train, held Source) {
	n := s.Len()
	count := min(int(share*float64(n)), n-1)
	if count < 1 {
		return s, nil
	}
	order := Order(n, seed, splitEpoch)
	out := make([]bool, n)
	for k := range count {
		out[order.At(k)] = true
	}
	a := &part{Source: s, name: s.Name(), index: make([]int32, 0, n-count)}
	b := &part{Source: s, name: s.Name() + "/held-out", index: make([]int32, 0, count)}
	for i, isOut := range out {
		if isOut {
			b.index = append(b.index, int32(i))
		} else {
			a.index = append(a.index, int32(i))
		}
	}
	return a, b
}

// splitEpoch is the epoch whose order splits a source. No epoch of training has this number.
const splitEpoch = -1

// Name implements [Source].
func (p *part) Name() string { return p.name }

// Len implements [Source].
func (p *part) Len() int { return len(p.index) }

// Image implements [Source].
func (p *part) Image(i int, dst []float32) (label int) { return p.Source.Image(int(p.index[i]), dst) }
