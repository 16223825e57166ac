package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// trainOn trains on ranks, of which each has its number of threads, and returns their errors. vary
// changes the options of a rank; may be nil.
func trainOn(ctx context.Context, t *testing.T, o Options, vary func(rank int, o *Options), threads ...int) []error {
	t.Helper()
	errs := make([]error, len(threads))
	comms := cluster.InProcess(len(threads))
	roomtest.Within(t, 2*time.Minute, func() {
		var all sync.WaitGroup
		for rank, n := range threads {
			all.Go(func() {
				own := o
				own.Threads, own.Ranks = n, comms[rank]
				if vary != nil {
					vary(rank, &own)
				}
				_, errs[rank] = Train(ctx, own)
			})
		}
		all.Wait()
	})
	return errs
}

// tensors names the tensors of a run's files by hashes.
func tensors(t *testing.T, dir string) string {
	t.Helper()
	return roomtest.DataHash(t, filepath.Join(dir, run.StateFile)) + roomtest.DataHash(t, filepath.Join(dir, model.File))
}

// A run on any number of ranks has the tensors of one process, byte for byte, with what a run can
// do beside its steps.
func TestRanksSameBytes(t *testing.T) {
	for _, precision := range kernels.Precisions() {
		o := smallRun(t)
		o.Precision, o.PreviewEvery, o.SaveEvery, o.ValidateEvery = precision.String(), 2, 3, 2
		o.Coupling, o.KeepGuide, o.Steps = OptimalTransport, 0.5, 8
		mustTrain(t, o)
		want := tensors(t, o.Out)
		preview := mustRead(t, filepath.Join(o.Out, run.SamplesDir, "step-000006.png"))
		held := heldLosses(t, o.Out)
		for _, threads := range [][]int{{1, 1}, {2, 1, 1}, {1, 1, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1}} {
			o.Out = filepath.Join(t.TempDir(), "run")
			for rank, err := range trainOn(t.Context(), t, o, nil, threads...) {
				if err != nil {
					t.Fatalf("rank %d of %v threads: %v", rank, threads, err)
				}
			}
			if got := tensors(t, o.Out); got != want {
				t.Errorf("%v: ranks of %v threads have other tensors:\n%s\nwant\n%s", precision, threads, got, want)
			}
			if !slices.Equal(mustRead(t, filepath.Join(o.Out, run.SamplesDir, "step-000006.png")), preview) {
				t.Errorf("%v: ranks of %v threads draw another preview", precision, threads)
			}
			if got := heldLosses(t, o.Out); !slices.Equal(got, held) {
				t.Errorf("%v: ranks of %v threads measure %v, want %v", precision, threads, got, held)
			}
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// heldLosses returns the losses, norms and validation losses of a run.
func heldLosses(t *testing.T, dir string) (all []float64) {
	t.Helper()
	for line := range bytes.Lines(mustRead(t, filepath.Join(dir, run.MetricsFile))) {
		var m run.Metric
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Loss, m.Norm, m.Validation)
	}
	return all
}

// A run that stopped on some ranks goes on with another number of them.
func TestRanksResume(t *testing.T) {
	o := smallRun(t)
	mustTrain(t, o)
	want := tensors(t, o.Out)
	o.Out = filepath.Join(t.TempDir(), "run")
	o.StopAfter = 2
	for _, err := range trainOn(t.Context(), t, o, nil, 1, 2, 1) {
		if _, ok := errors.AsType[*run.InterruptedError](err); !ok {
			t.Fatalf("stopped: %v", err)
		}
	}
	back := Options{}
	back.Source, back.Out, back.Resume, back.StopAfter = o.Source, o.Out, true, 4
	for _, err := range trainOn(t.Context(), t, back, nil, 1, 1) {
		if _, ok := errors.AsType[*run.InterruptedError](err); !ok {
			t.Fatalf("stopped again: %v", err)
		}
	}
	back.StopAfter = 0
	mustTrain(t, back)
	if got := tensors(t, o.Out); got != want {
		t.Errorf("other tensors:\n%s\nwant\n%s", got, want)
	}
}

// A budget in time is measured by rank 0, and all ranks end at the same step.
func TestRanksByTime(t *testing.T) {
	o := smallRun(t)
	o.Steps, o.Time = 0, run.Duration(300*time.Millisecond)
	for rank, err := range trainOn(t.Context(), t, o, nil, 1, 1, 1) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	recorded, err := run.ReadOptions(o.Out)
	if err != nil || recorded.Schedule.Total() == 0 {
		t.Fatalf("schedule %v, %v", recorded.Schedule, err)
	}
	want := tensors(t, o.Out)
	again := smallRun(t)
	again.Steps, again.Schedule = 0, recorded.Schedule
	mustTrain(t, again)
	if got := tensors(t, again.Out); got != want {
		t.Error("the schedule does not repeat the run")
	}
}

// A context that ends on one rank ends the run on all, which is saved.
func TestRanksInterrupted(t *testing.T) {
	o := smallRun(t)
	o.Steps = 1000
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := 0
	o.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Stepped {
			if steps++; steps == 3 {
				cancel()
			}
		}
	}
	for rank, err := range trainOn(ctx, t, o, nil, 1, 1, 1) {
		if stopped, ok := errors.AsType[*run.InterruptedError](err); !ok || stopped.Step < 3 {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// What differs between ranks is an error before any work, which says which rank, and what to do.
func TestRanksDiffer(t *testing.T) {
	for name, c := range map[string]struct {
		vary func(o *Options)
		want string
	}{
		"seed":      {func(o *Options) { o.Seed = 9 }, "rank 2 was started with other options"},
		"isa":       {func(o *Options) { o.ISA = "generic" }, "rank 2 computes with generic, and rank 0 with"},
		"precision": {func(o *Options) { o.Precision = "bf16" }, "rank 2 computes in bf16, and rank 0 in f32"},
		"data": {func(o *Options) {
			d := roomtest.Digits()
			d.Change = func(_ int, x []float32) { x[0] = -x[0] }
			o.Source = d
		}, "give all ranks the same files"},
		"option": {func(o *Options) { o.Batch = -1 }, "batch"},
	} {
		o := smallRun(t)
		o.Precision = "f32"
		for rank, err := range trainOn(t.Context(), t, o, func(rank int, o *Options) {
			if rank == 2 {
				c.vary(o)
			}
		}, 1, 1, 1) {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: rank %d: %v", name, rank, err)
			}
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: a folder was made", name)
		}
	}
}

// A disk that is full ends the run on all ranks.
func TestRanksDiskFull(t *testing.T) {
	o := smallRun(t)
	o.SaveEvery = 2
	written := 0
	o.Disk = func(w io.Writer) io.Writer {
		return writerFunc(func(b []byte) (int, error) {
			if written += len(b); written > 1<<20 {
				return 0, errors.New("no space left on device")
			}
			return w.Write(b)
		})
	}
	for rank, err := range trainOn(t.Context(), t, o, nil, 1, 1) {
		if err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// When a rank dies, the others say how to go on, and the checkpoint is whole.
func TestRanksDeath(t *testing.T) {
	o := smallRun(t)
	o.SaveEvery = 1
	mustTrain(t, o)
	want := tensors(t, o.Out)
	o.Out = filepath.Join(t.TempDir(), "run")
	for rank, err := range trainOn(t.Context(), t, o, func(rank int, o *Options) {
		if rank == 1 {
			o.Ranks = &roomtest.Mortal{Comm: o.Ranks, Left: 30}
		}
	}, 1, 1, 1) {
		lost, ok := errors.AsType[*run.LostError](err)
		if !ok || !strings.Contains(fmt.Sprint(lost.GoOn), "resume") {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	back := Options{}
	back.Source, back.Out, back.Resume = o.Source, o.Out, true
	for rank, err := range trainOn(t.Context(), t, back, nil, 1, 1) {
		if err != nil {
			t.Errorf("resumed: rank %d: %v", rank, err)
		}
	}
	if got := tensors(t, o.Out); got != want {
		t.Error("the resumed run has other tensors")
	}
}
