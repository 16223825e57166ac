package likelihood

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"image"
	"io"
	"slices"
	"strconv"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// extremesShown is the number of images in a row.
const extremesShown = 16

// extremes draws two rows for each set: its likeliest images, and its least likely ones, in order.
func (l *Report) extremes() (image.Image, error) {
	sets := []*SetReport{&l.SetReport}
	if l.Against != nil {
		sets = append(sets, l.Against)
	}
	h, w, c := l.source.Shape()
	cols := min(extremesShown, l.Count)
	all := &picture.Images{Height: h, Width: w, Channels: c, Pixels: make([]float32, 2*len(sets)*cols*h*w*c)}
	for row, set := range sets {
		order := slices.Clone(set.Images)
		slices.SortStableFunc(order, func(a, b ImageReport) int {
			return cmp.Compare(a.BitsPerDimension, b.BitsPerDimension)
		})
		for i := range cols {
			place := func(row int, image ImageReport) {
				set.source.Image(image.Index, all.Pixels[(row*cols+i)*h*w*c:][:h*w*c])
			}
			place(2*row, order[i])
			place(2*row+1, order[len(order)-cols+i])
		}
	}
	return picture.Grid(all.OnCheckerboard(), picture.GridOptions{Rows: 2 * len(sets), Cols: cols, Scale: 2})
}

// texts returns the texts of the picture of extremes.
func (l *Report) texts() []picture.Text {
	return []picture.Text{
		{"Software", "fmimg " + pipeline.Version()}, {"fmimg.model", l.Hash}, {"fmimg.data", l.Data},
		{"fmimg.bits-per-dim", strconv.FormatFloat(l.BitsPerDimension, 'g', 6, 64)},
	}
}

// WriteExtremes writes a PNG with two rows for each set: its likeliest images, and its least likely
// ones.
func (l *Report) WriteExtremes(w io.Writer) error {
	img, err := l.extremes()
	if err != nil {
		return err
	}
	return picture.WritePNG(w, img, l.texts())
}

// WriteScores writes CSV with a line for each image: data, index, label, bits_per_dim,
// log_likelihood and probe_standard_error. The last is empty for fewer than two probes.
func (l *Report) WriteScores(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	lines := csv.NewWriter(buffered)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	write := func(fields ...string) { _ = lines.Write(fields) } // lines.Error has the error
	write("data", "index", "label", "bits_per_dim", "log_likelihood", "probe_standard_error")
	sets := []*SetReport{&l.SetReport}
	if l.Against != nil {
		sets = append(sets, l.Against)
	}
	for _, set := range sets {
		for _, image := range set.Images {
			spread := ""
			if image.ProbeError != nil {
				spread = number(*image.ProbeError)
			}
			write(set.Data, strconv.Itoa(image.Index), image.Label,
				number(image.BitsPerDimension), number(image.LogLikelihood), spread)
		}
	}
	lines.Flush()
	if err := lines.Error(); err != nil {
		return fmt.Errorf("scores: %w", err)
	}
	return buffered.Flush()
}
