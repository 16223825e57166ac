package judge

import (
	"fmt"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/classify"
)

// The outputs of a self-supervised network: a logit for each turn of a view, and a direction that
// two views of one image share.
const (
	pairDim     = 64
	selfOutputs = turns + pairDim
)

// The sizes of the network's levels. Blocks are where maps are small, so that images of all sizes
// cost about as much.
const (
	leastLevels  = 3
	lastSide     = 8 // the longer side of the last level, where the image is large enough
	selfFeatures = 64
	leastWidth   = 8
	selfBlocks   = 2 // of the last two levels
	selfGroups   = 8
)

// selfConfig returns the network for images of a shape: the levels of a classifier, with as many
// features.
func selfConfig(h, w, c int) classify.Config {
	levels := 1
	for side := max(h, w); levels < leastLevels || side > lastSide; levels++ {
		side = kernels.Down3.OutSize(side)
	}
	cfg := classify.Config{ImageSize: [2]int{h, w}, InChannels: c, NormGroups: selfGroups}
	for level := range levels {
		behind := levels - 1 - level // levels that follow
		width, blocks := max(selfFeatures>>behind, leastWidth), 0
		if behind < 2 {
			blocks = selfBlocks
		}
		cfg.Widths, cfg.Blocks = append(cfg.Widths, width), append(cfg.Blocks, blocks)
	}
	for i := range selfOutputs { // a classifier's file has a name for each output
		name := fmt.Sprintf("turn %d", i)
		if i >= turns {
			name = fmt.Sprintf("pair %d", i-turns)
		}
		cfg.Classes = append(cfg.Classes, name)
	}
	return cfg
}

// The number of steps of a training. Products are multiplications and additions of one image's
// forward pass, of which the budget has some.
const (
	selfProducts = 1e10 // of the forward passes of one view, summed over all steps
	leastSteps   = 150
	mostSteps    = 1200
)

// selfSteps returns the number of steps for images of a shape.
func selfSteps(h, w, c int) int {
	return int(min(max(selfProducts/products(selfConfig(h, w, c)), leastSteps), mostSteps))
}

// products counts the multiplications of a forward pass of one image, and what its views cost
// beside that.
func products(cfg classify.Config) float64 {
	const taps = 9
	const viewing = 60 // a view's cost for each number of an image, in products
	h, w, in := cfg.ImageSize[0], cfg.ImageSize[1], cfg.InChannels
	n := float64(h * w * in * viewing)
	for level, out := range cfg.Widths {
		if level > 0 {
			h, w = kernels.Down3.OutSize(h), kernels.Down3.OutSize(w)
		}
		n += float64(taps*h*w*out) * float64(in+cfg.Blocks[level]*out)
		in = out
	}
	return n
}
