package draw

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/realnvp"
	"github.com/fmimg/fmimg/safetensors"
)

// The names of the runs of [runsFolder].
const (
	small  = "runs/small"  // of three classes and none
	plain  = "runs/plain"  // without classes
	flowed = "runs/flowed" // a normalizing flow
)

// runsFolder makes a folder of three small runs. The run small has kept a guide.
func runsFolder(t testing.TB) string {
	t.Helper()
	runs := t.TempDir()
	copyRun(t, roomtest.SmallModel(t, true, 0.05), runs, "small", model.File)
	copyRun(t, roomtest.SmallModel(t, true, 0.02), runs, "small", model.GuideFile)
	copyRun(t, roomtest.SmallModel(t, false, 0.05), runs, "plain", model.File)
	writeRun(t, smallFlow(t), runs, "flowed", model.File)
	return runs
}

// copyRun copies a file into the folder of a run.
func copyRun(t testing.TB, from, runs, run, name string) {
	t.Helper()
	file, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeRun(t, file, runs, run, name)
}

// writeRun writes a file into the folder of a run.
func writeRun(t testing.TB, file []byte, runs, run, name string) {
	t.Helper()
	dir := filepath.Join(runs, run)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// smallFlow returns the file of a normalizing flow of 8x8 images.
func smallFlow(t testing.TB) []byte {
	t.Helper()
	cfg := realnvp.Config{ImageSize: [2]int{8, 8}, Channels: 1, Hidden: 4, Blocks: 1, NormGroups: 2, Scales: 2, ScaleBound: 2}
	net, err := realnvp.New(cfg, kernels.Best(), rand.New(rand.NewPCG(3, 3)))
	if err != nil {
		t.Fatal(err)
	}
	rng, values := rand.New(rand.NewPCG(4, 4)), net.Params().Values
	for i := range values {
		values[i] += float32(0.05 * rng.NormFloat64())
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, net.File(values, safetensors.F32, nil)); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// newService starts a service of the runs of a folder, with two workers. The test ends it.
func newService(t testing.TB, o Options) *Service {
	t.Helper()
	if o.Threads == 0 {
		o.Compute = pipeline.Compute{Threads: 2}
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if left := s.Stats().Waiting; left != 0 {
			t.Errorf("%d images are still counted after the end", left)
		}
	})
	return s
}

// alone opens a model as the command does.
func aloneModel(t testing.TB, runs, name string) *model.Checkpoint {
	t.Helper()
	if run, ok := cutRun(name); ok {
		name = filepath.Join(runs, run)
	}
	ck, err := model.Open(name, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	return ck
}

// cutRun returns the folder of a run's name.
func cutRun(name string) (run string, ok bool) {
	if len(name) > len(runsPrefix) && name[:len(runsPrefix)] == runsPrefix {
		return name[len(runsPrefix):], true
	}
	return name, false
}
