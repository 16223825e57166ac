package sample

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// FuzzCheckpoint opens checkpoints with any configuration or none, as in PyTorch's weights, and
// with a tensor of another shape, another name or none. What opens must draw. The bytes are well
// formed here; package safetensors fuzzes those.
func FuzzCheckpoint(f *testing.F) {
	cfg := *roomtest.SmallNetwork()
	cfg.ModelChannels, cfg.NormGroups, cfg.NumClasses, cfg.NullClass = 2, 1, 3, true
	m, err := unet.New(cfg, kernels.Best(), nil)
	if err != nil {
		f.Fatal(err)
	}
	whole := m.File(m.Params().Values, safetensors.F32, nil)
	const meta = `{"pixel_range":[-1,1],"schedule":"0:6"}`
	f.Add(whole.Metadata[unet.ConfigKey], meta, "", uint8(0), uint8(0), 2, false)
	f.Add("", "", "module.", uint8(9), uint8(1), math.MaxInt, true)
	const plain = `{"image_size":[8,8],"in_channels":1,"model_channels":2,"num_res_blocks":1,` +
		`"channel_mult":[1],"norm_groups":2}`
	f.Add(plain, meta, "", uint8(3), uint8(0), 0, false)
	f.Fuzz(func(t *testing.T, config, meta, prefix string, which, dim uint8, value int, drop bool) {
		metadata := map[string]string{model.MetaKey: meta}
		file := &safetensors.File{Metadata: metadata, Tensors: slices.Clone(whole.Tensors)}
		if config != "" {
			file.Metadata[unet.ConfigKey] = config
		}
		for i := range file.Tensors {
			file.Tensors[i].Name = prefix + file.Tensors[i].Name
		}
		if i := int(which) % len(file.Tensors); drop {
			file.Tensors = slices.Delete(file.Tensors, i, i+1)
		} else if tensor := &file.Tensors[i]; value >= 0 {
			tensor.Shape = slices.Clone(tensor.Shape)
			tensor.Shape[int(dim)%len(tensor.Shape)] = value
			if n, ok := volume(tensor.Shape); ok { // the reader checks that the lengths agree
				tensor.F32 = make([]float32, n)
			} else {
				return
			}
		}
		cfg, err := unet.FileConfig(file)
		if errors.Is(err, unet.ErrNoConfig) {
			cfg, err = unet.Infer(file)
			cfg.ImageSize, cfg.NumHeads, cfg.NormGroups, cfg.TimeScale = [2]int{8, 8}, 1, 1, 1000
		}
		if err != nil || cfg.ImageLen() > 1<<10 { // larger images are valid but slow
			return
		}
		ck, err := model.FromFileWithConfig(file, cfg, "fuzz", kernels.Best())
		if err != nil {
			return
		}
		images, err := Draw(t.Context(), ck, Options{Threads: 1, Method: model.Method{Steps: 1, Solver: "euler"}})
		if err != nil || images.Len() != 1 {
			t.Errorf("drew %v, %v", images, err)
		}
	})
}

// volume returns the product of a shape, or false when it is too large for this test.
func volume(shape []int) (int, bool) {
	n := 1
	for _, d := range shape {
		if d > 1<<12 || n > 1<<12 {
			return 0, false
		}
		n *= d
	}
	return n, true
}
