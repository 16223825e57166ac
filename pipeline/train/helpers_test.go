package train

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// smallRun returns options for a run in a folder of its own. A step takes a few milliseconds.
func smallRun(t testing.TB) Options {
	var o Options
	o.Seed = 1
	o.Source, o.Network = roomtest.Digits(), roomtest.SmallNetwork()
	o.Out = filepath.Join(t.TempDir(), "run")
	o.Batch, o.MicroBatch, o.Steps, o.Warmup = 11, 2, 6, 2 // 11: the last micro-batch is smaller
	o.PreviewEvery, o.Threads = -1, 2
	o.Paired = 4 * o.Batch // pairing as many as by default would take most of the time
	return o
}

// mustTrain trains and fails the test on an error.
func mustTrain(t *testing.T, o Options) run.Result {
	t.Helper()
	result, err := Train(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// flowOf returns the normalizing flow of a checkpoint, or nil for another network.
func flowOf(ck *model.Checkpoint) *model.NormalizingFlow {
	f, _ := ck.Network.(*model.NormalizingFlow)
	return f
}

// A trainRun is the config.json of a training.
type trainRun struct {
	run.Config
	Resolved Options
}

// readTrainRun reads the config.json of a training.
func readTrainRun(dir string) (r trainRun, err error) {
	if r.Config, err = run.ReadConfig(dir); err == nil {
		r.Resolved, err = trainOptionsOf(&r.Config)
	}
	return r, err
}
