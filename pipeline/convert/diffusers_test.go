package convert

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
	"github.com/fmimg/fmimg/unet/diffusers"
)

// A pythonCase is a network for testdata/diffusers_run.py to make or to run.
type pythonCase struct {
	Name   string            `json:"-"`
	Folder string            `json:"folder"`
	Config map[string]any    `json:"config,omitempty"`
	Save   map[string]any    `json:"save,omitempty"`
	Rename map[string]string `json:"rename,omitempty"`
	DType  string            `json:"dtype,omitempty"`
	Seed   int               `json:"seed"`
	Shape  []int             `json:"shape"`
	X      string            `json:"x"`
	T      string            `json:"t"`
	Y      string            `json:"y,omitempty"`
	Out    string            `json:"out"`
	Readme bool              `json:"readme,omitempty"`
	Again  string            `json:"again,omitempty"`
	// Scheduler is a class and its arguments.
	Scheduler []any `json:"scheduler,omitempty"`

	o ImportOptions // how it comes here
}

// diffusersTimes are the times of the images of a case.
var diffusersTimes = []float32{0, 0.375, 0.9375}

// inputs writes the inputs of a case, for images of a shape [C, H, W] and so many classes. times
// are the network's own at noise and at images.
func (c *pythonCase) inputs(t *testing.T, folder string, shape []int, classes int, times [2]float64) {
	t.Helper()
	n := len(diffusersTimes)
	rng := rand.New(rand.NewPCG(9, 9))
	x := make([]float32, n*shape[0]*shape[1]*shape[2])
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	steps, y := make([]float32, n), make([]int64, n)
	for i, at := range diffusersTimes {
		steps[i] = float32(times[0] + (times[1]-times[0])*float64(at))
		y[i] = int64(i % max(classes, 1))
	}
	write := func(name string, numbers any) string {
		path := filepath.Join(folder, c.Name+"."+name)
		raw, err := binary.Append(nil, binary.LittleEndian, numbers)
		if err == nil {
			err = os.WriteFile(path, raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	c.Shape = append([]int{n}, shape...)
	c.X, c.T, c.Out = write("x", x), write("t", steps), filepath.Join(folder, c.Name+".out")
	if classes > 0 {
		c.Y = write("y", y)
	}
}

// numbers reads a file of float32.
func numbers(t *testing.T, path string) []float32 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

// inPython runs cases by a script over the real library.
func inPython(t *testing.T, script, folder string, cases []*pythonCase) {
	t.Helper()
	name := os.Getenv("FMIMG_TEST_TRAVEL")
	if name == "" {
		t.Skip("FMIMG_TEST_TRAVEL must name a Python with diffusers, torchcfm and PyTorch (make travel)")
	}
	text, err := json.Marshal(cases)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "cases.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(name, "testdata/"+script, folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// here evaluates a model on the inputs of a case, in the order [N, C, H, W].
func (c *pythonCase) here(t *testing.T, path string) []float32 {
	t.Helper()
	ck, u := opened(t, path)
	s := ck.Shape()
	if want := []int{s.Channels, s.Height, s.Width}; !slices.Equal(c.Shape[1:], want) {
		t.Fatalf("%s: images of %v, want %v", c.Name, want, c.Shape[1:])
	}
	planar := numbers(t, c.X)
	x, v := nhwc(planar, s), make([]float32, len(planar))
	var y []int32
	if classes := u.Config().NumClasses; classes > 0 {
		for i := range diffusersTimes {
			y = append(y, int32(i%classes))
		}
	}
	u.NewReplica(len(diffusersTimes), false).Forward(v, x, diffusersTimes, y)
	return nchw(v, s)
}

// nhwc undoes nchw.
func nhwc(images []float32, s pipeline.Shape) []float32 {
	out, pixels := make([]float32, len(images)), s.Len()/s.Channels
	for i, v := range images {
		image, rest := i/s.Len(), i%s.Len()
		out[image*s.Len()+rest%pixels*s.Channels+rest/pixels] = v
	}
	return out
}

// foreignConfigs are the arguments of UNet2DModel for networks that map.
func foreignConfigs() []*pythonCase {
	usual := func(changes map[string]any) map[string]any {
		c := map[string]any{
			"sample_size": 8, "in_channels": 3, "out_channels": 3, "block_out_channels": []int{16, 32}, "layers_per_block": 1,
			"down_block_types": []string{"DownBlock2D", "AttnDownBlock2D"}, "up_block_types": []string{"AttnUpBlock2D", "UpBlock2D"},
			"norm_num_groups": 8,
		}
		maps.Copy(c, changes)
		return c
	}
	ddpm := usual(map[string]any{ // as google/ddpm-cifar10-32, but smaller
		"block_out_channels": []int{16, 32, 32}, "layers_per_block": 2, "attention_head_dim": nil, "downsample_padding": 0,
		"flip_sin_to_cos": false, "freq_shift": 1, "norm_eps": 1e-6,
		"down_block_types": []string{"DownBlock2D", "AttnDownBlock2D", "DownBlock2D"},
		"up_block_types":   []string{"UpBlock2D", "AttnUpBlock2D", "UpBlock2D"},
	})
	noise := ImportOptions{Times: [2]float64{999, -1}, Path: "vp", Objective: model.NoiseObjective}
	return []*pythonCase{
		{Name: "usual", Config: usual(nil)},
		{Name: "ddpm", Config: ddpm, o: noise},
		{Name: "old names", Config: ddpm, o: noise, Rename: map[string]string{
			".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn.",
		}},
		// The times are those of FlowMatchEulerDiscreteScheduler.
		{Name: "flow matching", Config: usual(nil), o: ImportOptions{Times: [2]float64{1000, 0}}},
		{Name: "scale and shift", Config: usual(map[string]any{
			"resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 8, "sample_size": []int{8, 12}, "num_class_embeds": 5,
			"in_channels": 1, "out_channels": 1,
		}), o: ImportOptions{TimeScale: 1, Classes: []string{"a", "b", "c", "d"}}},
		{Name: "less attention", Config: usual(map[string]any{
			"add_attention": false, "down_block_types": []string{"AttnDownBlock2D", "DownBlock2D"}, "attention_head_dim": 16,
		})},
		{Name: "no middle", Config: usual(map[string]any{"mid_block_type": nil, "dropout": 0.1, "sample_size": nil}),
			o: ImportOptions{Size: pipeline.Size{Width: 12, Height: 8}}},
		{Name: "variance", Config: usual(map[string]any{"out_channels": 6, "downsample_padding": 0})},
		{Name: "parts", Config: usual(nil), Save: map[string]any{"max_shard_size": "100KB"}},
		{Name: "pickle", Config: usual(nil), Save: map[string]any{"safe_serialization": false}},
		{Name: "half parts", Config: usual(nil), Save: map[string]any{"variant": "fp16", "max_shard_size": "100KB"}},
		{Name: "pickle parts", Config: usual(nil), Save: map[string]any{"safe_serialization": false, "max_shard_size": "100KB"}},
		{Name: "half", Config: usual(nil), DType: "float16", Save: map[string]any{"variant": "fp16"}},
		{Name: "bfloat16", Config: usual(nil), DType: "bfloat16"},
	}
}

// Networks that diffusers made with random weights compute the same here, from each of the files
// that it writes.
func TestFromDiffusers(t *testing.T) {
	folder := t.TempDir()
	cases := foreignConfigs()
	for i, c := range cases {
		c.Seed, c.Folder = i, filepath.Join(folder, c.Name)
		classes, _ := c.Config["num_class_embeds"].(int)
		shape := []int{c.Config["in_channels"].(int), 8, 8}
		switch side := c.Config["sample_size"].(type) {
		case nil:
			shape[1], shape[2] = c.o.Size.Height, c.o.Size.Width
		case []int:
			copy(shape[1:], side)
		}
		times := c.o.Times
		if times == [2]float64{} {
			times[1] = 1000
			option.Override(&times[1], c.o.TimeScale)
		}
		c.inputs(t, folder, shape, classes, times)
	}
	inPython(t, "diffusers_run.py", folder, cases)
	for _, c := range cases {
		c.o.File = c.Folder
		c.comesOver(t)
	}
}

// The scheduler of a pipeline says what flags would: the same file comes out of the whole folder
// without flags. Of a scheduler that has no path here a note says why.
func TestFromDiffusersPipeline(t *testing.T) {
	folder := t.TempDir()
	network := foreignConfigs()[0].Config
	cases := []*pythonCase{
		{Name: "ddpm", Scheduler: []any{"DDPMScheduler", map[string]any{}},
			o: ImportOptions{Times: [2]float64{999, -1}, Path: "vp(0.1,20)", Objective: model.NoiseObjective}},
		{Name: "ddim", Scheduler: []any{"DDIMScheduler", map[string]any{"num_train_timesteps": 500, "beta_end": 0.04, "prediction_type": "sample"}},
			o: ImportOptions{Times: [2]float64{499, -1}, Path: "vp(0.05,20)", Objective: model.DataObjective}},
		{Name: "flow", Scheduler: []any{"FlowMatchEulerDiscreteScheduler", map[string]any{"shift": 3}},
			o: ImportOptions{Times: [2]float64{1000, 0}, Path: "linear", Objective: model.VelocityObjective}},
		{Name: "short", Scheduler: []any{"DDPMScheduler", map[string]any{"num_train_timesteps": 200}},
			o: ImportOptions{Times: [2]float64{0, 1000}}},
		{Name: "edm", Scheduler: []any{"EDMEulerScheduler", map[string]any{}}, o: ImportOptions{Times: [2]float64{0, 1000}}},
		{Name: "cosine", Scheduler: []any{"DDPMScheduler", map[string]any{"beta_schedule": "squaredcos_cap_v2"}},
			o: ImportOptions{Times: [2]float64{0, 1000}}},
	}
	for _, c := range cases {
		c.Config, c.Folder = network, filepath.Join(folder, c.Name)
		c.inputs(t, folder, []int{3, 8, 8}, 0, c.o.Times)
	}
	inPython(t, "diffusers_run.py", folder, cases)
	for _, c := range cases {
		var notes strings.Builder
		told, untold := c.o, ImportOptions{OnEvent: func(e pipeline.Event) { notes.WriteString(e.Text) }}
		told.File, told.Out = filepath.Join(c.Folder, "unet"), c.Folder+"-told.safetensors"
		untold.File, untold.Out = c.Folder, c.Folder+"-untold.safetensors"
		if err := errors.Join(Import(told), Import(untold)); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		_, u := opened(t, told.Out)
		_, v := opened(t, untold.Out)
		if u.Predicts != v.Predicts || !reflect.DeepEqual(u.Config(), v.Config()) || !slices.Equal(u.Params().Values, v.Params().Values) {
			t.Errorf("%s: %+v by flags, %+v without", c.Name, u.Predicts, v.Predicts)
		}
		want := "scheduler_config.json says, the network predicts " + string(c.o.Objective) + " on the path " + c.o.Path
		if why, ok := map[string]string{
			"cosine": "beta_schedule squaredcos_cap_v2", "edm": "without beta_start", "short": "vp(0.02,4)",
		}[c.Name]; ok {
			want = why
		}
		if !strings.Contains(notes.String(), want) {
			t.Errorf("%s: notes %q, want %q", c.Name, notes.String(), want)
		}
	}
}

// comesOver imports the network of a case, and compares what it finds here and there.
func (c *pythonCase) comesOver(t *testing.T) {
	t.Helper()
	c.o.Out = c.Folder + ".safetensors"
	if err := Import(c.o); err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return
	}
	got, want := c.here(t, c.o.Out), numbers(t, c.Out)
	if len(want) == 2*len(got) { // without the variances
		size := len(got) / c.Shape[0]
		for i := range c.Shape[0] {
			copy(want[i*size:], want[2*i*size:(2*i+1)*size])
		}
		want = want[:len(got)]
	}
	if c.o.Times[0] > 0 && c.o.Objective == "" { // the velocity is turned round
		for i := range want {
			want[i] = -want[i]
		}
	}
	if off := relative(t, got, want); !(off <= 1e-4) {
		t.Errorf("%s: off by %.2g", c.Name, off)
	}
}

// Variants of guided diffusion's networks compute the same here where they are options, and are
// refused by the tensor that shows what this network lacks.
func TestFromGuidedDiffusion(t *testing.T) {
	folder := t.TempDir()
	usual := func(changes map[string]any) map[string]any {
		c := map[string]any{
			"image_size": 8, "in_channels": 3, "model_channels": 32, "out_channels": 3, "num_res_blocks": 1,
			"attention_resolutions": []int{2}, "channel_mult": []int{1, 2}, "num_heads": 4,
		}
		maps.Copy(c, changes)
		return c
	}
	size := pipeline.Square(8)
	cases := []*pythonCase{
		{Name: "heads", Config: usual(nil), o: ImportOptions{Size: size, Heads: 4}},
		{Name: "new order", Config: usual(map[string]any{"use_new_attention_order": true}),
			o: ImportOptions{Size: size, Heads: 4, NewAttentionOrder: true}},
		{Name: "channels of heads", Config: usual(map[string]any{"num_head_channels": 16, "use_new_attention_order": true}),
			o: ImportOptions{Size: size, HeadChannels: 16, NewAttentionOrder: true}},
		{Name: "diffusion", Config: usual(map[string]any{"out_channels": 6, "use_scale_shift_norm": true, "num_classes": 4}),
			o: ImportOptions{Size: size, Heads: 4, Times: [2]float64{999, 0}, Path: "cosine", Objective: model.NoiseObjective}},
		{Name: "updown", Config: usual(map[string]any{"resblock_updown": true}), o: ImportOptions{Size: size}},
		{Name: "means", Config: usual(map[string]any{"conv_resample": false}), o: ImportOptions{Size: size}},
		{Name: "fraction", Config: usual(map[string]any{"model_channels": 64, "channel_mult": []float64{0.5, 1}}), o: ImportOptions{Size: size}},
		{Name: "more channels", Config: usual(map[string]any{"in_channels": 6}), o: ImportOptions{Size: size}},
	}
	refused := map[string]string{
		"updown": "resblock_updown", "means": "conv_resample", "fraction": "channel_mult", "more channels": "out.2.weight",
	}
	for i, c := range cases {
		c.Seed, c.Folder = i, filepath.Join(folder, c.Name+".pt")
		c.o.File = c.Folder
		times := c.o.Times
		if times == [2]float64{} {
			times[1] = 1
		}
		if refused[c.Name] == "" {
			classes, _ := c.Config["num_classes"].(int)
			c.inputs(t, folder, []int{3, 8, 8}, classes, times)
		}
	}
	inPython(t, "guided_run.py", folder, cases)
	for _, c := range cases {
		if want := refused[c.Name]; want != "" {
			c.o.Out = c.Folder + ".safetensors"
			if err := Import(c.o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %s", c.Name, err, want)
			}
			continue
		}
		c.comesOver(t)
	}
}

// diffusers loads what fmimg writes, with nothing missing and nothing left over, and finds the
// same. The README's program draws. What diffusers saves then, with other weights, is a model here
// again.
func TestToDiffusers(t *testing.T) {
	folder := t.TempDir()
	var cases []*pythonCase
	var files []string
	for _, m := range nets {
		path := m.save(t, folder)
		_, u := opened(t, path)
		out := filepath.Join(folder, m.name)
		half := m.name == "no classes"
		err := Diffusers(DiffusersOptions{Model: path, Out: out, Half: half})
		if d, ok := errors.AsType[*diffusers.DifferencesError](err); ok {
			if !slices.Contains([]string{"patches", "flow map", "guided flow map"}, m.name) {
				t.Errorf("%s: %v", m.name, d)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		cfg := u.Config()
		c := &pythonCase{Name: m.name, Folder: out, Readme: true}
		c.inputs(t, folder, []int{cfg.InChannels, cfg.ImageSize[0], cfg.ImageSize[1]}, cfg.NumClasses, [2]float64{0, cfg.TimeScale})
		if half {
			path += ".half"
			if err := model.Export(filepath.Join(folder, m.name+".safetensors"), path, true); err != nil {
				t.Fatal(err)
			}
		}
		again := *c
		again.Name, again.Again, again.Readme = m.name+" again", out+" again", false
		again.Out += ".again"
		cases, files = append(cases, c, &again), append(files, path, "")
	}
	inPython(t, "diffusers_run.py", folder, cases)
	for i, c := range cases {
		path := files[i]
		if path == "" {
			path = c.Again + ".safetensors"
			if err := Import(ImportOptions{File: c.Again, Out: path}); err != nil {
				t.Errorf("%s: %v", c.Name, err)
				continue
			}
			sameTraining(t, c.Name, path, files[i-1])
		}
		if off := relative(t, c.here(t, path), numbers(t, c.Out)); !(off <= 1e-4) {
			t.Errorf("%s: off by %.2g", c.Name, off)
		}
	}
}

// sameTraining compares what two models say of their networks and training.
func sameTraining(t *testing.T, name, path, was string) {
	t.Helper()
	a, u := opened(t, path)
	b, v := opened(t, was)
	if !slices.Equal(a.Meta.Classes, b.Meta.Classes) || u.Predicts != v.Predicts {
		t.Errorf("%s: classes %q and %q, predictions %v and %v", name, a.Meta.Classes, b.Meta.Classes, u.Predicts, v.Predicts)
	}
	now, before := u.Config(), v.Config()
	if now.NumHeadChannels > 0 { // the same heads, told otherwise
		now.NumHeads, now.NumHeadChannels = before.NumHeads, before.NumHeadChannels
	}
	if !reflect.DeepEqual(now, before) {
		t.Errorf("%s: the network was %+v, is %+v", name, before, now)
	}
}

// Without Python: a folder that fmimg writes is the same model when it comes back.
func TestDiffusersAndBack(t *testing.T) {
	folder := t.TempDir()
	for _, m := range nets {
		path := m.save(t, folder)
		out := filepath.Join(folder, m.name)
		if err := Diffusers(DiffusersOptions{Model: path, Out: out}); err != nil {
			continue
		}
		for _, file := range []string{out, filepath.Join(out, model.DiffusersWeights)} {
			back := filepath.Join(folder, m.name+" back.safetensors")
			if err := Import(ImportOptions{File: file, Out: back}); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			sameTraining(t, m.name, back, path)
			a, _ := opened(t, path)
			if b, _ := opened(t, back); !slices.Equal(a.Params().Values, b.Params().Values) {
				t.Errorf("%s: other weights", m.name)
			}
		}
	}
}

// Mistakes name the option, and leave nothing.
func TestDiffusersRefuses(t *testing.T) {
	folder := t.TempDir()
	full := filepath.Join(folder, "full")
	if err := os.MkdirAll(filepath.Join(full, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	tiny := nets[0].save(t, folder)
	for _, c := range []struct {
		option string
		o      DiffusersOptions
	}{
		{"out", DiffusersOptions{Model: tiny}},
		{"out", DiffusersOptions{Model: tiny, Out: full}},
		{"out", DiffusersOptions{Model: tiny, Out: tiny}},
	} {
		err := Diffusers(c.o)
		if wrong, ok := errors.AsType[*option.Error](err); !ok || wrong.Option != c.option {
			t.Errorf("%+v: %v, want a mistake in %s", c.o, err, c.option)
		}
	}
	out := filepath.Join(folder, "out")
	err := Diffusers(DiffusersOptions{Model: "mnist-fast", Out: out})
	if err == nil || !strings.Contains(err.Error(), "flow_map") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Error("a folder is left")
	}
}

// written writes a small network as diffusers has it, and returns its folder.
func written(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	out := filepath.Join(folder, "net")
	m := made{name: "small", change: func(c *unet.Config) { c.NumClasses, c.NullClass = 0, false }}
	if err := Diffusers(DiffusersOptions{Model: m.save(t, folder), Out: out}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A folder that is broken, or of a network that does not map, is refused by what is wrong with it.
func TestFromDiffusersRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(entries map[string]any)
		want   []string // parts of the error
	}{
		"several": {func(e map[string]any) {
			e["time_embedding_type"], e["act_fn"], e["downsample_padding"] = "fourier", "mish", 2
		}, []string{"time_embedding_type fourier", "act_fn mish", "downsample_padding 2"}},
		"blocks": {func(e map[string]any) {
			e["down_block_types"] = []string{"SkipDownBlock2D", "ResnetDownsampleBlock2D"}
			e["up_block_types"] = []string{"UpBlock2D", "SkipUpBlock2D"}
		}, []string{"down_block_types[0] SkipDownBlock2D", "down_block_types[1] Resnet", "up_block_types[1] Skip"}},
		"another class": {func(e map[string]any) { e["_class_name"] = "UNet2DConditionModel" }, []string{"UNet2DConditionModel", "UNet2DModel"}},
		"no class name": {func(e map[string]any) { delete(e, "_class_name") }, []string{"_class_name"}},
		"huge":          {func(e map[string]any) { e["block_out_channels"] = []int64{1 << 40, 1 << 40} }, []string{"model_channels"}},
		"huge levels":   {func(e map[string]any) { e["layers_per_block"] = int64(1 << 50) }, []string{"num_res_blocks"}},
		"negative":      {func(e map[string]any) { e["layers_per_block"] = -1 }, []string{"num_res_blocks"}},
		"many levels": {func(e map[string]any) {
			many := slices.Repeat([]int{1}, 100_000)
			many[0] = 64
			e["block_out_channels"] = many
		}, []string{"block_out_channels: 100000 levels"}},
		"no levels":        {func(e map[string]any) { e["block_out_channels"] = []int{} }, []string{"block_out_channels"}},
		"zero width":       {func(e map[string]any) { e["block_out_channels"] = []int{0, 0} }, []string{"block_out_channels"}},
		"text for number":  {func(e map[string]any) { e["layers_per_block"] = "two" }, []string{"layers_per_block"}},
		"broken size":      {func(e map[string]any) { e["sample_size"] = []int{8} }, []string{"sample_size"}},
		"no size":          {func(e map[string]any) { e["sample_size"] = nil }, []string{"size", "sample_size"}},
		"more layers":      {func(e map[string]any) { e["layers_per_block"] = 2 }, []string{"down_blocks.0.resnets.1", "is missing"}},
		"fewer layers":     {func(e map[string]any) { e["add_attention"] = false }, []string{"no place", "mid_block.attentions.0"}},
		"other shapes":     {func(e map[string]any) { e["block_out_channels"] = []int{32, 32} }, []string{"of shape [64 16]", "not floats of [128 32]"}},
		"classes it lacks": {func(e map[string]any) { e["num_class_embeds"] = 7 }, []string{"class_embedding.weight is missing"}},
		"huge table":       {func(e map[string]any) { e["num_class_embeds"] = int64(1 << 60) }, []string{"num_classes"}},
		"own entry": {func(e map[string]any) {
			e["_fmimg"] = map[string]any{"times": []float64{0, 1}, "path": "straight", "predicts": "velocity"}
		}, []string{"straight"}},
		"equal times": {func(e map[string]any) {
			e["_fmimg"] = map[string]any{"times": []float64{3, 3}, "path": "linear", "predicts": "velocity"}
		}, []string{"times 3 to 3"}},
	} {
		out := written(t)
		path := filepath.Join(out, model.DiffusersConfig)
		text, err := os.ReadFile(path)
		var entries map[string]any
		if err == nil {
			err = json.Unmarshal(text, &entries)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.change(entries)
		if text, err = json.Marshal(entries); err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, name, out, c.want...)
	}
}

// refuses checks that a folder is no model, and that the error has all parts, on one line.
func refuses(t *testing.T, name, folder string, parts ...string) {
	t.Helper()
	out := folder + ".safetensors"
	err := Import(ImportOptions{File: folder, Out: out})
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	for _, part := range append(parts, "") {
		if text := err.Error(); !strings.Contains(text, part) || strings.Contains(text, "\n") {
			t.Errorf("%s: error %q does not say %q in one line", name, text, part)
		}
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: a file is left", name)
	}
}

// So is one whose files are broken.
func TestFromBrokenDiffusers(t *testing.T) {
	write := func(folder, name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(folder, name string) {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	index := model.DiffusersWeights + ".index.json"
	whole := written(t)
	for _, o := range []ImportOptions{
		{File: whole, Out: filepath.Join(whole, "model.safetensors")},
		{File: whole, Out: filepath.Join(whole, model.DiffusersWeights)},
		{File: filepath.Join(whole, index), Out: filepath.Join(whole, "new", "a.safetensors")},
	} {
		if err := Import(o); err == nil || !strings.Contains(err.Error(), "among the files of the weights") {
			t.Errorf("from %s to %s: %v", o.File, o.Out, err)
		}
	}
	for name, c := range map[string]struct {
		change func(folder string)
		want   string
	}{
		"no JSON":          {func(f string) { write(f, "config.json", "{") }, "config.json"},
		"a list":           {func(f string) { write(f, "config.json", "[]") }, "config.json"},
		"a large file":     {func(f string) { write(f, "config.json", strings.Repeat(" ", 9<<20)) }, "larger than"},
		"no configuration": {func(f string) { remove(f, "config.json") }, "put its config.json beside it"},
		"no weights":       {func(f string) { remove(f, model.DiffusersWeights) }, model.DiffusersWeights},
		"other bytes":      {func(f string) { write(f, model.DiffusersWeights, "PK\x03\x04") }, "zip"},
		"no part": {func(f string) {
			remove(f, model.DiffusersWeights)
			write(f, index, `{"weight_map":{"conv_in.weight":"part.safetensors"}}`)
		}, "part.safetensors"},
		"a part elsewhere": {func(f string) {
			remove(f, model.DiffusersWeights)
			write(f, index, `{"weight_map":{"conv_in.weight":"../../part.safetensors"}}`)
		}, "not a file of the same folder"},
		"a tensor elsewhere": {func(f string) {
			if err := os.Rename(filepath.Join(f, model.DiffusersWeights), filepath.Join(f, "a.safetensors")); err != nil {
				t.Fatal(err)
			}
			write(f, index, `{"weight_map":{"conv_in.weight":"a.safetensors"}}`)
		}, "elsewhere"},
		"an empty list": {func(f string) {
			remove(f, model.DiffusersWeights)
			write(f, index, `{"weight_map":{}}`)
		}, "weight_map"},
	} {
		folder := written(t)
		c.change(folder)
		refuses(t, name, folder, c.want)
	}
}

// What the configuration says cannot be an option too, and weights are no model without import.
func TestDiffusersOptions(t *testing.T) {
	folder := written(t)
	for name, o := range map[string]ImportOptions{
		"heads": {Heads: 1}, "head-channels": {HeadChannels: 8}, "norm-groups": {NormGroups: 8},
		"new-attention-order": {NewAttentionOrder: true}, "time-scale": {TimeScale: 1, Times: [2]float64{0, 2}},
		"classes": {Classes: []string{"a"}}, "times": {Times: [2]float64{math.Inf(1), 0}},
	} {
		o.File, o.Out = folder, folder+".safetensors"
		if wrong, ok := errors.AsType[*option.Error](Import(o)); !ok || wrong.Option != name {
			t.Errorf("%s: %v", name, Import(o))
		}
	}
	if _, _, err := model.OpenUNet(folder, pipeline.Arithmetic{}); err == nil || !strings.Contains(err.Error(), "network of diffusers") {
		t.Error(err)
	}
	info, err := model.Describe(folder)
	if err != nil || info.Inferred || fmt.Sprint(info.Network.ImageSize) != "[8 8]" {
		t.Errorf("%+v, %v", info, err)
	}
}
