package convert

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// python returns a Python that has onnx and onnxruntime. A machine without one skips the test.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("FMIMG_TEST_TRAVEL")
	if name == "" {
		name = "python3"
	}
	if out, err := exec.Command(name, "-c", "import onnx, onnxruntime").CombinedOutput(); err != nil {
		t.Skipf("%s with onnx and onnxruntime is needed (make travel): %v %s", name, err, out)
	}
	return name
}

// A tensor is an input of a graph.
type tensor struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	File  string `json:"file"`
}

// A graphRun is a graph to run by onnxruntime.
type graphRun struct {
	Model  string   `json:"model"`
	Inputs []tensor `json:"inputs"`
	Output string   `json:"output"`
}

// input writes an input of a run.
func (r *graphRun) input(t *testing.T, name string, shape []int, numbers any) {
	t.Helper()
	kind := "<f4"
	if _, ok := numbers.([]int64); ok {
		kind = "<i8"
	}
	file := fmt.Sprintf("%s.%s", r.Model, name)
	raw, err := binary.Append(nil, binary.LittleEndian, numbers)
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Inputs = append(r.Inputs, tensor{name, kind, shape, file})
}

// runAll runs graphs and returns what each computes.
func runAll(t *testing.T, folder string, runs []graphRun) [][]float32 {
	t.Helper()
	name := python(t)
	for i := range runs {
		runs[i].Output = runs[i].Model + ".out"
	}
	text, err := json.Marshal(runs)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "cases.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(name, "testdata/onnx_run.py", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	results := make([][]float32, len(runs))
	for i, r := range runs {
		raw, err := os.ReadFile(r.Output)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(raw) > 0; raw = raw[4:] {
			results[i] = append(results[i], math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
	}
	return results
}

// nchw returns images of [N, H, W, C] in the order [N, C, H, W].
func nchw(images []float32, s pipeline.Shape) []float32 {
	out := make([]float32, 0, len(images))
	for from := 0; from < len(images); from += s.Len() {
		for c := range s.Channels {
			for i := from + c; i < from+s.Len(); i += s.Channels {
				out = append(out, images[i])
			}
		}
	}
	return out
}

// A made says which network a test makes.
type made struct {
	name      string
	change    func(c *unet.Config)
	path      string
	objective model.Objective
	classes   []string // names; nil: a, b, c
	seed      uint64   // of the weights; 0: 7
}

var nets = []made{
	{name: "tiny", change: func(*unet.Config) {}},
	{name: "no classes", change: noClasses},
	{name: "rgba", change: func(c *unet.Config) { c.InChannels, c.ImageSize = 4, [2]int{8, 12} }},
	{name: "heads", change: func(c *unet.Config) { c.NumHeads, c.UseScaleShiftNorm = 4, false }},
	{name: "deep", change: func(c *unet.Config) {
		c.NumResBlocks, c.ChannelMult, c.AttentionResolutions = 2, []int{1, 2, 2}, []int{1, 2}
	}},
	{name: "patches", change: func(c *unet.Config) { c.PatchSize, c.InChannels = 2, 3 }},
	{name: "of others", change: func(c *unet.Config) {
		c.NumHeadChannels, c.NormEpsilon, c.FreqShift, c.Turned = 4, 1e-3, 1, true
		c.ImageSize, c.InChannels = [2]int{8, 12}, 3
	}},
	{name: "flow map", change: func(c *unet.Config) { c.FlowMap = true }, objective: model.FlowMapObjective},
	{name: "guided flow map", change: func(c *unet.Config) { c.FlowMap, c.GuidanceEmbed = true, true }, objective: model.FlowMapObjective},
	{name: "noise", change: func(*unet.Config) {}, path: "cosine", objective: model.NoiseObjective},
	{name: "data", change: func(*unet.Config) {}, path: "vp", objective: model.DataObjective},
}

// save writes the network with random weights, and returns the file's path.
func (m made) save(t *testing.T, folder string) string {
	t.Helper()
	cfg, err := unet.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ImageSize, cfg.NumClasses, cfg.NullClass = [2]int{8, 8}, 4, true
	m.change(&cfg)
	rng := rand.New(rand.NewPCG(cmp.Or(m.seed, 7), 7))
	net, err := unet.New(cfg, kernels.Generic, rng)
	if err != nil {
		t.Fatal(err)
	}
	values := net.Params().Values
	for i := range values {
		values[i] += float32(0.05 * rng.NormFloat64())
	}
	meta := model.Meta{Data: "patterns", Steps: 1, PixelRange: [2]float64{-1, 1}, Path: m.path, Objective: m.objective}
	if cfg.NumClasses > 0 {
		meta.Classes = m.classes
		if meta.Classes == nil {
			meta.Classes = []string{"a", "b", "c"}
		}
	}
	if cfg.GuidanceEmbed {
		meta.Teacher = &model.TeacherMeta{Guidance: 1.2, GuidanceRange: model.GuidanceRange{1, 2}}
	}
	path := filepath.Join(folder, m.name+".safetensors")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.WriteCheckpoint(file, net, values, safetensors.F32, meta); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// opened opens a model as a U-Net.
func opened(t *testing.T, path string) (*model.Checkpoint, *model.UNet) {
	t.Helper()
	ck, u, err := model.OpenUNet(path, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	return ck, u
}

// relative is ‖a−b‖/‖b‖.
func relative(t *testing.T, a, b []float32) float64 {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d numbers, want %d", len(a), len(b))
	}
	var gap, norm float64
	for i, v := range b {
		d := float64(a[i]) - float64(v)
		gap += d * d
		norm += float64(v) * float64(v)
	}
	return math.Sqrt(gap / norm)
}

// onnxruntime finds for each kind of network what fmimg finds.
func TestNetworksInONNXRuntime(t *testing.T) {
	python(t)
	folder := t.TempDir()
	var runs []graphRun
	var want [][]float32
	var bounds []float64
	for _, half := range []bool{false, true} {
		paths := []string{"mnist", "mnist-fast"}
		for _, m := range nets {
			paths = append(paths, m.save(t, folder))
		}
		for _, path := range paths {
			r, v := networkRun(t, folder, path, half)
			bound := 1e-4
			if half && !strings.HasPrefix(path, "mnist") { // whose weights are float16 already
				bound = 5e-3
			}
			runs, want, bounds = append(runs, r), append(want, v), append(bounds, bound)
		}
	}
	for i, got := range runAll(t, folder, runs) {
		if off := relative(t, got, want[i]); !(off <= bounds[i]) {
			t.Errorf("%s: off by %.2g", runs[i].Model, off)
		}
	}
}

// networkRun exports a network, and evaluates it here.
func networkRun(t *testing.T, folder, path string, half bool) (r graphRun, want []float32) {
	t.Helper()
	const n = 3
	ck, u := opened(t, path)
	r.Model = filepath.Join(folder, fmt.Sprintf("%s-%v.onnx", filepath.Base(path), half))
	if _, err := ONNX(ONNXOptions{Model: path, Out: r.Model, Half: half}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n*ck.Shape().Len())
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	s, cfg := ck.Shape(), u.Config()
	t64, jumps, weights := []float32{0, 0.375, 1}, []float32{1, 0.25, 0.5}, []float32{1, 1.5, 2}
	var y []int32
	r.input(t, "x", []int{n, s.Channels, s.Height, s.Width}, nchw(x, s))
	r.input(t, "t", []int{n}, t64)
	if cfg.NumClasses > 0 {
		y = []int32{1, int32(cfg.NumClasses - 1), 0}
		r.input(t, "y", []int{n}, []int64{1, int64(cfg.NumClasses - 1), 0})
	}
	if cfg.FlowMap {
		r.input(t, "d", []int{n}, jumps)
	}
	if cfg.GuidanceEmbed {
		r.input(t, "w", []int{n}, weights)
	} else {
		weights = nil
	}
	v := make([]float32, len(x))
	if net := u.NewReplica(n, false); cfg.FlowMap {
		net.Jump(v, x, t64, jumps, weights, y)
	} else {
		net.Forward(v, x, t64, y)
	}
	return r, nchw(v, s)
}

// onnxruntime draws by each solver what fmimg draws from the same noise.
func TestDrawingsInONNXRuntime(t *testing.T) {
	python(t)
	folder := t.TempDir()
	var runs []graphRun
	var want [][]float32
	addGuided := func(path, guide string, m model.Method) {
		r, image := drawingRun(t, folder, path, guide, len(runs), m)
		runs, want = append(runs, r), append(want, image)
	}
	add := func(path string, m model.Method) { addGuided(path, "", m) }
	for _, m := range nets {
		path := m.save(t, folder)
		if m.objective == model.FlowMapObjective {
			for _, steps := range []int{1, 4} {
				add(path, model.Method{Steps: steps})
			}
			continue
		}
		solvers := []string{"abm2"}
		if m.name == "tiny" || m.objective != "" {
			solvers = []string{"euler", "midpoint", "heun", "rk4", "adams2", "abm2", "ddim"}
		}
		for _, solver := range solvers {
			add(path, model.Method{Solver: solver, Steps: 3})
		}
	}
	tiny := filepath.Join(folder, nets[0].name+".safetensors")
	add(tiny, model.Method{Guidance: 1, Steps: 5})
	add(tiny, model.Method{Guidance: 1.5, Steps: 8, Interval: model.Interval{0.2, 0.75}})
	add(tiny, model.Method{Guidance: 2, Solver: "midpoint", Steps: 6, Interval: model.Interval{0.3, 0.6}})
	add(tiny, model.Method{Guidance: 2, Steps: 7, GuidanceEvery: 3, Interval: model.Interval{0, 0.7}})
	add("mnist", model.Method{Steps: 3})
	add("mnist", model.Method{}) // by its guide, as generate draws
	for _, g := range guides {
		var files [2]string
		for i, m := range []made{g.model, g.guide} {
			m.name = fmt.Sprintf("%s %d", g.name, i)
			files[i] = m.save(t, folder)
		}
		for _, m := range g.methods {
			addGuided(files[0], files[1], m)
		}
	}
	add("mnist-fast", model.Method{})
	for i, got := range runAll(t, folder, runs) {
		if off := relative(t, got, want[i]); !(off <= 1e-3) {
			t.Errorf("%s: off by %.2g", runs[i].Model, off)
		}
	}
}

// guides are models with guides: of the same classes, others, and none, which predict the same and
// something else.
var guides = []struct {
	name         string
	model, guide made
	methods      []model.Method
}{
	{
		"both with classes", nets[0], made{change: narrow, seed: 8},
		[]model.Method{{Steps: 8}, {Steps: 3, GuideShare: 1}, {Steps: 4, Guidance: 2, GuideShare: 0.5, Interval: model.Interval{0.2, 0.9}}},
	},
	{
		"classes in another order", nets[0], made{change: narrow, seed: 8, classes: []string{"c", "a", "b"}},
		[]model.Method{{Steps: 3}},
	},
	{"guide without classes", nets[0], made{change: noClasses, seed: 8}, []model.Method{{Steps: 3}}},
	{"model without classes", made{change: noClasses}, made{change: narrow, seed: 8}, []model.Method{{Steps: 3}}},
	{"neither with classes", made{change: noClasses}, made{change: noClasses, seed: 8}, []model.Method{{Steps: 3}}},
	{
		"another prediction", nets[0], made{change: narrow, seed: 8, path: "linear", objective: model.DataObjective},
		[]model.Method{{Steps: 3}, {Steps: 3, GuideShare: 1}},
	},
	{
		"of noise by noise", made{change: func(*unet.Config) {}, path: "cosine", objective: model.NoiseObjective},
		made{change: narrow, seed: 8, path: "cosine", objective: model.NoiseObjective}, []model.Method{{Steps: 3}},
	},
}

// narrow makes a network of other sizes.
func narrow(c *unet.Config) { c.NumHeads, c.UseScaleShiftNorm, c.NumResBlocks = 2, false, 2 }

// noClasses makes a network that takes no class.
func noClasses(c *unet.Config) { c.NumClasses, c.NullClass = 0, false }

// drawingRun exports a drawing, and draws here.
func drawingRun(t *testing.T, folder, path, guide string, number int, m model.Method) (r graphRun, want []float32) {
	t.Helper()
	const n = 3
	ck, u := opened(t, path)
	r.Model = filepath.Join(folder, fmt.Sprintf("%d-%s-%s.onnx", number, filepath.Base(path), m.Solver))
	if _, err := ONNX(ONNXOptions{Model: path, Out: r.Model, Sampler: true, Method: m, Guide: guide}); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.Guide, err = ck.OpenUsualGuide(guide, m, pipeline.Arithmetic{}); err != nil {
		t.Fatal(err)
	}
	plan, m, err := u.Settle(path, m)
	if err != nil {
		t.Fatal(err)
	}
	s := ck.Shape()
	d := model.Drawing{Plan: plan, Guidance: m.Guidance, Interval: m.Interval, GuidanceEvery: m.GuidanceEvery, Null: u.Labels().NullRow(), Part: model.Part{From: 0, To: 1}}
	x := make([]float32, n*s.Len())
	flow.Gaussian(x, rand.NewPCG(3, 4))
	r.input(t, "noise", []int{n, s.Channels, s.Height, s.Width}, nchw(x, s))
	if u.Config().NumClasses > 0 {
		last := int32(u.Config().NumClasses - 1) // "no class" where there is one
		d.Labels = []int32{2, last, 0}
		r.input(t, "y", []int{n}, []int64{2, int64(last), 0})
	}
	if _, err := u.NewDrawer(n, plan).Draw(t.Context(), &d, 0, x); err != nil {
		t.Fatal(err)
	}
	for i, v := range x {
		x[i] = min(max(v, -1), 1)
	}
	return r, nchw(x, s)
}

// What a graph cannot hold is refused, and so is a bad path, before a file is written.
func TestONNXRefuses(t *testing.T) {
	folder := t.TempDir()
	out := filepath.Join(folder, "a.onnx")
	for _, c := range []struct {
		option string
		o      ONNXOptions
	}{
		{"out", ONNXOptions{Model: "mnist"}},
		{"solver", ONNXOptions{Model: "mnist", Out: out, Sampler: true, Method: model.Method{Solver: "dopri5"}}},
		{"solver", ONNXOptions{Model: "mnist", Out: out, Sampler: true, Method: model.Method{Solver: "sde"}}},
		{"solver", ONNXOptions{Model: "mnist", Out: out, Sampler: true, Method: model.Method{Solver: "leapfrog"}}},
		{"steps", ONNXOptions{Model: "mnist", Out: out, Sampler: true, Method: model.Method{Steps: 1000}}},
		{"steps", ONNXOptions{Model: "mnist-fast", Out: out, Sampler: true, Method: model.Method{Steps: 3}}},
	} {
		_, err := ONNX(c.o)
		if wrong, ok := errors.AsType[*option.Error](err); !ok || wrong.Option != c.option {
			t.Errorf("%+v: %v, want a mistake in %s", c.o, err, c.option)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("%v %v are left", entries, err)
	}
}

// A weight that float16 cannot hold would be infinite in the graph.
func TestONNXRefusesLargeHalves(t *testing.T) {
	folder := t.TempDir()
	ck, u := opened(t, nets[0].save(t, folder))
	values := slices.Clone(ck.Params().Values)
	values[7] = -65520
	large := filepath.Join(folder, "large.safetensors")
	file, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.WriteCheckpoint(file, u, values, safetensors.F32, ck.Meta); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	o := ONNXOptions{Model: large, Out: filepath.Join(folder, "large.onnx"), Half: true}
	_, err = ONNX(o)
	if wrong, ok := errors.AsType[*option.Error](err); !ok || wrong.Option != "float16" {
		t.Errorf("%v, want a mistake in float16", err)
	}
	o.Half = false
	if _, err := ONNX(o); err != nil {
		t.Error(err)
	}
}

// Two exports are equal files.
func TestONNXIsTheSameAgain(t *testing.T) {
	folder := t.TempDir()
	var files [2][]byte
	for i := range files {
		path := filepath.Join(folder, fmt.Sprint(i, ".onnx"))
		if _, err := ONNX(ONNXOptions{Model: "mnist-fast", Out: path, Sampler: true, Half: true}); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(files[0], files[1]) {
		t.Error("they differ")
	}
}
