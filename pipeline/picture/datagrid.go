package picture

import (
	"image"

	"github.com/fmimg/fmimg/dataset"
)

// The grid of a data set has up to gridRows rows of gridCols images.
const (
	gridRows = 32
	gridCols = 12
)

// DataGrid draws images of a data set, for people: what is transparent lies over a checkerboard.
// Each class has a row with its first images. A set without classes is shown by images at equal
// distances.
func DataGrid(s dataset.Source) (image.Image, error) {
	h, w, c := s.Shape()
	rows := min(len(s.Classes()), gridRows)
	if rows == 0 {
		rows = min(gridCols, (s.Len()+gridCols-1)/gridCols)
	}
	images := &Images{Height: h, Width: w, Channels: c, Pixels: make([]float32, rows*gridCols*h*w*c)}
	for i := range images.Pixels {
		// A class of few images leaves a gap.
		if images.Pixels[i] = dataset.FromByte(gutter); images.isAlpha(i) {
			images.Pixels[i] = dataset.PixelMax
		}
	}
	if len(s.Classes()) == 0 {
		spreadImages(s, images)
	} else {
		classImages(s, images, rows)
	}
	scale := max(1, 48/max(h, w))
	return Grid(images.OnCheckerboard(), GridOptions{Rows: rows, Cols: gridCols, Scale: scale})
}

// spreadImages fills the grid with images of the set at equal distances.
func spreadImages(s dataset.Source, images *Images) {
	n := min(images.Len(), s.Len())
	for i := range n {
		s.Image(i*s.Len()/n, images.Slice(i, i+1).Pixels)
	}
}

// classImages fills row i with the first images of class i.
func classImages(s dataset.Source, images *Images, rows int) {
	filled := make([]int, rows)
	image := make([]float32, images.ImageLen())
	for i := 0; i < s.Len(); i++ {
		label := s.Image(i, image)
		if label < 0 || label >= rows || filled[label] == gridCols {
			continue
		}
		at := label*gridCols + filled[label]
		copy(images.Slice(at, at+1).Pixels, image)
		filled[label]++
	}
}
