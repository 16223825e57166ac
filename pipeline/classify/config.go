package classify

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Config describes a classifier. Its JSON is in the metadata of the classifier's file.
type Config struct {
	// Kind is [Pooled], or empty for a network of residual blocks.
	Kind       Kind   `json:"kind,omitempty"`
	ImageSize  [2]int `json:"image_size"`  // height, width in pixels
	InChannels int    `json:"in_channels"` // channels of an image

	// Widths are the channels of each level. The maps of a level have half the side of the level
	// before. The last width is the number of features of a network of residual blocks.
	Widths     []int    `json:"widths"`
	Blocks     []int    `json:"blocks,omitempty"`      // residual blocks of each level
	NormGroups int      `json:"norm_groups,omitempty"` // groups of each group norm
	Features   int      `json:"features,omitempty"`    // of a pooled network
	Classes    []string `json:"classes"`               // names of the classes, at least two
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
	switch h, w := c.ImageSize[0], c.ImageSize[1]; {
	case h < 1 || w < 1 || h > maxSide || w > maxSide:
		return fmt.Errorf("image_size [%d,%d]: both sides lie between 1 and %d", h, w, maxSide)
	case c.InChannels < 1 || c.InChannels > 64:
		return fmt.Errorf("in_channels %d: between 1 and 64", c.InChannels)
	case len(c.Widths) < 1 || len(c.Widths) > maxLevels:
		return fmt.Errorf("widths: %d levels: between 1 and %d", len(c.Widths), maxLevels)
	case len(c.Classes) < 2 || len(c.Classes) > maxClasses:
		return fmt.Errorf("classes: %d names: between 2 and %d", len(c.Classes), maxClasses)
	}
	switch c.Kind {
	case "":
		return c.validateResidual()
	case Pooled:
		return c.validatePooled()
	}
	return fmt.Errorf("kind %q: %s, or none for residual blocks", string(c.Kind), Pooled)
}

// validateResidual checks the levels of a network of residual blocks.
func (c Config) validateResidual() error {
	switch {
	case len(c.Blocks) != len(c.Widths):
		return fmt.Errorf("widths and blocks have %d and %d levels: as many of each, between 1 and %d",
			len(c.Widths), len(c.Blocks), maxLevels)
	case c.NormGroups < 1:
		return errors.New("norm_groups: at least 1")
	case c.Features != 0:
		return fmt.Errorf("features %d: only a pooled network has them, the last width says how many", c.Features)
	}
	for level, width := range c.Widths {
		switch blocks := c.Blocks[level]; {
		case width < 1 || width > maxWidth || width%c.NormGroups != 0:
			return fmt.Errorf("widths: %d channels: between 1 and %d, a multiple of the %d norm_groups",
				width, maxWidth, c.NormGroups)
		case blocks < 0 || blocks > maxBlocks:
			return fmt.Errorf("blocks: %d in a level: between 0 and %d", blocks, maxBlocks)
		}
	}
	return c.checkMaps(func(level int) int { return c.Blocks[level] + 1 })
}

// validatePooled checks the levels of a pooled network.
func (c Config) validatePooled() error {
	switch {
	case len(c.Blocks) > 0 || c.NormGroups != 0:
		return errors.New("blocks and norm_groups: a pooled network has none")
	case c.Features < 1 || c.Features > maxWidth:
		return fmt.Errorf("features %d: between 1 and %d", c.Features, maxWidth)
	}
	for _, width := range c.Widths {
		if width < 1 || width > maxWidth {
			return fmt.Errorf("widths: %d channels: between 1 and %d", width, maxWidth)
		}
	}
	if n := c.flat(); n > maxElements/c.Features {
		return fmt.Errorf("image_size [%d,%d]: %d numbers are too many for the fully connected layer",
			c.ImageSize[0], c.ImageSize[1], n)
	}
	return c.checkMaps(func(int) int { return 1 })
}

// checkMaps bounds the numbers in all maps of an image. Each level has maps of its width.
func (c Config) checkMaps(maps func(level int) int) error {
	h, w, total := c.ImageSize[0], c.ImageSize[1], 0
	for level, width := range c.Widths {
		if total += h * w * width * maps(level); total > maxElements {
			return fmt.Errorf("image_size [%d,%d]: too large for %d channels in level %d",
				c.ImageSize[0], c.ImageSize[1], width, level)
		}
		h, w = halved(h), halved(w)
	}
	return nil
}

// flat returns how many numbers the last map of a pooled network has.
func (c Config) flat() int {
	h, w := c.ImageSize[0], c.ImageSize[1]
	for range c.Widths {
		h, w = halved(h), halved(w)
	}
	return h * w * c.Widths[len(c.Widths)-1]
}

// dim returns the number of features.
func (c Config) dim() int {
	if c.Kind == Pooled {
		return c.Features
	}
	return c.Widths[len(c.Widths)-1]
}

// Parameters returns the number of parameters.
func (c Config) Parameters() int {
	conv := func(in, out int) int { return (9*in + 1) * out }
	dim := c.dim()
	n := conv(c.InChannels, c.Widths[0]) + (dim+1)*len(c.Classes)
	for level, width := range c.Widths[1:] {
		n += conv(c.Widths[level], width)
	}
	if c.Kind == Pooled {
		return n + (c.flat()+1)*dim
	}
	n += 2 * dim
	for level, width := range c.Widths {
		if level > 0 {
			n += 2 * c.Widths[level-1]
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
