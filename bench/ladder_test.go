package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// Each size is measured by each optimiser, in that order. What was measured says so.
func TestTrainEach(t *testing.T) {
	o := TrainOptions{Options: small(), Time: 50 * time.Millisecond}
	o.Source, o.ImageChannels = nil, feed.RGB
	var told []string
	o.OnStart = func(w Workload) { told = append(told, spellShape(w.shape())) }
	sizes := []pipeline.Size{pipeline.Square(8), {Width: 16, Height: 8}}
	all, err := TrainEach(t.Context(), o, sizes, engine.Optimizers())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(told, ", "); got != "8x8 rgb, 8x8 rgb, 8x8 rgb, 16x8 rgb, 16x8 rgb, 16x8 rgb" {
		t.Errorf("measured %s", got)
	}
	for i, r := range all {
		if want := engine.Optimizers()[i%3]; r.Optimizer != want || r.Channels != 3 || r.Size != sizes[i/3] {
			t.Errorf("result %d is of %v with %d channels by %s, want %v by %s", i, r.Size, r.Channels, r.Optimizer,
				sizes[i/3], want)
		}
		checkFigures(t, &r.Figures)
		checkAllocations(t, &r.Figures)
	}
	if small, large := all[0].FLOPs, all[3].FLOPs; large < 1.8*small {
		t.Errorf("%v operations for twice as many pixels as those of %v", large, small)
	}
}

// All options are checked before anything is measured.
func TestTrainEachChecksFirst(t *testing.T) {
	o := TrainOptions{Options: small(), OnStart: func(Workload) { t.Error("it began") }}
	o.Source = nil
	for _, c := range []struct {
		sizes      []pipeline.Size
		optimizers []engine.Optimizer
		want       string
	}{
		{[]pipeline.Size{pipeline.Square(8), pipeline.Square(9)}, nil, "size"},
		{nil, []engine.Optimizer{engine.Muon, "sgd"}, "optimizer"},
	} {
		_, err := TrainEach(t.Context(), o, c.sizes, c.optimizers)
		if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != c.want {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

// A single result is an object, and several are a list. The table of several has what an image and
// a pixel cost.
func TestTrainResultsAsText(t *testing.T) {
	work := Workload{Preset: "base", Size: pipeline.Square(32), Channels: 3, Batch: 4, Threads: 1, ISA: "avx2"}
	one := TrainResult{Workload: work, Optimizer: engine.Muon, Figures: Figures{ImagesPerS: 100, ForwardPerS: 300}}
	two := one
	two.Size, two.ImagesPerS, two.PeakMemory = pipeline.Square(64), 20, 5e8
	for _, c := range []struct {
		results TrainResults
		list    bool
	}{{TrainResults{one}, false}, {TrainResults{one, two}, true}} {
		text, err := json.Marshal(c.results)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Preset string
			Train  []TrainResult
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if (len(got.Train) == 2) != c.list || (got.Preset == "base") == c.list {
			t.Errorf("%s", text)
		}
		var out bytes.Buffer
		if err := c.results.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		row := "64x64 rgb      muon              20.0          300       50.0        12207         500\n"
		if strings.Contains(out.String(), row) != c.list {
			t.Errorf("%s", &out)
		}
	}
}

// Images of noise are like those of other data sets: in the range, labelled and all different.
func TestNoise(t *testing.T) {
	n := newNoise(pipeline.Shape{Height: 3, Width: 2, Channels: 4})
	a, b := make([]float32, 24), make([]float32, 24)
	for _, i := range []int{0, 1, n.Len() - 1} {
		if label := n.Image(i, a); label != i%10 || label >= len(n.Classes()) {
			t.Errorf("image %d has label %d", i, label)
		}
		n.Image((i+1)%n.Len(), b)
		same := 0
		for k, v := range a {
			if v < -1 || v > 1 {
				t.Fatalf("image %d has a value of %v", i, v)
			}
			if v == b[k] {
				same++
			}
		}
		if same == len(a) {
			t.Errorf("images %d and %d are equal", i, (i+1)%n.Len())
		}
	}
}

// Where the system can, memory that was freed no longer counts in the peak.
func TestForgetPeakMemory(t *testing.T) {
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		t.Skip("this system cannot forget the peak")
	}
	touch := func() {
		block := make([]byte, 256<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
	}
	touch()
	before := peakMemory()
	forgetPeakMemory()
	if after := peakMemory(); after > before-128<<20 {
		t.Skipf("the peak went from %d to %d: this system does not reset it", before, after)
	}
}
