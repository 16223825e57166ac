package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/unet"
)

// FuzzCheckpoint takes checkpoints apart whose bytes are well formed, which package nn fuzzes: any configuration
// or none, as in PyTorch's weights, and tensors with other shapes, other names or none. What is accepted draws.
func FuzzCheckpoint(f *testing.F) {
	cfg := *smallNetwork()
	cfg.ModelChannels, cfg.NormGroups, cfg.NumClasses, cfg.NullClass = 2, 1, 3, true
	m, err := unet.New(cfg, kernels.Best(), nil)
	if err != nil {
		f.Fatal(err)
	}
	whole := m.File(m.Params().Values, nn.F32, nil)
	const meta = `{"pixel_range":[-1,1],"schedule":"0:6"}`
	f.Add(whole.Metadata[unet.ConfigKey], meta, "", uint8(0), uint8(0), 2, false)
	f.Add("", "", "module.", uint8(9), uint8(1), math.MaxInt, true)
	f.Add(`{"image_size":[8,8],"in_channels":1,"model_channels":2,"num_res_blocks":1,"channel_mult":[1],"norm_groups":2}`, meta, "", uint8(3), uint8(0), 0, false)
	f.Fuzz(func(t *testing.T, config, meta, prefix string, which, dim uint8, value int, drop bool) {
		file := &nn.File{Metadata: map[string]string{metaKey: meta}, Tensors: slices.Clone(whole.Tensors)}
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
			if n, ok := volume(tensor.Shape); ok { // as the reader, which takes no other
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
		if err != nil || cfg.ImageLen() > 1<<10 { // larger maps are right, and slow
			return
		}
		ck, err := newCheckpoint(file, cfg, "fuzz", kernels.Best())
		if err != nil {
			return
		}
		images, err := ck.Sample(t.Context(), SampleOptions{Steps: 1, Solver: "euler", Threads: 1})
		if err != nil || images.Len() != 1 {
			t.Errorf("drew %v, %v", images, err)
		}
	})
}

// volume multiplies a shape out; false when it is too large for this test.
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

// FuzzRunFolder opens run folders whose text files hold anything.
func FuzzRunFolder(f *testing.F) {
	f.Add(`{"options":{"data":"mnist","schedule":"0:6"}}`, `{"step":1,"loss":0.5}`+"\n")
	f.Add(`{`, "junk\n{}\n")
	f.Fuzz(func(t *testing.T, config, metrics string) {
		dir := t.TempDir()
		d := &runDir{path: dir}
		if err := os.WriteFile(d.file(configFile), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		if c, err := readRunConfig(dir); err == nil {
			o := c.Options
			_ = o.Validate()
			if _, err := json.Marshal(o); err != nil {
				t.Errorf("options that were read cannot be written: %v", err)
			}
		} else if !strings.Contains(err.Error(), configFile) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q", err)
		}
		kept, losses, held := keepMetrics([]byte(metrics), 5)
		if again, same, heldAgain := keepMetrics(kept, 5); !bytes.Equal(kept, again) || len(same) != len(losses) || len(heldAgain) != len(held) {
			t.Errorf("kept %q, and then %q", kept, again)
		}
	})
}

// FuzzTexts reads what people write: schedules and lists of classes.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{"3:1200,60:1180", "0:0", "7,0-9,none", "sneaker, T-shirt", "-1", "0-99999999999999999999"} {
		f.Add(text)
	}
	list := classList{model: "m", n: 10, names: []string{"T-shirt", "sneaker"}, null: true}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSchedule(text); err == nil {
			back, err := ParseSchedule(s.String())
			if err != nil || back.String() != s.String() || !(s.Rate(7, 1, 50, CosineRate) >= 0) {
				t.Errorf("schedule %q became %v, %v", text, back, err)
			}
		}
		classes, err := list.parse(text)
		for _, c := range classes {
			if err != nil || c < 0 || int(c) > list.n {
				t.Errorf("classes %q became %v, %v", text, classes, err)
			}
		}
	})
}
