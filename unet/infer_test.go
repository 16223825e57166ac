package unet

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// visible returns a configuration without the fields that shapes do not tell.
func visible(c Config) Config {
	_, _, c.InChannels = c.firstMap() // patches look like channels
	c.PatchSize = 0
	c.ImageSize, c.NumHeads, c.NormGroups, c.TimeScale, c.NullClass = [2]int{}, 0, 0, 0, false
	c.NumHeadChannels, c.NormEpsilon, c.FreqShift, c.Turned = 0, 0, 0, false
	return c
}

// Shapes tell all of a configuration but the image's size, patches, heads, groups, the scale of
// time and the meaning of the last class. With the whole configuration the file loads into the same
// network.
func TestInfer(t *testing.T) {
	configs := maps.Clone(smallConfigs)
	for _, name := range []string{"tiny", "base", "patch"} {
		c, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		configs[name] = c
	}
	for name, c := range configs {
		for _, prefix := range []string{"", "module.", "ema.model."} {
			m := randomModel(t, kernels.Best(), c)
			f := &safetensors.File{}
			m.Params().AppendTensors(f, prefix, safetensors.F32, m.Params().Values)
			got, err := Infer(f)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if want := visible(c); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
			back, err := FromFile(f, c, kernels.Best())
			if err != nil || !slices.Equal(back.Params().Values, m.Params().Values) {
				t.Errorf("%s: weights came back otherwise, %v", name, err)
			}
		}
	}
}

// The golden network is a state dict of PyTorch's.
func TestInferGolden(t *testing.T) {
	file, err := os.Open("testdata/unet_small.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := FileConfig(f)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Infer(f); err != nil || !reflect.DeepEqual(got, visible(want)) {
		t.Errorf("got %+v, %v, want %+v", got, err, visible(want))
	}
}

func TestInferRefuses(t *testing.T) {
	whole := func() *safetensors.File {
		m := randomModel(t, kernels.Best(), smallConfigs["two blocks"])
		return m.File(m.Params().Values, safetensors.F32, nil)
	}
	drop := func(f *safetensors.File, prefix string) {
		f.Tensors = slices.DeleteFunc(f.Tensors, func(x safetensors.Tensor) bool { return strings.HasPrefix(x.Name, prefix) })
	}
	for name, c := range map[string]struct {
		change func(*safetensors.File)
		want   string
	}{
		"nothing":        {func(f *safetensors.File) { f.Tensors = nil }, "not those of this U-Net"},
		"no stem":        {func(f *safetensors.File) { drop(f, StemName) }, "not those of this U-Net"},
		"stem of rank 2": {func(f *safetensors.File) { f.Tensor(StemName).Shape = []int{8, 9} }, "not those of this U-Net"},
		"empty embedding": {func(f *safetensors.File) {
			f.Tensor("time_embed.0.weight").Shape = []int{32, 0}
		}, "not those of this U-Net"},
		"no blocks": {func(f *safetensors.File) { drop(f, "input_blocks.1.") }, "no residual block"},
		"uneven levels": {func(f *safetensors.File) {
			drop(f, "input_blocks.5.")
		}, "a level of 1 residual blocks after one of 2"},
		"odd width": {func(f *safetensors.File) {
			f.Tensor("input_blocks.1.0.in_layers.2.weight").Shape[0] = 9
		}, "its 9 channels"},
		"width inside level": {func(f *safetensors.File) {
			f.Tensor("input_blocks.2.0.in_layers.2.weight").Shape[0] = 16
		}, "its 16 channels"},
		"wrapped and more": {func(f *safetensors.File) {
			for i := range f.Tensors {
				f.Tensors[i].Name = fmt.Sprint("net.", f.Tensors[i].Name)
			}
			f.Tensors[9].Name = "optimizer"
		}, `"optimizer" stands beside`},
	} {
		f := whole()
		c.change(f)
		if _, err := Infer(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
