package model

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/pipeline"
)

// maxClassCount bounds the images of a class in a file, so that sums of them are exact.
const maxClassCount = 1 << 30

// checkCounts checks the numbers of images against the classes of the network.
func (m Meta) checkCounts(l Labels) error {
	if len(m.ClassCounts) == 0 {
		return nil
	}
	if len(m.ClassCounts) != l.Count {
		return fmt.Errorf("metadata %s: images of %d classes are counted, and the network takes %d", MetaKey,
			len(m.ClassCounts), l.Count)
	}
	for _, n := range append([]int{m.Unlabelled}, m.ClassCounts...) {
		if n < 0 || n > maxClassCount {
			return fmt.Errorf("metadata %s: a class of %d images", MetaKey, n)
		}
	}
	if l.Count > 0 && len(m.TrainedRows(l)) == 0 {
		return fmt.Errorf("metadata %s: no image is counted", MetaKey)
	}
	return nil
}

// TrainedRows returns the rows of the label embedding that stand for images of the training data,
// in order. Where their numbers are not recorded, these are all classes, without "no class".
func (m Meta) TrainedRows(l Labels) []int32 {
	var rows []int32
	for class := range l.Count {
		if len(m.ClassCounts) == 0 || class < len(m.ClassCounts) && m.ClassCounts[class] > 0 {
			rows = append(rows, int32(class))
		}
	}
	if len(m.ClassCounts) > 0 && m.Unlabelled > 0 && l.Null {
		rows = append(rows, l.NullRow())
	}
	return rows
}

// A RowDraw draws classes at random, as rows of the label embedding.
type RowDraw struct {
	// Rows are those that can be drawn.
	Rows []int32
	// Shares are the probabilities of the rows; nil where all are equally likely.
	Shares []float64
	// upTo has, for each row, the number of images of this row and of those before; nil as Shares.
	upTo []float64
}

// RowDraw returns what draws classes of a network at random, as often as the training data had
// them. All classes are equally frequent where the numbers of their images are not recorded.
func (m Meta) RowDraw(l Labels) RowDraw {
	d := RowDraw{Rows: m.TrainedRows(l)}
	if len(m.ClassCounts) == 0 {
		return d
	}
	sum := 0.0
	for _, row := range d.Rows {
		n := m.Unlabelled
		if int(row) < l.Count {
			n = m.ClassCounts[row]
		}
		sum += float64(n)
		d.upTo, d.Shares = append(d.upTo, sum), append(d.Shares, float64(n))
	}
	for i := range d.Shares {
		d.Shares[i] /= sum
	}
	return d
}

// Row returns the row of an image for which no class is asked. It depends on the seed and the
// image's index alone.
func (d RowDraw) Row(rng *rand.PCG, seed uint64, index int) int32 {
	pipeline.Seed(rng, seed, pipeline.StreamClass, index, 0)
	u := flow.OpenUniform(rng)
	if d.upTo == nil {
		return d.Rows[int32(u*float64(len(d.Rows)))]
	}
	last := len(d.upTo) - 1
	at, exact := slices.BinarySearch(d.upTo, u*d.upTo[last])
	if exact { // the sum up to a row is where the next one begins
		at++
	}
	return d.Rows[min(at, last)]
}
