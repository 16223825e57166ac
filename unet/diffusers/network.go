package diffusers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/unet"
)

// A DifferencesError lists what one kind of network has and the other has not.
type DifferencesError struct {
	What string   // of the network
	List []string // a key of the configuration, its value, and what is otherwise
}

// Error lists the differences in one line.
func (e *DifferencesError) Error() string { return e.What + ": " + strings.Join(e.List, "; ") }

type differences struct{ list []string }

func (d *differences) addIf(is bool, format string, args ...any) {
	if is {
		d.list = append(d.list, fmt.Sprintf(format, args...))
	}
}

func (d *differences) err(what string) error {
	if len(d.list) == 0 {
		return nil
	}
	return &DifferencesError{what, d.list}
}

// Network returns the configuration of the same network of fmimg. The size of images is 0 where the
// configuration leaves it open, and the scale of time is 1. The error is a [*DifferencesError] that
// lists all keys that fmimg's network has otherwise.
func (c *Config) Network() (unet.Config, error) {
	cfg := unet.Config{
		InChannels: c.InChannels, NumResBlocks: c.LayersPerBlock, NumHeads: 1, NormEpsilon: c.NormEps,
		UseScaleShiftNorm: c.ResnetTimeScale == "scale_shift", FreqShift: c.FreqShift, TimeScale: 1,
		Turned: c.DownsamplePadding == 0 && len(c.BlockOutChannels) > 1,
	}
	if c.SampleSize != nil {
		cfg.ImageSize = *c.SampleSize
	}
	if c.NumClassEmbeds != nil {
		cfg.NumClasses = *c.NumClassEmbeds
	}
	if c.NormNumGroups != nil {
		cfg.NormGroups = *c.NormNumGroups
	}
	if c.AttentionHeadDim != nil {
		cfg.NumHeadChannels = *c.AttentionHeadDim
	}
	d := &differences{}
	c.ends(d)
	c.inside(d)
	c.widths(&cfg, d)
	c.levels(&cfg, d)
	return cfg, d.err("its config.json says what this U-Net has otherwise")
}

// ends lists what differs in what goes in and out.
func (c *Config) ends(d *differences) {
	d.addIf(c.CenterInputSample, "center_input_sample true: images are scaled first")
	d.addIf(c.OutChannels != c.InChannels && c.OutChannels != 2*c.InChannels,
		"out_channels %d of in_channels %d: as many are needed, or twice as many where the rest is a variance", c.OutChannels, c.InChannels)
	d.addIf(c.TimeEmbeddingType != "positional", "time_embedding_type %s: only positional maps", c.TimeEmbeddingType)
	if n := c.TimeEmbeddingDim; n != nil && len(c.BlockOutChannels) > 0 && *n != 4*c.BlockOutChannels[0] {
		d.addIf(true, "time_embedding_dim %d: 4 times block_out_channels[0] maps, %d", *n, 4*c.BlockOutChannels[0])
	}
	if c.ClassEmbedType != nil {
		d.addIf(true, "class_embed_type %s: only null maps, a table of num_class_embeds", *c.ClassEmbedType)
	}
}

// inside lists what differs in each block.
func (c *Config) inside(d *differences) {
	d.addIf(c.ActFn != "silu" && c.ActFn != "swish", "act_fn %s: only silu maps", c.ActFn)
	d.addIf(!(c.NormEps > 0), "norm_eps %v: it must be above 0", c.NormEps)
	d.addIf(c.NormNumGroups == nil, "norm_num_groups null: groups differ from block to block")
	d.addIf(c.ResnetTimeScale != "default" && c.ResnetTimeScale != "scale_shift",
		"resnet_time_scale_shift %s: only default and scale_shift map", c.ResnetTimeScale)
	if c.hasMiddleAttention() {
		groups := c.AttnNormNumGroups
		d.addIf(groups == nil && c.ResnetTimeScale == "scale_shift",
			"attn_norm_num_groups null with resnet_time_scale_shift scale_shift: the middle attention has no norm")
		if groups != nil && c.NormNumGroups != nil && *groups != *c.NormNumGroups {
			d.addIf(true, "attn_norm_num_groups %d: norm_num_groups maps, %d", *groups, *c.NormNumGroups)
		}
	}
	d.addIf(c.MidBlockType != nil && *c.MidBlockType != "UNetMidBlock2D", "mid_block_type %s: only UNetMidBlock2D and null map", orNull(c.MidBlockType))
	d.addIf(c.MidBlockType != nil && c.MidBlockScaleFactor != 1, "mid_block_scale_factor %v: only 1 maps", c.MidBlockScaleFactor)
	d.addIf(c.DownsamplePadding != 0 && c.DownsamplePadding != 1, "downsample_padding %d: only 0 and 1 map", c.DownsamplePadding)
	if n := c.AttentionHeadDim; n != nil {
		d.addIf(*n < 1, "attention_head_dim %d: at least 1", *n)
	}
}

// hasMiddleAttention reports whether the middle block has attention.
func (c *Config) hasMiddleAttention() bool { return c.MidBlockType != nil && c.AddAttention }

// mostLevels is the most levels of a network, so that an error stays short.
const mostLevels = 8

// widths sets the channels of the levels.
func (c *Config) widths(cfg *unet.Config, d *differences) {
	list := c.BlockOutChannels
	if len(list) == 0 || list[0] < 1 {
		d.addIf(true, "block_out_channels: at least one level is needed, of one channel or more")
		return
	}
	if len(list) > mostLevels {
		d.addIf(true, "block_out_channels: %d levels, and %d map at most", len(list), mostLevels)
		return
	}
	cfg.ModelChannels = list[0]
	for _, n := range list {
		cfg.ChannelMult = append(cfg.ChannelMult, n/list[0])
		d.addIf(n%list[0] != 0 || n < list[0], "block_out_channels %v: multiples of the first map, and %d is not one", list, n)
	}
	d.addIf(list[0]%2 != 0, "block_out_channels[0] %d: an odd sinusoid of the time does not map", list[0])
}

// levels sets where attention is.
func (c *Config) levels(cfg *unet.Config, d *differences) {
	n := len(c.BlockOutChannels)
	if len(c.DownBlockTypes) != n || len(c.UpBlockTypes) != n {
		d.addIf(true, "down_block_types and up_block_types: %d and %d for %d block_out_channels", len(c.DownBlockTypes), len(c.UpBlockTypes), n)
		return
	}
	if n > mostLevels {
		return
	}
	attends := make([]bool, n)
	for level := range n {
		down, ok := c.kindOf(c.DownBlockTypes[level], "DownBlock2D")
		d.addIf(!ok, "down_block_types[%d] %s: only DownBlock2D and AttnDownBlock2D map", level, brief(c.DownBlockTypes[level]))
		i := n - 1 - level
		up, ok := c.kindOf(c.UpBlockTypes[i], "UpBlock2D")
		d.addIf(!ok, "up_block_types[%d] %s: only UpBlock2D and AttnUpBlock2D map", i, brief(c.UpBlockTypes[i]))
		attends[level] = down || up
		if last := n - 1; level < last {
			d.addIf(down && c.DownsampleType != "conv", "downsample_type %s: only conv maps", brief(c.DownsampleType))
			d.addIf(up && c.UpsampleType != "conv", "upsample_type %s: only conv maps", brief(c.UpsampleType))
		}
	}
	d.list = slices.Compact(d.list)
	for level, is := range attends {
		if is && level < 30 {
			cfg.AttentionResolutions = append(cfg.AttentionResolutions, 1<<level)
		}
	}
}

// kindOf tells whether blocks of a type have attention. ok is false for a type that does not map.
func (c *Config) kindOf(name, plain string) (attention, ok bool) {
	name = strings.TrimPrefix(name, "UNetRes") // an old name of the same
	return name == "Attn"+plain, name == plain || name == "Attn"+plain
}

// brief shortens a text of a file for an error.
func brief(s string) string { return fmt.Sprintf("%.60s", s) }

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return brief(*s)
}
