package realnvp

import (
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// A Config says what network a model has. The names in JSON are part of the file format.
type Config struct {
	ImageSize  [2]int  `json:"image_size"` // H, W
	Channels   int     `json:"in_channels"`
	Hidden     int     `json:"hidden_channels"` // of the conditioners
	Blocks     int     `json:"num_blocks"`      // residual convolutions of a conditioner
	NormGroups int     `json:"norm_groups"`
	Scales     int     `json:"scales"` // 1 has no squeeze
	Alpha      float64 `json:"alpha"`  // of the logit; 0 leaves out the logit
	ScaleBound float64 `json:"scale_bound"`
}

var presets = []string{"tiny", "base", "large"}

// An UnknownError is a name that is not one of a preset.
type UnknownError = option.ValueError

// Preset returns a named configuration for images of a size. The error is an [*UnknownError].
func Preset(name string, h, w, channels int) (Config, error) {
	c := Config{
		ImageSize: [2]int{h, w}, Channels: channels, NormGroups: 8, Scales: scales(h, w), Alpha: 0.05, ScaleBound: 2,
	}
	switch name {
	case "tiny":
		c.Hidden, c.Blocks = 16, 1
	case "base":
		c.Hidden, c.Blocks = 32, 2
	case "large":
		c.Hidden, c.Blocks = 64, 4
	default:
		return Config{}, &UnknownError{
			Kind: "preset", Text: name, Known: presets, Reason: "choose one of " + strings.Join(presets, ", "),
		}
	}
	return c, nil
}

// scales returns the number of scales for images of a size. It is three, or fewer when a side
// cannot be halved so often or would be shorter than 4 pixels.
func scales(h, w int) int {
	n := 1
	for side := min(h, w); n < 3 && h%(2<<(n-1)) == 0 && w%(2<<(n-1)) == 0 && side >= 8; side /= 2 {
		n++
	}
	return n
}

// ImageLen returns how many numbers an image has.
func (c Config) ImageLen() int { return c.ImageSize[0] * c.ImageSize[1] * c.Channels }

// The bounds of a configuration that a file may name.
const (
	maxSide     = 1 << 10
	maxChannels = 64
	maxWidth    = 1 << 10
	maxBlocks   = 1 << 6
	maxScales   = 8
	maxElements = 1 << 24 // of a map
	maxMaps     = 1 << 27 // of all maps of an image together
	leastAlpha  = 1e-6    // so that the brightest pixels stay finite
)

// Validate reports the first part of the configuration that no network can have.
func (c Config) Validate() error {
	for _, p := range []struct {
		name            string
		value, from, to int
	}{
		{"image_size", c.ImageSize[0], 1, maxSide}, {"image_size", c.ImageSize[1], 1, maxSide},
		{"in_channels", c.Channels, 1, maxChannels},
		{"hidden_channels", c.Hidden, 1, maxWidth}, {"num_blocks", c.Blocks, 0, maxBlocks},
		{"scales", c.Scales, 1, maxScales},
	} {
		if p.value < p.from || p.value > p.to {
			return fmt.Errorf("%s is %d: between %d and %d", p.name, p.value, p.from, p.to)
		}
	}
	side := 1 << (c.Scales - 1)
	switch {
	case c.NormGroups < 1 || c.Hidden%c.NormGroups != 0:
		return fmt.Errorf("norm_groups is %d, which does not divide the %d hidden_channels", c.NormGroups, c.Hidden)
	case c.ImageSize[0]%side != 0 || c.ImageSize[1]%side != 0:
		return fmt.Errorf("scales is %d: both sides of %dx%d must be multiples of %d",
			c.Scales, c.ImageSize[0], c.ImageSize[1], side)
	case c.Alpha != 0 && !(c.Alpha >= leastAlpha && c.Alpha < 0.5):
		return fmt.Errorf("alpha is %v: 0, or from %v to below 0.5", c.Alpha, leastAlpha)
	case !(c.ScaleBound > 0 && c.ScaleBound <= 10):
		return fmt.Errorf("scale_bound is %v: above 0, and at most 10", c.ScaleBound)
	}
	return c.validateSizes()
}

// validateSizes bounds the maps.
func (c Config) validateSizes() error {
	total := 0
	for _, s := range c.Convs() {
		if size := s.H * s.W * max(s.IC, s.OC); size > maxElements {
			return fmt.Errorf("image_size is [%d,%d]: too large with %d hidden_channels",
				c.ImageSize[0], c.ImageSize[1], c.Hidden)
		}
		if total += s.H * s.W * s.OC; total > maxMaps {
			return fmt.Errorf("num_blocks is %d: too many for images of %dx%d",
				c.Blocks, c.ImageSize[0], c.ImageSize[1])
		}
	}
	return nil
}

// FLOPs returns the operations of all convolutions in a pass over one image. A product with its sum
// counts as two.
func (c Config) FLOPs() float64 {
	total := 0.0
	for _, s := range c.Convs() {
		total += s.FLOPs()
	}
	return total
}

// Convs lists the convolutions of a pass over one image, in the order of the pass.
func (c Config) Convs() []kernels.ConvShape {
	var all []kernels.ConvShape
	coupling := func(h, w, channels int) {
		add := func(in, out int) {
			all = append(all, kernels.ConvShape{Kind: kernels.Same3, H: h, W: w, IC: in, OC: out})
		}
		add(channels, c.Hidden)
		for range c.Blocks {
			add(c.Hidden, c.Hidden)
		}
		add(c.Hidden, 2*channels)
	}
	h, w, channels := c.ImageSize[0], c.ImageSize[1], c.Channels
	for range c.Scales - 1 {
		for range couplings {
			coupling(h, w, channels)
		}
		h, w, channels = h/2, w/2, 4*channels
		for range couplings {
			coupling(h, w, channels)
		}
		channels /= 2
	}
	for range lastCouplings {
		coupling(h, w, channels)
	}
	return all
}
