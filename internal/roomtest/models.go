package roomtest

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// SmallNetwork has every kind of layer but resampling, in a few thousand parameters.
func SmallNetwork() *unet.Config {
	return &unet.Config{
		ImageSize: [2]int{8, 8}, InChannels: 1, ModelChannels: 8, NumResBlocks: 1, ChannelMult: []int{1},
		NumHeads: 1, NormGroups: 4, TimeScale: 1000, UseScaleShiftNorm: true,
	}
}

// A Checkpoint is a model file of [SmallNetwork] with random weights.
type Checkpoint struct {
	// Spread is the deviation of the noise that is added to the first weights. Without noise the
	// velocity is 0.
	Spread float64

	// Counts are the numbers of training images of each class, and Unlabelled that of those without
	// one, which the file records unless Counts is nil.
	Counts     []int
	Unlabelled int

	Steps int // the steps that the file says were done

	classes []string
	null    bool   // one more row of the label embedding means "no class"
	data    string // the data that the file says it was trained on
}

// Bytes returns the bytes of the file.
func (c Checkpoint) Bytes() []byte {
	cfg := *SmallNetwork()
	if len(c.classes) > 0 {
		cfg.NumClasses, cfg.NullClass = len(c.classes), c.null
	}
	if cfg.NullClass {
		cfg.NumClasses++
	}
	rng := rand.New(rand.NewPCG(1, 1))
	model, err := unet.New(cfg, kernels.Best(), rng)
	if err != nil {
		panic(err)
	}
	values := model.Params().Values
	for i := range values {
		values[i] += float32(c.Spread * rng.NormFloat64())
	}
	facts := map[string]any{
		"data": c.data, "steps": c.Steps, "classes": c.classes, "pixel_range": [2]float64{-1, 1},
		"path": "linear", "objective": "velocity", "dequantized": c.data == "digits",
	}
	if c.Counts != nil {
		facts["class_counts"], facts["unlabelled"] = c.Counts, c.Unlabelled
	}
	meta, err := json.Marshal(facts)
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	f := model.File(values, safetensors.F32, map[string]string{"fmimg.meta": string(meta)})
	if err := safetensors.Write(&file, f); err != nil {
		panic(err)
	}
	return file.Bytes()
}

// Save writes the file into a folder of the test and returns its path.
func (c Checkpoint) Save(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, c.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// SmallModel saves a model that says it was trained on dequantised digits. With classes it is
// [SmallCheckpoint].
func SmallModel(t testing.TB, classes bool, spread float64) string {
	t.Helper()
	c := Checkpoint{data: "digits"}
	if classes {
		c = SmallCheckpoint
	}
	c.Spread = spread
	return c.Save(t)
}

// SmallCheckpoint is a model of three classes, and "no class", that says it was trained on
// dequantised digits.
var SmallCheckpoint = Checkpoint{data: "digits", classes: []string{"0", "1", "2"}, null: true}

// NoNullClass saves a model of three classes that has no "no class".
func NoNullClass(t testing.TB) string {
	t.Helper()
	return Checkpoint{classes: []string{"0", "1", "2"}, data: "patterns", Spread: 0.05}.Save(t)
}

// NamedModel saves [NamedCheckpoint].
func NamedModel(t testing.TB) string {
	t.Helper()
	return NamedCheckpoint.Save(t)
}

// NamedCheckpoint is a model of three classes with names, and "no class".
var NamedCheckpoint = Checkpoint{
	classes: []string{"zero", "one", "two"}, null: true, Spread: 0.02, data: "patterns", Steps: 30,
}
