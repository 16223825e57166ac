package unet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
)

// Config describes a network. Checkpoints and config.json hold it as JSON.
type Config struct {
	ImageSize     [2]int `json:"image_size"`     // height, width in pixels
	InChannels    int    `json:"in_channels"`    // channels of an image, in and out
	ModelChannels int    `json:"model_channels"` // channels at multiplier 1

	// Residual blocks of each level on the way down. On the way up a level has one more.
	NumResBlocks int `json:"num_res_blocks"`
	// For each level, its channels as a multiple of ModelChannels.
	ChannelMult []int `json:"channel_mult"`
	// Down-sampling factors with attention. The middle block always has attention.
	AttentionResolutions []int `json:"attention_resolutions"`
	// Attention heads. 0 means 1.
	NumHeads int `json:"num_heads"`
	// Channels of an attention head, in place of NumHeads. 0 means that NumHeads counts.
	NumHeadChannels int `json:"num_head_channels,omitempty"`
	// Rows of label_emb. 0 makes an unconditional network.
	NumClasses int `json:"num_classes"`
	// The embedding scales and shifts the second norm. Without this it is added before that norm.
	UseScaleShiftNorm bool `json:"use_scale_shift_norm"`
	// Groups of each group norm. 0 means 32.
	NormGroups int `json:"norm_groups"`
	// What group norms add to a variance. 0 means 1e-5.
	NormEpsilon float64 `json:"norm_epsilon,omitempty"`
	// Factor on t before the sinusoidal embedding. 0 means 1.
	TimeScale float64 `json:"time_scale"`
	// The frequencies of that embedding are 10000^(-i/(half-FreqShift)), of half = ModelChannels/2.
	FreqShift float64 `json:"freq_shift,omitempty"`
	// The last row of label_emb means "no class".
	NullClass bool `json:"null_class"`
	// The network also takes the length of a jump, and returns the mean velocity over the jump.
	FlowMap bool `json:"flow_map,omitempty"`
	// Sides of square patches. All numbers of a patch are channels of one pixel of the network's
	// first map, so that every map is smaller by this factor (Luhman and Luhman 2022, "Improving
	// Diffusion Model Efficiency Through Patching"). In PyTorch it is pixel_shuffle of a network
	// of pixel_unshuffle. AttentionResolutions count from the first map. 0 means 1, no patches.
	PatchSize int `json:"patch_size,omitempty"`
	// The network sees images turned by 180 degrees. With its kernels turned too, that is a network
	// whose convolutions with stride 2 pad below and on the right alone, as TensorFlow's do.
	Turned bool `json:"turned,omitempty"`
	// The flow map also takes the weight of guidance that its jumps follow.
	GuidanceEmbed bool `json:"guidance_embed,omitempty"`
}

var presets = []string{"tiny", "base", "large", "patch"}

// An UnknownError is a name that is not one of a preset.
type UnknownError = option.ValueError

// Preset returns a named configuration for 28x28 images of one channel, without classes. Callers
// set the image size, the channels and the classes of their data. The error is an [*UnknownError].
func Preset(name string) (Config, error) {
	c := Config{
		ImageSize: [2]int{28, 28}, InChannels: 1, NumResBlocks: 1, NumHeads: 1,
		UseScaleShiftNorm: true, NormGroups: 32, TimeScale: 1000,
	}
	switch name {
	case "tiny":
		c.ModelChannels, c.ChannelMult, c.AttentionResolutions, c.NormGroups = 16, []int{1, 1}, []int{2}, 8
	case "base":
		c.ModelChannels, c.ChannelMult, c.AttentionResolutions = 32, []int{1, 2, 2}, []int{4}
	case "large":
		c.ModelChannels, c.ChannelMult, c.AttentionResolutions, c.NumResBlocks = 64, []int{1, 2, 2}, []int{4}, 2
	case "patch":
		c.ModelChannels, c.ChannelMult, c.AttentionResolutions, c.PatchSize = 64, []int{1, 1}, []int{2}, 2
	default:
		return Config{}, &UnknownError{
			Kind: "preset", Text: name, Known: presets, Reason: "choose one of " + strings.Join(presets, ", "),
		}
	}
	return c, nil
}

// parseConfig reads a configuration's JSON, fills in the defaults and validates it.
func parseConfig(text []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return Config{}, fmt.Errorf("network configuration: %w", err)
	}
	c = c.withDefaults()
	return c, c.Validate()
}

func (c Config) withDefaults() Config {
	if c.NormGroups == 0 {
		c.NormGroups = 32
	}
	if c.NumHeads == 0 {
		c.NumHeads = 1
	}
	if c.TimeScale == 0 {
		c.TimeScale = 1
	}
	if c.NormEpsilon == kernels.NormEpsilon { // one form of the usual one
		c.NormEpsilon = 0
	}
	if c.PatchSize == 1 { // one form of a network without patches
		c.PatchSize = 0
	}
	return c
}

// The bounds of one image's memory and time, so that a hostile configuration cannot ask for all of
// the machine's.
const (
	maxElements = 1 << 24 // elements of a map
	maxPairs    = 1 << 26 // pairs of pixels that an attention relates, for each head
)

// Validate returns an error that names the first value from which no network can be built.
func (c Config) Validate() error {
	h, w, factor := c.ImageSize[0], c.ImageSize[1], c.Factor()
	switch {
	case len(c.ChannelMult) == 0 || len(c.ChannelMult) > 8:
		return errors.New("channel_mult: between 1 and 8 levels are needed")
	case slices.Min(c.ChannelMult) < 1 || slices.Max(c.ChannelMult) > 64:
		return errors.New("channel_mult: each multiplier lies between 1 and 64")
	case h < 1 || w < 1 || h > 4096 || w > 4096:
		return fmt.Errorf("image_size [%d,%d]: both sides lie between 1 and 4096", h, w)
	case c.PatchSize < 0 || c.PatchSize > 16:
		return fmt.Errorf("patch_size %d: between 1 and 16", c.PatchSize)
	case h%factor != 0 || w%factor != 0:
		return fmt.Errorf("image_size [%d,%d]: %s need sides that are multiples of %d; the nearest is [%d,%d]",
			h, w, c.divisors(), factor, nearest(h, factor), nearest(w, factor))
	case c.InChannels < 1 || c.InChannels > 64:
		return fmt.Errorf("in_channels %d: between 1 and 64", c.InChannels)
	case c.ModelChannels < 2 || c.ModelChannels > 1024 || c.ModelChannels%2 != 0:
		return fmt.Errorf("model_channels %d: an even number between 2 and 1024", c.ModelChannels)
	case c.NumResBlocks < 1 || c.NumResBlocks > 16:
		return fmt.Errorf("num_res_blocks %d: between 1 and 16", c.NumResBlocks)
	case c.NumClasses < 0 || c.NumClasses > 1<<20:
		return fmt.Errorf("num_classes %d: between 0 and %d", c.NumClasses, 1<<20)
	case c.NullClass && c.NumClasses < 2:
		return errors.New("null_class needs num_classes of 2 or more: one class and the null class")
	case c.GuidanceEmbed && !c.FlowMap:
		return errors.New("guidance_embed needs flow_map: a network of velocities is guided when it draws")
	case c.Turned && c.patch() > 1:
		return errors.New("turned is for a network without patches")
	}
	if err := c.validateReals(); err != nil {
		return err
	}
	if err := c.validateDivisions(); err != nil {
		return err
	}
	return c.validateSizes()
}

// validateReals checks the numbers that are not counts. NaN is refused too.
func (c Config) validateReals() error {
	half := float64(c.ModelChannels / 2)
	switch {
	case !(c.TimeScale > 0 && c.TimeScale <= 1e6):
		return fmt.Errorf("time_scale %v: above 0, at most 1e6", c.TimeScale)
	case !(c.NormEpsilon >= 0 && c.NormEpsilon <= 1):
		return fmt.Errorf("norm_epsilon %v: between 0 and 1", c.NormEpsilon)
	case !(c.FreqShift >= 0 && (c.FreqShift == 0 || c.FreqShift < half)):
		return fmt.Errorf("freq_shift %v: at least 0, below half of model_channels", c.FreqShift)
	}
	return nil
}

// validateDivisions checks that every width divides by the norm's groups and by the heads.
func (c Config) validateDivisions() error {
	switch {
	case c.NormGroups < 1 || c.NumHeads < 1:
		return errors.New("norm_groups and num_heads: at least 1")
	case c.NumHeadChannels < 0 || c.NumHeadChannels > 0 && c.NumHeads > 1:
		return errors.New("num_head_channels: at least 1, and without num_heads")
	}
	for _, f := range c.AttentionResolutions {
		if lowest := c.lowest(); f < 1 || f > lowest || f&(f-1) != 0 {
			return fmt.Errorf("attention_resolutions: %d is not a down-sampling factor of this network "+
				"(1 to %d, powers of 2)", f, lowest)
		}
	}
	for level, m := range c.ChannelMult {
		ch := m * c.ModelChannels
		if n := c.NumHeadChannels; n > 0 && c.attendsLevel(level) && ch%n != 0 {
			return fmt.Errorf("num_head_channels %d does not divide the %d channels of a level with attention", n, ch)
		}
		if ch%c.NormGroups != 0 {
			return fmt.Errorf("norm_groups %d does not divide the %d channels of a level", c.NormGroups, ch)
		}
		if ch%c.NumHeads != 0 {
			return fmt.Errorf("num_heads %d does not divide the %d channels of a level", c.NumHeads, ch)
		}
	}
	return nil
}

// validateSizes bounds the maps and the attention of each level.
func (c Config) validateSizes() error {
	h, w, _ := c.firstMap()
	for level, mult := range c.ChannelMult {
		factor := 1 << level
		// In 64 bits, as an int of 32 bits overflows before the limits.
		pixels := int64(h/factor) * int64(w/factor)
		if pixels*int64(mult)*int64(c.ModelChannels) > maxElements {
			return fmt.Errorf("image_size [%d,%d] with model_channels %d: too large at level %d, which has %d times "+
				"as many channels", c.ImageSize[0], c.ImageSize[1], c.ModelChannels, level, mult)
		}
		heads := int64(c.Heads(mult * c.ModelChannels))
		if c.attendsLevel(level) && pixels*pixels*heads > maxPairs {
			return fmt.Errorf("image_size [%d,%d]: attention at factor %d is too large, it relates %d pixels "+
				"to each other; the lowest level always has it, so more levels help",
				c.ImageSize[0], c.ImageSize[1], factor, pixels)
		}
	}
	return nil
}

// attendsLevel reports whether there is attention at a level. The lowest has the middle
// block's.
func (c Config) attendsLevel(level int) bool {
	return level == len(c.ChannelMult)-1 || c.attends(1<<level)
}

// Heads returns the number of attention heads over a map of so many channels.
func (c Config) Heads(channels int) int {
	if c.NumHeadChannels > 0 {
		return channels / c.NumHeadChannels
	}
	return max(c.NumHeads, 1)
}

// Factor returns the down-sampling factor of the lowest level. It divides both sides of an image.
func (c Config) Factor() int { return c.lowest() * c.patch() }

// lowest returns the down-sampling factor of the lowest level, from the first map.
func (c Config) lowest() int { return 1 << max(len(c.ChannelMult)-1, 0) }

// patch returns the side of a patch, 1 for none.
func (c Config) patch() int { return max(c.PatchSize, 1) }

// firstMap returns the shape of the map that the first convolution reads: an image, or its patches.
func (c Config) firstMap() (h, w, channels int) {
	p := c.patch()
	return c.ImageSize[0] / p, c.ImageSize[1] / p, c.InChannels * p * p
}

// divisors says what divides the sides of an image.
func (c Config) divisors() string {
	if p := c.patch(); p > 1 {
		return fmt.Sprintf("%d levels over patches of %dx%d", len(c.ChannelMult), p, p)
	}
	return fmt.Sprintf("%d levels", len(c.ChannelMult))
}

// Classes returns the number of real classes: NumClasses without the null class.
func (c Config) Classes() int {
	if c.NullClass {
		return c.NumClasses - 1
	}
	return c.NumClasses
}

// ImageLen returns the number of elements of one image.
func (c Config) ImageLen() int { return c.ImageSize[0] * c.ImageSize[1] * c.InChannels }

// nearest returns the multiple of the factor, at least one, that is nearest to n.
func nearest(n, factor int) int { return max((n+factor/2)/factor, 1) * factor }
