package classify

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fmimg/fmimg/kernels"
)

// A Config describes a classifier. Its JSON is in the metadata of the classifier's file.
type Config struct {
	ImageSize  [2]int `json:"image_size"`  // height, width in pixels
	InChannels int    `json:"in_channels"` // channels of an image

	// Widths are the channels of each level. The maps of a level have half the side of the level
	// before. The last width is the number of features.
	Widths     []int    `json:"widths"`
	Blocks     []int    `json:"blocks"`      // residual blocks of each level
	NormGroups int      `json:"norm_groups"` // groups of each group norm
	Classes    []string `json:"classes"`     // names of the classes, at least two
}

// DefaultConfig returns the configuration of a small classifier for images of the given shape. Its
// last level has maps with a quarter of the image's sides, and 64 features. It is good on MNIST.
func DefaultConfig(h, w, c int, classes []string) Config {
	return Config{
		ImageSize: [2]int{h, w}, InChannels: c,
		Widths: []int{16, 32, 64}, Blocks: []int{0, 2, 2}, NormGroups: 8, Classes: classes,
	}
}

// The limits of a configuration, so that a hostile file cannot ask for all memory.
const (
	maxSide     = 4096
	maxLevels   = 8
	maxWidth    = 1024
	maxBlocks   = 16
	maxClasses  = 1 << 16
	maxElements = 1 << 24 // numbers in all maps of an image
)

// Validate reports the first field from which a classifier cannot be built.
func (c Config) Validate() error {
	h, w := c.ImageSize[0], c.ImageSize[1]
	switch {
	case h < 1 || w < 1 || h > maxSide || w > maxSide:
		return fmt.Errorf("image_size [%d,%d]: both sides lie between 1 and %d", h, w, maxSide)
	case c.InChannels < 1 || c.InChannels > 64:
		return fmt.Errorf("in_channels %d: between 1 and 64", c.InChannels)
	case len(c.Widths) < 1 || len(c.Widths) > maxLevels || len(c.Blocks) != len(c.Widths):
		return fmt.Errorf("widths and blocks have %d and %d levels: as many of each, between 1 and %d",
			len(c.Widths), len(c.Blocks), maxLevels)
	case c.NormGroups < 1:
		return errors.New("norm_groups: at least 1")
	case len(c.Classes) < 2 || len(c.Classes) > maxClasses:
		return fmt.Errorf("classes: %d names: between 2 and %d", len(c.Classes), maxClasses)
	}
	total := 0
	for level, width := range c.Widths {
		blocks := c.Blocks[level]
		total += h * w * width * (blocks + 1)
		switch {
		case width < 1 || width > maxWidth || width%c.NormGroups != 0:
			return fmt.Errorf("widths: %d channels: between 1 and %d, a multiple of the %d norm_groups",
				width, maxWidth, c.NormGroups)
		case blocks < 0 || blocks > maxBlocks:
			return fmt.Errorf("blocks: %d in a level: between 0 and %d", blocks, maxBlocks)
		case total > maxElements:
			return fmt.Errorf("image_size [%d,%d]: too large for %d channels in level %d",
				c.ImageSize[0], c.ImageSize[1], width, level)
		}
		h, w = kernels.Down3.OutSize(h), kernels.Down3.OutSize(w)
	}
	return nil
}

// Parameters returns the number of parameters.
func (c Config) Parameters() int {
	conv := func(in, out int) int { return (9*in + 1) * out }
	dim := c.Widths[len(c.Widths)-1]
	n := conv(c.InChannels, c.Widths[0]) + 2*dim + (dim+1)*len(c.Classes)
	for level, width := range c.Widths {
		if level > 0 {
			n += 2*c.Widths[level-1] + conv(c.Widths[level-1], width)
		}
		n += c.Blocks[level] * (2*width + conv(width, width))
	}
	return n
}

// parseConfig reads and validates a configuration's JSON.
func parseConfig(text string) (Config, error) {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("classifier configuration: %w", err)
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("classifier configuration: %w", err)
	}
	return c, nil
}
