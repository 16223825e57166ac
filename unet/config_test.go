package unet

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/golden"
	"github.com/fmimg/fmimg/kernels"
)

// preset returns a preset's configuration after a change.
func preset(t testing.TB, name string, change func(*Config)) Config {
	t.Helper()
	c, err := Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&c)
	}
	return c
}

// mustFail fails the test unless the error's text has all the parts.
func mustFail(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %q does not say %q", what, err, part)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		parts  string // of the error, separated by |
	}{
		{func(c *Config) { c.NumHeadChannels = -1 }, "num_head_channels"},
		{func(c *Config) { c.NumHeads, c.NumHeadChannels = 2, 16 }, "num_head_channels|without num_heads"},
		{func(c *Config) { c.NumHeadChannels = 48 }, "num_head_channels 48|64 channels"},
		{func(c *Config) { c.NormEpsilon = -1e-6 }, "norm_epsilon"},
		{func(c *Config) { c.NormEpsilon = math.NaN() }, "norm_epsilon"},
		{func(c *Config) { c.FreqShift = 16 }, "freq_shift 16|below half"},
		{func(c *Config) { c.FreqShift = -1 }, "freq_shift"},
		{func(c *Config) { c.ImageSize, c.PatchSize, c.Turned = [2]int{32, 32}, 2, true }, "turned"},
		{func(c *Config) { c.ChannelMult = nil }, "channel_mult|between 1 and 8"},
		{func(c *Config) { c.ChannelMult = make([]int, 9) }, "channel_mult|between 1 and 8"},
		{func(c *Config) { c.ChannelMult = []int{1, 0} }, "channel_mult|between 1 and 64"},
		{func(c *Config) { c.ChannelMult = []int{65} }, "channel_mult|between 1 and 64"},
		{func(c *Config) { c.ImageSize = [2]int{0, 28} }, "image_size [0,28]|between 1 and 4096"},
		{func(c *Config) { c.ImageSize = [2]int{28, -4} }, "image_size [28,-4]|between 1 and 4096"},
		{func(c *Config) { c.ImageSize = [2]int{4100, 28} }, "image_size [4100,28]|between 1 and 4096"},
		{func(c *Config) { c.ImageSize = [2]int{30, 33} }, "image_size [30,33]|3 levels|multiples of 4|nearest is [32,32]"},
		{func(c *Config) { c.ImageSize = [2]int{1, 28} }, "image_size [1,28]|nearest is [4,28]"},
		{func(c *Config) { c.InChannels = 0 }, "in_channels 0|between 1 and 64"},
		{func(c *Config) { c.InChannels = 65 }, "in_channels 65"},
		{func(c *Config) { c.ModelChannels = 0 }, "model_channels 0|even"},
		{func(c *Config) { c.ModelChannels = 33 }, "model_channels 33|even"},
		{func(c *Config) { c.ModelChannels = 1026 }, "model_channels 1026|1024"},
		{func(c *Config) { c.ImageSize = [2]int{4096, 4096} }, "image_size [4096,4096]|model_channels 32|too large"},
		{func(c *Config) {
			c.ImageSize, c.ChannelMult = [2]int{512, 512}, []int{1, 64, 64}
		}, "image_size [512,512]|level 1|too large"},
		{func(c *Config) {
			c.ImageSize = [2]int{512, 512}
		}, "image_size [512,512]|attention at factor 4|16384 pixels|too large"},
		{func(c *Config) { c.ImageSize, c.AttentionResolutions = [2]int{128, 128}, []int{1} }, "attention at factor 1"},
		{func(c *Config) { c.ImageSize, c.AttentionResolutions = [2]int{1024, 512}, nil }, "attention at factor 4"},
		{func(c *Config) { c.NumResBlocks = 0 }, "num_res_blocks 0|between 1 and 16"},
		{func(c *Config) { c.NumResBlocks = 17 }, "num_res_blocks 17"},
		{func(c *Config) { c.NumClasses = -1 }, "num_classes -1"},
		{func(c *Config) { c.NumClasses = 1<<20 + 1 }, "num_classes 1048577"},
		{func(c *Config) { c.NumClasses, c.NullClass = 1, true }, "null_class|num_classes of 2 or more"},
		{func(c *Config) { c.TimeScale = -1 }, "time_scale -1"},
		{func(c *Config) { c.TimeScale = 2e6 }, "time_scale 2e+06|1e6"},
		{func(c *Config) { c.NormGroups = -1 }, "norm_groups|at least 1"},
		{func(c *Config) { c.NumHeads = -1 }, "num_heads|at least 1"},
		{func(c *Config) { c.NormGroups = 24 }, "norm_groups 24|32 channels"},
		{func(c *Config) { c.NumHeads = 3 }, "num_heads 3|32 channels"},
		{func(c *Config) { c.AttentionResolutions = []int{8} }, "attention_resolutions: 8|1 to 4"},
		{func(c *Config) { c.AttentionResolutions = []int{3} }, "attention_resolutions: 3|powers of 2"},
		{func(c *Config) { c.AttentionResolutions = []int{0} }, "attention_resolutions: 0"},
	} {
		parts := strings.Split(c.parts, "|")
		cfg := preset(t, "base", c.change)
		mustFail(t, c.parts, cfg.Validate(), parts...)
		_, err := New(cfg, kernels.Generic, nil)
		mustFail(t, c.parts, err, append(parts, "network configuration")...)
	}
}

func TestPresetsAreValid(t *testing.T) {
	for _, name := range []string{"tiny", "base", "large", "patch"} {
		if err := preset(t, name, nil).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Preset("huge")
	mustFail(t, "an unknown preset", err, `"huge"`, "tiny, base, large, patch")
}

// A preset has as many parameters as PyTorch's module of the same configuration: base has 1.19
// million. Each class adds 4·model_channels.
func TestPresetParameters(t *testing.T) {
	for _, c := range []struct {
		name         string
		conditional  int
		classes      int
		perClass     int
		tensorsCount int
	}{
		{"tiny", 81_137, 11, 64, 127},
		{"base", 1_192_641, 11, 128, 167},
		{"large", 6_949_697, 11, 256, 245},
	} {
		for _, classes := range []int{0, c.classes} {
			m, err := New(preset(t, c.name, func(c *Config) { c.NumClasses = classes }), kernels.Best(), nil)
			if err != nil {
				t.Fatal(err)
			}
			want, tensors := c.conditional, c.tensorsCount
			if classes == 0 {
				want, tensors = want-c.classes*c.perClass, tensors-1
			}
			if got := m.Params().Len(); got != want || len(m.Params().List) != tensors {
				t.Errorf("%s with %d classes: %d parameters in %d tensors, want %d in %d",
					c.name, classes, got, len(m.Params().List), want, tensors)
			}
		}
	}
}

func TestParseConfig(t *testing.T) {
	c, err := parseConfig([]byte(
		`{"image_size":[8,12],"in_channels":3,"model_channels":32,"num_res_blocks":1,"channel_mult":[1,2]}`))
	if err != nil || c.NormGroups != 32 || c.NumHeads != 1 || c.TimeScale != 1 {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	want := preset(t, "base", func(c *Config) { c.NumClasses, c.NullClass = 11, true })
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseConfig(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s became %+v, %v", text, got, err)
	}
	for _, wrong := range []string{
		"", "null", "[]", "{", `{"image_size":"28"}`, `{"image_size":[28,28]} {}`, `{"model_channels":1e99}`,
	} {
		_, err := parseConfig([]byte(wrong))
		mustFail(t, wrong, err)
	}
}

func TestConfigNumbers(t *testing.T) {
	c := preset(t, "base", func(c *Config) { c.NumClasses, c.NullClass, c.InChannels = 11, true, 3 })
	if c.Factor() != 4 || c.Classes() != 10 || c.ImageLen() != 28*28*3 {
		t.Errorf("factor %d, %d classes, %d elements", c.Factor(), c.Classes(), c.ImageLen())
	}
	c.NullClass = false
	if c.Classes() != 11 {
		t.Errorf("%d classes without a null class", c.Classes())
	}
}

// A new network's velocity is zero, because its head begins at zero. The same seed draws the same
// parameters.
func TestNewBeginsAtZero(t *testing.T) {
	cfg := preset(t, "tiny", func(c *Config) { c.ImageSize = [2]int{8, 8} })
	var values [2][]float32
	for i := range values {
		m, err := New(cfg, kernels.Best(), rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		v, x := make([]float32, cfg.ImageLen()), make([]float32, cfg.ImageLen())
		x[5], v[3] = 1, 1
		m.NewReplica(1, false).Forward(v, x, []float32{0.5}, nil)
		if golden.Norm(v) != 0 {
			t.Errorf("the first velocity has norm %g", golden.Norm(v))
		}
		values[i] = m.Params().Values
	}
	if !reflect.DeepEqual(values[0], values[1]) || golden.Norm(values[0]) == 0 {
		t.Error("one seed drew two networks, or none")
	}
}
