package unet

import (
	"bytes"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// save returns the bytes of a checkpoint.
func save(t *testing.T, f *safetensors.File) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := safetensors.Write(&buf, f); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func load(file []byte) (*Model, map[string]string, error) {
	return Load(bytes.NewReader(file), kernels.Best())
}

func TestCheckpointRoundTrip(t *testing.T) {
	m := randomModel(t, kernels.Best(), smallConfigs["two blocks"])
	values := m.Params().Values
	for dtype, tolerance := range map[safetensors.DType]float64{safetensors.F32: 0, safetensors.F16: 1. / (1 << 11)} {
		file := save(t, m.File(values, dtype, map[string]string{"fmimg.meta": `{"steps":3}`}))
		got, meta, err := load(file)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Config(), m.Config()) ||
			meta["fmimg.meta"] != `{"steps":3}` || meta["format"] != "pt" {
			t.Errorf("%s: configuration %+v, metadata %v", dtype, got.Config(), meta)
		}
		for i, v := range got.Params().Values {
			// Half precision rounds to 11 bits, and numbers below 2⁻¹⁴ to a multiple of 2⁻²⁴.
			want := float64(values[i])
			if d := math.Abs(float64(v) - want); d > max(tolerance*math.Abs(want), tolerance*0x1p-14) {
				t.Fatalf("%s: value %d is %g, was %g", dtype, i, v, values[i])
			}
		}
		// The network that was read writes the same file.
		if again := save(t, got.File(got.Params().Values, dtype, meta)); !bytes.Equal(again, file) {
			t.Errorf("%s: a second round changes the file", dtype)
		}
		p, q := newProblem(m, 1, 9), newProblem(got, 1, 9)
		if a, b := p.value(), q.value(); dtype == safetensors.F32 && a != b {
			t.Errorf("the network makes %g, and %g after loading", a, b)
		}
	}
}

// Prefixes of names keep several sets of values apart in one file.
func TestPrefixes(t *testing.T) {
	m := randomModel(t, kernels.Best(), smallConfigs["heads"])
	n := m.Params().Len()
	average := make([]float32, n)
	for i := range average {
		average[i] = float32(i)
	}
	f := &safetensors.File{}
	m.Params().AppendTensors(f, "model.", safetensors.F32, m.Params().Values)
	m.Params().AppendTensors(f, "average.", safetensors.F32, average)
	got := make([]float32, n)
	if err := m.Params().SetValues(f, "average.", got); err != nil || !slices.Equal(got, average) {
		t.Errorf("values behind a prefix came back wrong: %v", err)
	}
	mustFail(t, "another prefix", m.Params().SetValues(f, "moment.", got), "moment.time_embed.0.weight", "none")
	mustFail(t, "no prefix", m.Params().SetValues(f, "", got), "time_embed.0.weight")
}

// A brokenFile is a change of a checkpoint, and what the error says after it.
type brokenFile struct {
	change func(*safetensors.File)
	parts  []string // of the error
}

// mustNotLoad changes a checkpoint of the network "heads" in each way, and loads it.
func mustNotLoad(t *testing.T, all map[string]brokenFile) {
	t.Helper()
	m := randomModel(t, kernels.Best(), smallConfigs["heads"])
	for what, c := range all {
		f := m.File(m.Params().Values, safetensors.F32, nil)
		c.change(f)
		_, _, err := load(save(t, f))
		mustFail(t, what, err, c.parts...)
	}
}

func TestBrokenFiles(t *testing.T) {
	remove := func(name string) func(*safetensors.File) {
		return func(f *safetensors.File) {
			f.Tensors = slices.DeleteFunc(f.Tensors, func(x safetensors.Tensor) bool { return x.Name == name })
		}
	}
	const middle = "middle_block.0.out_layers.3.weight"
	mustNotLoad(t, map[string]brokenFile{
		"missing configuration": {func(f *safetensors.File) {
			delete(f.Metadata, ConfigKey)
		}, []string{ConfigKey, "not a checkpoint made by fmimg"}},
		"no JSON":        {func(f *safetensors.File) { f.Metadata[ConfigKey] = "{" }, []string{"network configuration"}},
		"missing tensor": {remove("out.2.bias"), []string{"out.2.bias", "[1]", "none"}},
		"missing block":  {remove(middle), []string{middle, "none"}},
		"missing stem":   {remove("input_blocks.0.0.weight"), []string{"input_blocks.0.0.weight", "none"}},
		"extra tensor": {func(f *safetensors.File) {
			extra := safetensors.Tensor{Name: "out.3.bias", DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}}
			f.Tensors = append(f.Tensors, extra)
		}, []string{"out.3.bias", "no such parameter"}},
		"wrong shape": {func(f *safetensors.File) {
			f.Tensor("out.2.weight").Shape = []int{8, 1, 3, 3}
		}, []string{"out.2.weight", "[1 8 3 3]", "[8 1 3 3]"}},
		"integers for floats": {func(f *safetensors.File) {
			x := f.Tensor("out.2.bias")
			x.DType, x.F32, x.I64 = safetensors.I64, nil, []int64{1}
		}, []string{"out.2.bias", "floats", "I64"}},
	})
	_, _, err := load([]byte("no safetensors at all"))
	mustFail(t, "another file", err)
}

// A configuration is refused when the file's tensors do not fit it, or when no network can have it.
func TestWrongConfigurations(t *testing.T) {
	config := func(old, replacement string) func(*safetensors.File) {
		return func(f *safetensors.File) {
			before := f.Metadata[ConfigKey]
			f.Metadata[ConfigKey] = strings.Replace(before, old, replacement, 1)
			if f.Metadata[ConfigKey] == before {
				t.Fatalf("%s is not in %s", old, before)
			}
		}
	}
	mustNotLoad(t, map[string]brokenFile{
		"impossible network": {config(`"norm_groups":4`, `"norm_groups":5`), []string{"norm_groups 5"}},
		"another width": {
			config(`"model_channels":8`, `"model_channels":16`),
			[]string{"input_blocks.0.0.weight", "[16 1 3 3]", "[8 1 3 3]"},
		},
		"more blocks": {config(`"num_res_blocks":1`, `"num_res_blocks":2`), []string{"input_blocks."}},
		"fewer levels": {
			config(`"channel_mult":[1,2],"attention_resolutions":[2]`, `"channel_mult":[1],"attention_resolutions":[]`),
			[]string{"middle_block.0", "[8 8 3 3]", "[16 16 3 3]"},
		},
		"more classes": {
			config(`"num_classes":3`, `"num_classes":4`),
			[]string{"label_emb.weight", "[4 32]", "[3 32]"},
		},
		"no classes": {config(`"num_classes":3`, `"num_classes":0`), []string{"label_emb.weight"}},
		"added embedding": {
			config(`"use_scale_shift_norm":true`, `"use_scale_shift_norm":false`),
			[]string{"emb_layers.1.weight"},
		},
		"attention elsewhere": {
			config(`"attention_resolutions":[2]`, `"attention_resolutions":[]`),
			[]string{"tensor "},
		},
	})
}

// Loading takes memory for what the file holds, whatever the configuration asks for: a wide network
// of which the file has the stem alone, many classes, attention between a million pixels.
func TestHostileConfigurations(t *testing.T) {
	m := randomModel(t, kernels.Best(), smallConfigs["heads"])
	file := m.File(m.Params().Values, safetensors.F32, nil)
	config := file.Metadata[ConfigKey]
	wide := &safetensors.File{Metadata: map[string]string{}}
	for _, x := range file.Tensors { // all names, but elements of the stem alone
		size := 0
		if x.Name == "input_blocks.0.0.weight" {
			size = 1024
		}
		x.Shape, x.F32 = []int{size, 1, 3, 3}, make([]float32, 9*size)
		wide.Tensors = append(wide.Tensors, x)
	}
	for what, c := range map[string]struct {
		file             *safetensors.File
		old, replacement string
	}{
		"wide": {wide, `"model_channels":8`, `"model_channels":1024`},
		"wide and deep": {
			wide, `"model_channels":8,"num_res_blocks":1,"channel_mult":[1,2]`,
			`"model_channels":1024,"num_res_blocks":1,"channel_mult":[1,64]`,
		},
		"many classes": {file, `"num_classes":3`, `"num_classes":1048576`},
		"many pixels":  {file, `"image_size":[4,6]`, `"image_size":[1024,1024]`},
		"more pixels":  {file, `"image_size":[4,6]`, `"image_size":[4096,4096]`},
	} {
		c.file.Metadata[ConfigKey] = strings.Replace(config, c.old, c.replacement, 1)
		if c.file.Metadata[ConfigKey] == config {
			t.Fatalf("%s is not in %s", c.old, config)
		}
		bytes := save(t, c.file)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := load(bytes)
		runtime.ReadMemStats(&after)
		mustFail(t, what, err)
		if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
			t.Errorf("%s: %d MiB allocated for a file of %d KiB: %v", what, used>>20, len(bytes)>>10, err)
		}
	}
}
