package cluster

import "fmt"

// The sides of the grids on which an image is described.
const (
	colourGrid = 8
	grayGrid   = 16
)

// A Shape is that of images: rows, columns and channels.
type Shape struct{ Height, Width, Channels int }

// len returns the numbers of an image.
func (s Shape) len() int { return s.Height * s.Width * s.Channels }

// FeatureLen returns the number of features of an image.
func FeatureLen(s Shape) int { return colourGrid*colourGrid*s.Channels + grayGrid*grayGrid }

// Features writes what describes an image to dst, of length [FeatureLen]: the means of each channel
// in 8x8 cells, then the mean grays in 16x16 cells. The image is [H, W, C] in [-1, 1]; numbers
// outside are cut off, and NaN counts as 0. Where the last of two or four channels is alpha,
// colours count by what is seen of them over the middle gray.
func Features(dst []float64, image []float32, s Shape) {
	if len(image) != s.len() || len(dst) != FeatureLen(s) {
		panic(fmt.Sprintf("cluster: %d features of an image of %d numbers, and the shape is %v", len(dst), len(image), s))
	}
	cells := dst[:colourGrid*colourGrid*s.Channels]
	clear(dst)
	var pixel [MaxChannels]float64
	eachCell(s, colourGrid, func(cell, at int, share float64) {
		seen(pixel[:s.Channels], image[at*s.Channels:])
		for c, v := range pixel[:s.Channels] {
			cells[cell*s.Channels+c] += float64(v * share)
		}
	})
	grays := dst[len(cells):]
	eachCell(s, grayGrid, func(cell, at int, share float64) {
		seen(pixel[:s.Channels], image[at*s.Channels:])
		grays[cell] += float64(gray(pixel[:s.Channels]) * share)
	})
}

// MaxChannels is the largest number of channels of an image.
const MaxChannels = 4

// eachCell calls add for each pixel of each cell of a grid, with the share of the pixel in the
// cell's mean. A cell of a small image has one pixel at least.
func eachCell(s Shape, grid int, add func(cell, pixel int, share float64)) {
	for row := range grid {
		top, bottom := span(row, grid, s.Height)
		for column := range grid {
			left, right := span(column, grid, s.Width)
			share := 1 / float64((bottom-top)*(right-left))
			for y := top; y < bottom; y++ {
				for x := left; x < right; x++ {
					add(row*grid+column, y*s.Width+x, share)
				}
			}
		}
	}
}

// span returns the pixels of part i of n parts of a side: from at least one pixel to the next part.
func span(i, n, side int) (from, to int) {
	from = i * side / n
	return from, max((i+1)*side/n, from+1)
}

// seen writes the pixel at the beginning of an image to dst: its colours over the middle gray, 0,
// and its alpha.
func seen(dst []float64, pixel []float32) {
	for c := range dst {
		dst[c] = bounded(pixel[c])
	}
	if colours := len(dst) - 1; len(dst) == 2 || len(dst) == 4 {
		for c := range colours {
			dst[c] *= (dst[colours] + 1) / 2
		}
	}
}

// bounded returns v in [-1, 1], and 0 for NaN.
func bounded(v float32) float64 {
	if v != v {
		return 0
	}
	return float64(min(max(v, -1), 1))
}

// gray returns the luma (Rec. 601) of a pixel of 1 to 4 channels.
func gray(pixel []float64) float64 {
	if len(pixel) < 3 {
		return pixel[0]
	}
	return float64(0.299*pixel[0]) + float64(0.587*pixel[1]) + float64(0.114*pixel[2])
}
