package metrics

import (
	"cmp"
	"slices"
)

// A Separation says how well a score tells images of one kind from images of another kind.
type Separation struct {
	// AUROC is the share of pairs, one image of each kind, in which the image of the first kind has
	// the higher score. A tie counts half. It is the area under the curve of true against false
	// positives; 0.5 is chance.
	AUROC float64
	// ToldApart is the share of images on their own side of the best threshold: of the first kind
	// at or above it, of the second below it. It is the mean of the two kinds' shares.
	ToldApart float64
}

// Separate compares the scores of images of two kinds. The first kind is expected to score higher.
// A kind without images is an error. Scores may be infinite, but not NaN.
func Separate(first, second []float64) (Separation, error) {
	if len(first) == 0 || len(second) == 0 {
		return Separation{}, errNoRows
	}
	type image struct {
		score float64
		first bool
	}
	var all []image
	for _, s := range first {
		all = append(all, image{s, true})
	}
	for _, s := range second {
		all = append(all, image{s, false})
	}
	slices.SortFunc(all, func(a, b image) int { return cmp.Compare(b.score, a.score) })
	var s Separation
	hits, misses := 0, 0 // of the first and the second kind, at or above the threshold
	for from := 0; from < len(all); {
		to, a, b := from, 0, 0 // images of one score
		for ; to < len(all) && all[to].score == all[from].score; to++ {
			if all[to].first {
				a++
			} else {
				b++
			}
		}
		s.AUROC += float64(b) * (float64(hits) + float64(a)/2)
		hits, misses, from = hits+a, misses+b, to
		right := float64(hits)/float64(len(first)) + 1 - float64(misses)/float64(len(second))
		s.ToldApart = max(s.ToldApart, right/2)
	}
	s.AUROC /= float64(len(first)) * float64(len(second))
	return s, nil
}
