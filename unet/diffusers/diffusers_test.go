package diffusers

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// some of our networks that map.
func networks() map[string]unet.Config {
	usual := func(change func(*unet.Config)) unet.Config {
		c := unet.Config{
			ImageSize: [2]int{8, 12}, InChannels: 3, ModelChannels: 8, NumResBlocks: 1, ChannelMult: []int{1, 2, 2},
			AttentionResolutions: []int{2}, NumHeads: 1, NormGroups: 4, TimeScale: 1,
		}
		change(&c)
		return c
	}
	return map[string]unet.Config{
		"usual":    usual(func(*unet.Config) {}),
		"modern":   usual(func(c *unet.Config) { c.UseScaleShiftNorm, c.NumClasses = true, 3 }),
		"heads":    usual(func(c *unet.Config) { c.NumHeadChannels, c.AttentionResolutions = 4, []int{1, 2, 4} }),
		"others":   usual(func(c *unet.Config) { c.NormEpsilon, c.FreqShift, c.Turned, c.NumResBlocks = 1e-6, 1, true, 2 }),
		"one":      usual(func(c *unet.Config) { c.ChannelMult, c.AttentionResolutions = []int{1}, nil }),
		"square":   usual(func(c *unet.Config) { c.ImageSize, c.InChannels = [2]int{8, 8}, 1 }),
		"no width": usual(func(c *unet.Config) { c.ChannelMult, c.AttentionResolutions = []int{1, 1}, []int{1} }),
	}
}

// A configuration and its tensors come back as they were, by way of the text of config.json.
func TestThereAndBack(t *testing.T) {
	for name, cfg := range networks() {
		c, err := Of(cfg)
		if err != nil {
			t.Fatal(err)
		}
		read, err := Parse(c.JSON())
		if err != nil {
			t.Fatal(err)
		}
		got, err := read.Network()
		if err != nil {
			t.Fatal(err)
		}
		if got.NormEpsilon == kernels.NormEpsilon {
			got.NormEpsilon = 0
		}
		if !reflect.DeepEqual(got, cfg) {
			t.Errorf("%s: %+v, was %+v", name, got, cfg)
		}
		m, err := unet.New(cfg, kernels.Generic, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Params().Values {
			m.Params().Values[i] = float32(i)
		}
		f, err := c.Tensors(m, safetensors.F32)
		if err != nil {
			t.Fatal(err)
		}
		back, err := read.Weights(f, got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := unet.FromFile(back, got, kernels.Generic)
		if err != nil || !slices.Equal(again.Params().Values, m.Params().Values) {
			t.Errorf("%s: other weights, %v", name, err)
		}
	}
}

// Networks that are not a UNet2DModel are refused by all that they have otherwise.
func TestOfRefuses(t *testing.T) {
	cfg := networks()["usual"]
	cfg.PatchSize, cfg.FlowMap, cfg.GuidanceEmbed, cfg.ChannelMult, cfg.NumHeads = 2, true, true, []int{2, 4, 2}, 2
	cfg.ImageSize = [2]int{16, 24}
	_, err := Of(cfg)
	d, ok := errors.AsType[*DifferencesError](err)
	if !ok {
		t.Fatal(err)
	}
	for _, key := range []string{"patch_size 2", "flow_map", "guidance_embed", "channel_mult[0] 2", "num_heads 2"} {
		if !strings.Contains(d.Error(), key) {
			t.Errorf("%q does not say %s", d, key)
		}
	}
}

// Each key that does not map is in the list, and no other. The lowest level has nothing below it,
// so downsample_type does not matter there; UpBlock2D does not look at upsample_type.
func TestNetworkListsDifferences(t *testing.T) {
	whole := func(rest string) string {
		return `{"_class_name": "UNet2DModel", "block_out_channels": [8, 16], "norm_num_groups": 4, "layers_per_block": 1,
			"down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]` + rest + "}"
	}
	for entry, want := range map[string]string{
		``:                                           "",
		`, "center_input_sample": true`:              "center_input_sample true",
		`, "out_channels": 4`:                        "out_channels 4",
		`, "out_channels": 6`:                        "",
		`, "time_embedding_dim": 32`:                 "",
		`, "time_embedding_dim": 64`:                 "time_embedding_dim 64",
		`, "class_embed_type": "timestep"`:           "class_embed_type timestep",
		`, "act_fn": "gelu"`:                         "act_fn gelu",
		`, "act_fn": "swish"`:                        "",
		`, "norm_eps": 0`:                            "norm_eps 0",
		`, "norm_num_groups": null`:                  "norm_num_groups null",
		`, "resnet_time_scale_shift": "ada_group"`:   "resnet_time_scale_shift ada_group",
		`, "resnet_time_scale_shift": "scale_shift"`: "attn_norm_num_groups null",
		`, "resnet_time_scale_shift": "scale_shift", "add_attention": false`: "",
		`, "attn_norm_num_groups": 2`:                                        "attn_norm_num_groups 2",
		`, "mid_block_type": "Other"`:                                        "mid_block_type Other",
		`, "mid_block_scale_factor": 1.414`:                                  "mid_block_scale_factor 1.414",
		`, "downsample_padding": 2`:                                          "downsample_padding 2",
		`, "attention_head_dim": 0`:                                          "attention_head_dim 0",
		`, "downsample_type": "resnet"`:                                      "",
		`, "down_block_types": ["AttnDownBlock2D", "DownBlock2D"], "downsample_type": "resnet"`: "downsample_type resnet",
		`, "upsample_type": "resnet"`:                           "",
		`, "block_out_channels": [8, 12]`:                       "block_out_channels [8 12]",
		`, "block_out_channels": [7, 14]`:                       "block_out_channels[0] 7",
		`, "block_out_channels": [8]`:                           "down_block_types and up_block_types",
		`, "act_fn": "gelu", "_use_default_values": ["act_fn"]`: "",
	} {
		c, err := Parse([]byte(whole(entry)))
		if err != nil {
			t.Fatal(entry, err)
		}
		_, err = c.Network()
		d, ok := errors.AsType[*DifferencesError](err)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", entry, err)
		case want != "" && (!ok || len(d.List) != 1 || !strings.Contains(d.List[0], want)):
			t.Errorf("%s: %v, want %s alone", entry, err, want)
		}
	}
}

// Any text is a configuration or an error.
func FuzzParse(f *testing.F) {
	c, err := Of(networks()["heads"])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.JSON())
	f.Add([]byte(`{"_class_name": "UNet2DModel", "_use_default_values": ["sample_size"], "sample_size": [1, 2], "_fmimg": {}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		cfg, err := c.Network()
		if err != nil {
			return
		}
		if _, err := c.Weights(&safetensors.File{}, cfg); err == nil {
			t.Error("a network without tensors")
		}
	})
}
