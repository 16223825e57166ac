package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"

	"os"
)

// patterns is a set of n images of noise around a brightness that tells the class.
type patterns struct {
	n, h, w, c int
	classes    []string
	image      func(i int, dst []float32) // when not nil, may change or refuse an image
}

func (p *patterns) Name() string         { return "patterns" }
func (p *patterns) Len() int             { return p.n }
func (p *patterns) Shape() (h, w, c int) { return p.h, p.w, p.c }
func (p *patterns) Classes() []string    { return p.classes }
func (p *patterns) Image(i int, dst []float32) int {
	var rng rand.PCG // a value: a step with this data must not allocate
	rng.Seed(1, uint64(i))
	label := -1
	if len(p.classes) > 0 {
		label = i % len(p.classes)
	}
	for k := range dst {
		dst[k] = float32(label)/4 + 0.1*float32(rng.Uint64()>>40)/(1<<24)
	}
	if p.image != nil {
		p.image(i, dst)
	}
	return label
}

func digits() *patterns {
	return &patterns{n: 50, h: 8, w: 8, c: 1, classes: []string{"zero", "one", "two"}}
}

// smallNetwork has every kind of layer but resampling, in a few thousand parameters.
func smallNetwork() *unet.Config {
	return &unet.Config{
		ImageSize: [2]int{8, 8}, InChannels: 1, ModelChannels: 8, NumResBlocks: 1, ChannelMult: []int{1},
		NumHeads: 1, NormGroups: 4, TimeScale: 1000, UseScaleShiftNorm: true,
	}
}

// smallRun returns options for a run of a few milliseconds a step in a folder of its own.
func smallRun(t testing.TB) TrainOptions {
	o := DefaultTrainOptions()
	o.Source, o.Network = digits(), smallNetwork()
	o.Out = filepath.Join(t.TempDir(), "run")
	o.Batch, o.MicroBatch, o.Steps, o.Warmup = 11, 2, 6, 2 // 11: the last micro-batch is smaller
	o.PreviewEvery, o.Threads = -1, 2
	return o
}

// mustTrain trains and fails the test on an error.
func mustTrain(t *testing.T, o TrainOptions) TrainResult {
	t.Helper()
	result, err := Train(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// tensors reads all tensors of a file.
func tensors(t testing.TB, elem ...string) []safetensors.Tensor {
	t.Helper()
	file, err := os.Open(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// sameRun reports the first tensor in which two run folders differ in any bit.
func sameRun(t *testing.T, a, b string) {
	t.Helper()
	for _, name := range []string{"state.safetensors", "model.safetensors"} {
		x, y := tensors(t, a, name), tensors(t, b, name)
		if len(x) != len(y) {
			t.Fatalf("%s: %d and %d tensors", name, len(x), len(y))
		}
		for i := range x {
			if x[i].Name != y[i].Name || !slices.Equal(x[i].F32, y[i].F32) {
				t.Fatalf("%s: tensor %s differs", name, x[i].Name)
			}
		}
	}
}

// differentRun fails when two run folders have the same weights: a test that compares runs would
// otherwise pass for a trainer that does nothing.
func differentRun(t *testing.T, a, b string) {
	t.Helper()
	x, y := tensors(t, a, "model.safetensors"), tensors(t, b, "model.safetensors")
	for i := range x {
		if !slices.Equal(x[i].F32, y[i].F32) {
			return
		}
	}
	t.Fatal("the two runs have the same weights")
}

// noLeaks fails the test when goroutines outlive it.
func noLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 100 { // those that end need a moment
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		buf := make([]byte, 1<<16)
		t.Errorf("goroutines: %d before, %d after\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	})
}

// within fails when a test hangs, with the stacks that the runtime prints.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		panic(fmt.Sprintf("%s hangs", t.Name()))
	}
}

// flowOf returns the normalizing flow of a checkpoint, nil for another network.
func flowOf(ck *Checkpoint) *NormalizingFlow {
	f, _ := ck.Network.(*NormalizingFlow)
	return f
}

// A trainRun is the config.json of a training.
type trainRun struct {
	runConfig
	Options TrainOptions
}

// readTrainRun reads the config.json of a training.
func readTrainRun(dir string) (r trainRun, err error) {
	if r.runConfig, err = readRunConfig(dir); err == nil {
		r.Options, err = trainOptionsOf(&r.runConfig)
	}
	return r, err
}
