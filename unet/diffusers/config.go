package diffusers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fmimg/fmimg/unet"
)

// ClassName is the class of the networks that are translated.
const ClassName = "UNet2DModel"

// A Config is the configuration of a UNet2DModel, config.json. The names are those of its
// constructor's arguments.
type Config struct {
	ClassName           string   `json:"_class_name"`
	SampleSize          *Size    `json:"sample_size"` // nil: any
	InChannels          int      `json:"in_channels"`
	OutChannels         int      `json:"out_channels"`
	CenterInputSample   bool     `json:"center_input_sample"`
	TimeEmbeddingType   string   `json:"time_embedding_type"`
	TimeEmbeddingDim    *int     `json:"time_embedding_dim"`
	FreqShift           float64  `json:"freq_shift"`
	FlipSinToCos        bool     `json:"flip_sin_to_cos"`
	DownBlockTypes      []string `json:"down_block_types"`
	MidBlockType        *string  `json:"mid_block_type"`
	UpBlockTypes        []string `json:"up_block_types"`
	BlockOutChannels    []int    `json:"block_out_channels"`
	LayersPerBlock      int      `json:"layers_per_block"`
	MidBlockScaleFactor float64  `json:"mid_block_scale_factor"`
	DownsamplePadding   int      `json:"downsample_padding"`
	DownsampleType      string   `json:"downsample_type"`
	UpsampleType        string   `json:"upsample_type"`
	Dropout             float64  `json:"dropout"`
	ActFn               string   `json:"act_fn"`
	AttentionHeadDim    *int     `json:"attention_head_dim"` // nil: one head
	NormNumGroups       *int     `json:"norm_num_groups"`
	AttnNormNumGroups   *int     `json:"attn_norm_num_groups"`
	NormEps             float64  `json:"norm_eps"`
	ResnetTimeScale     string   `json:"resnet_time_scale_shift"`
	AddAttention        bool     `json:"add_attention"`
	ClassEmbedType      *string  `json:"class_embed_type"`
	NumClassEmbeds      *int     `json:"num_class_embeds"`
	NumTrainTimesteps   *int     `json:"num_train_timesteps"`
	// Training is what fmimg knows of the training beside; diffusers keeps the entry.
	Training *Training `json:"_fmimg,omitempty"`
}

// Training says what a network predicts and when.
type Training struct {
	From string `json:"-"` // the file of another program that says so; empty: none
	// Times are the timesteps at noise and at images.
	Times    [2]float64 `json:"times"`
	Path     string     `json:"path"`     // from noise to images
	Predicts string     `json:"predicts"` // velocity, noise or data
	Classes  []string   `json:"classes,omitempty"`
	// NoClass says that one row of the class embedding more, the last, means no class.
	NoClass bool `json:"no_class,omitempty"`
}

// A Size is height and width in pixels. In JSON it may be one number, or two.
type Size [2]int

// UnmarshalJSON reads a number or a list of two.
func (s *Size) UnmarshalJSON(text []byte) error {
	var side int
	if json.Unmarshal(text, &side) == nil {
		*s = Size{side, side}
		return nil
	}
	var sides []int
	if err := json.Unmarshal(text, &sides); err != nil || len(sides) != 2 {
		return fmt.Errorf("sample_size %.40s: want a number or two", text)
	}
	*s = Size{sides[0], sides[1]}
	return nil
}

// MarshalJSON writes a number where both sides are equal.
func (s Size) MarshalJSON() ([]byte, error) {
	if s[0] == s[1] {
		return json.Marshal(s[0])
	}
	return json.Marshal([2]int(s))
}

// usual returns the defaults of UNet2DModel's arguments.
func usual() Config {
	headDim, groups, middle := 8, 32, "UNetMidBlock2D"
	return Config{
		InChannels: 3, OutChannels: 3, TimeEmbeddingType: "positional", FlipSinToCos: true,
		DownBlockTypes:   []string{"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"},
		MidBlockType:     &middle,
		UpBlockTypes:     []string{"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"},
		BlockOutChannels: []int{224, 448, 672, 896}, LayersPerBlock: 2, MidBlockScaleFactor: 1, DownsamplePadding: 1,
		DownsampleType: "conv", UpsampleType: "conv", ActFn: "silu", AttentionHeadDim: &headDim, NormNumGroups: &groups,
		NormEps: 1e-5, ResnetTimeScale: "default", AddAttention: true,
	}
}

// ErrOther means that a text is not a configuration of diffusers: it has no _class_name.
var ErrOther = errors.New("it is not a configuration of diffusers: it has no _class_name")

// Parse reads a config.json. The error is an [ErrOther] for a file of another program.
func Parse(text []byte) (*Config, error) {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, err
	}
	if entries["_class_name"] == nil {
		return nil, ErrOther
	}
	var left []string // what was not set when the file was written: diffusers takes defaults
	if raw, ok := entries["_use_default_values"]; ok {
		if err := json.Unmarshal(raw, &left); err != nil {
			return nil, fmt.Errorf("_use_default_values: %w", err)
		}
	}
	for _, key := range left {
		delete(entries, key)
	}
	c := usual()
	for key, lists := range map[string]*[]string{"down_block_types": &c.DownBlockTypes, "up_block_types": &c.UpBlockTypes} {
		if entries[key] != nil {
			*lists = nil // a shorter list must not keep the rest
		}
	}
	rest, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(rest, &c); err != nil {
		return nil, err
	}
	if c.ClassName != ClassName {
		return nil, fmt.Errorf("it is of the class %.60s: only %s is this U-Net", c.ClassName, ClassName)
	}
	return &c, nil
}

// JSON returns the configuration as the text of a config.json.
func (c *Config) JSON() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		panic(err) // plain data, whose numbers are finite
	}
	return b.Bytes()
}

// Of returns the configuration of a network of fmimg as a UNet2DModel. The error is a
// [*DifferencesError] where there is none.
func Of(cfg unet.Config) (*Config, error) {
	c, d := usual(), &differences{}
	c.ClassName = ClassName
	size := Size(cfg.ImageSize)
	c.SampleSize = &size
	c.InChannels, c.OutChannels = cfg.InChannels, cfg.InChannels
	c.FreqShift, c.LayersPerBlock = cfg.FreqShift, cfg.NumResBlocks
	if cfg.NormEpsilon > 0 {
		c.NormEps = cfg.NormEpsilon
	}
	c.NormNumGroups = &cfg.NormGroups
	if cfg.UseScaleShiftNorm {
		c.ResnetTimeScale, c.AttnNormNumGroups = "scale_shift", &cfg.NormGroups
	}
	if cfg.Turned {
		c.DownsamplePadding = 0
	}
	if cfg.NumClasses > 0 {
		c.NumClassEmbeds = &cfg.NumClasses
	}
	d.addIf(cfg.PatchSize > 1, "patch_size %d: its first convolution reads patches of pixels", cfg.PatchSize)
	d.addIf(cfg.FlowMap, "flow_map: it takes the length of a jump beside the time")
	d.addIf(cfg.GuidanceEmbed, "guidance_embed: it takes the weight of guidance")
	d.addIf(cfg.ChannelMult[0] != 1, "channel_mult[0] %d: the first level has more channels than the sinusoid of the time", cfg.ChannelMult[0])
	c.blocks(cfg)
	c.headDim(cfg, d)
	return &c, d.err("the network is not a " + ClassName)
}

// blocks sets the kinds and widths of the levels.
func (c *Config) blocks(cfg unet.Config) {
	levels := len(cfg.ChannelMult)
	c.BlockOutChannels, c.DownBlockTypes, c.UpBlockTypes = nil, nil, make([]string, levels)
	for level, mult := range cfg.ChannelMult {
		c.BlockOutChannels = append(c.BlockOutChannels, mult*cfg.ModelChannels)
		down, up := "DownBlock2D", "UpBlock2D"
		if cfg.AttendsAt(level) {
			down, up = "Attn"+down, "Attn"+up
		}
		c.DownBlockTypes = append(c.DownBlockTypes, down)
		c.UpBlockTypes[levels-1-level] = up
	}
}

// headDim sets the channels of a head, which are the same at each level there.
func (c *Config) headDim(cfg unet.Config, d *differences) {
	lowest := c.BlockOutChannels[len(c.BlockOutChannels)-1]
	each := lowest / cfg.Heads(lowest)
	if cfg.NumHeadChannels == 0 && cfg.NumHeads == 1 {
		c.AttentionHeadDim = nil
		return
	}
	c.AttentionHeadDim = &each
	for level, channels := range c.BlockOutChannels {
		if cfg.AttendsAt(level) && channels/cfg.Heads(channels) != each {
			d.addIf(true, "num_heads %d: heads of %d channels at level %d and of %d at the lowest, where it has heads of one width",
				cfg.NumHeads, channels/cfg.Heads(channels), level, each)
		}
	}
}
