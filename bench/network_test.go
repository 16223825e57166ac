package bench

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline"
)

// small returns the options for the least possible work.
func small() Options {
	return Options{Preset: "tiny", Batch: 4, Compute: pipeline.Compute{Threads: 2}, Source: grey{}}
}

// grey is a data set of equal images with ten classes. Opening MNIST would take half a second.
type grey struct{}

func (grey) Name() string         { return "grey" }
func (grey) Len() int             { return 16 }
func (grey) Shape() (h, w, c int) { return 28, 28, 1 }
func (grey) Classes() []string    { return strings.Split("0123456789", "") }
func (grey) Image(i int, dst []float32) int {
	for k := range dst {
		dst[k] = 0.5
	}
	return i % 10
}

func TestTrain(t *testing.T) {
	r, err := Train(t.Context(), TrainOptions{Options: small(), Time: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Preset != "tiny" || r.Batch != 4 || r.Threads != 2 || r.ISA == "" || r.Parameters == 0 || r.Samples < 1 ||
		r.MicroBatch != 1 {
		t.Errorf("%+v", r)
	}
	checkFigures(t, &r.Figures)
	if want := 100 * r.ImagesPerS * 3 * r.FLOPs / (1e9 * r.Peak); math.Abs(r.Percent-want) > 1e-9*want {
		t.Errorf("%v%% of the limit, want %v", r.Percent, want)
	}
	if want := 100 * r.ForwardPerS * r.FLOPs / (1e9 * r.Peak); math.Abs(r.ForwardPercent-want) > 1e-9*want {
		t.Errorf("forward at %v%% of the limit, want %v", r.ForwardPercent, want)
	}
	checkAllocations(t, &r.Figures)
}

func checkFigures(t *testing.T, f *Figures) {
	t.Helper()
	for _, v := range []float64{f.ImagesPerS, f.ForwardPerS, f.Percent, f.Peak, f.Seconds} {
		if !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("a figure of %v in %+v", v, f)
		}
	}
	if f.Quartiles[0] > f.ImagesPerS || f.Quartiles[1] < f.ImagesPerS || f.ForwardQuartiles[0] > f.ForwardPerS ||
		f.ForwardQuartiles[1] < f.ForwardPerS {
		t.Errorf("quartiles not around the median: %+v", f)
	}
}

// checkAllocations checks that a step allocates nothing in the median. On a busy machine so few
// steps can be measured that the median is one of the runtime's own allocations, which it makes in
// some of the first steps. Then packages train and unet alone test it.
func checkAllocations(t *testing.T, f *Figures) {
	t.Helper()
	const oneEach, enough = 1, 15
	if f.Samples >= enough && f.Allocations >= oneEach {
		t.Errorf("%v allocations a step", f.Allocations)
	}
}

func TestGenerate(t *testing.T) {
	o := GenerateOptions{Options: small(), Solver: "heun", Steps: 3, Time: 100 * time.Millisecond}
	o.Source = nil
	r, err := Generate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Solver != "heun" || r.Steps != 3 || r.Evaluations != 6 || !(r.FirstImage > 0) {
		t.Errorf("%+v", r)
	}
	checkFigures(t, &r.Figures)
	if want := r.ImagesPerS * 6; math.Abs(r.ForwardPerS-want) > 1e-9*want {
		t.Errorf("%v evaluations/s at %v images/s", r.ForwardPerS, r.ImagesPerS)
	}
	checkAllocations(t, &r.Figures)
}

// The first call warms up and does not count. At least three calls follow, or one where the first
// took all the time.
func TestRepeat(t *testing.T) {
	calls := 0
	r, err := repeat(t.Context(), 0, func() error { calls++; return nil })
	if err != nil || calls != 2 || len(r.seconds) != 1 {
		t.Errorf("no time: %d calls, %+v, %v", calls, r, err)
	}
	calls = 0
	r, err = repeat(t.Context(), 20*time.Millisecond, func() error {
		if calls++; calls > 1 {
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	if err != nil || calls != 4 || len(r.seconds) != 3 {
		t.Errorf("little time: %d calls, %+v, %v", calls, r, err)
	}
}

func TestRepeatCountsAllocations(t *testing.T) {
	var kept [][]byte
	r, err := repeat(t.Context(), 0, func() error {
		for range 10 {
			kept = append(kept, make([]byte, 100))
		}
		return nil
	})
	if err != nil || r.allocations < 10 || r.allocations > 20 { // kept grows too
		t.Errorf("%v allocations, %v, want 10 or a few more", r.allocations, err)
	}
}

func TestRepeatStops(t *testing.T) {
	broken := errors.New("broken")
	if _, err := repeat(t.Context(), time.Hour, func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := repeat(ctx, time.Hour, func() error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNetworkOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		time time.Duration
		o    Options
		want string
	}{
		{-time.Second, Options{}, "time"},
		{0, Options{Preset: "huge"}, "preset"},
		{0, Options{Compute: pipeline.Compute{Arithmetic: pipeline.Arithmetic{ISA: "mmx"}}}, "isa"},
	} {
		_, trainErr := Train(t.Context(), TrainOptions{Options: c.o, Time: c.time})
		_, generateErr := Generate(t.Context(), GenerateOptions{Options: c.o, Time: c.time})
		for _, err := range []error{trainErr, generateErr} {
			var option *pipeline.OptionError
			if !errors.As(err, &option) || option.Option != c.want {
				t.Errorf("%+v: got %v, want a complaint about %s", c, err, c.want)
			}
		}
	}
}
