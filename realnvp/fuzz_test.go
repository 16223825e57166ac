package realnvp

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// FuzzFromFile takes any configuration, with tensors that are missing or have another shape. A file
// that is accepted must draw.
func FuzzFromFile(f *testing.F) {
	m, err := New(tiny, kernels.Best(), nil)
	if err != nil {
		f.Fatal(err)
	}
	whole := m.File(m.Params().Values, safetensors.F32, nil)
	f.Add(whole.Metadata[ConfigKey], uint8(0), 4, false)
	f.Add(`{"image_size":[8,8],"in_channels":1,"hidden_channels":4,"num_blocks":1,`+
		`"norm_groups":2,"scales":2,"alpha":0.05,"scale_bound":2}`, uint8(3), 0, true)
	f.Add(`{"image_size":[1024,1024],"in_channels":64,"hidden_channels":1,`+
		`"norm_groups":1,"scales":1,"scale_bound":2}`, uint8(0), 1, false)
	f.Fuzz(func(_ *testing.T, config string, which uint8, side int, drop bool) {
		file := &safetensors.File{Metadata: map[string]string{ConfigKey: config}, Tensors: slices.Clone(whole.Tensors)}
		if i := int(which) % len(file.Tensors); drop {
			file.Tensors = slices.Delete(file.Tensors, i, i+1)
		} else if side >= 0 && side < 1<<10 {
			file.Tensors[i].Shape, file.Tensors[i].F32 = []int{side}, make([]float32, side)
		}
		var cfg Config
		// larger maps are right, and slow
		if json.Unmarshal([]byte(config), &cfg) != nil || cfg.Validate() == nil && cfg.ImageLen() > 1<<10 {
			return
		}
		m, err := FromFile(file, kernels.Best())
		if err != nil {
			return
		}
		m.NewReplica(1, false).Sample(make([]float32, cfg.ImageLen()), 1)
	})
}
