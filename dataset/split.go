package dataset

import "slices"

// A part has some of the images of a Source.
type part struct {
	Source
	name  string
	index []int32
}

// Split divides a source: held has a share of the images, rounded down, and train has the others in
// their order. The seed decides which images are held, and the same source and seed give the same
// split. The last image of a class is never held, as the class would be without an image to train
// on. When no image is held, held is nil and train is s.
func Split(s Source, share float64, seed uint64) (train, held Source) {
	left := map[int32]int{} // images of each class that are not held
	labels := Labels(s)
	for _, label := range labels {
		left[label]++
	}
	return split(s, share, seed, func(i int) bool {
		label := labels[i]
		if label >= 0 && left[label] == 1 {
			return false
		}
		left[label]--
		return true
	})
}

// SplitAny is [Split], and holds the last image of a class too. Older runs were split so, and are
// resumed so.
func SplitAny(s Source, share float64, seed uint64) (train, held Source) {
	return split(s, share, seed, func(int) bool { return true })
}

// split is [Split], with a function that says of each image, in the order of their choice, whether
// it may be held.
func split(s Source, share float64, seed uint64, may func(i int) bool) (train, held Source) {
	n := s.Len()
	count := min(int(share*float64(n)), n-1)
	if count < 1 {
		return s, nil
	}
	order := Order(n, seed, splitEpoch)
	out := make([]bool, n)
	for k := range count {
		i := order.At(k)
		out[i] = may(i)
	}
	a := &part{Source: s, name: s.Name(), index: make([]int32, 0, n)}
	b := &part{Source: s, name: s.Name() + "/held-out", index: make([]int32, 0, count)}
	for i, isOut := range out {
		if isOut {
			b.index = append(b.index, int32(i))
		} else {
			a.index = append(a.index, int32(i))
		}
	}
	if b.Len() == 0 {
		return s, nil
	}
	return a, b
}

// Labels returns the class of each image of a source, -1 for an image without one. It reads the
// images where [StoredLabels] has none.
func Labels(s Source) []int32 {
	if labels, ok := StoredLabels(s); ok {
		return labels
	}
	h, w, c := s.Shape()
	pixels, labels := make([]float32, h*w*c), make([]int32, s.Len())
	for i := range labels {
		labels[i] = int32(s.Image(i, pixels))
	}
	return labels
}

// StoredLabels is [Labels] without reading an image. ok is false for a source of another package.
func StoredLabels(s Source) (labels []int32, ok bool) {
	switch s := s.(type) {
	case *part:
		all, ok := StoredLabels(s.Source)
		if !ok {
			return nil, false
		}
		for _, i := range s.index {
			labels = append(labels, all[i])
		}
		return labels, true
	case *relabelled:
		return slices.Clone(s.labels), true
	case *labelled:
		if s.labels == nil {
			return slices.Repeat([]int32{-1}, s.Len()), true
		}
		return slices.Clone(s.labels), true
	}
	return nil, false
}

// splitEpoch is the epoch whose order splits a source. No epoch of training has this number.
const splitEpoch = -1

// Name implements [Source].
func (p *part) Name() string { return p.name }

// Len implements [Source].
func (p *part) Len() int { return len(p.index) }

// Image implements [Source].
func (p *part) Image(i int, dst []float32) (label int) { return p.Source.Image(int(p.index[i]), dst) }
