package bench

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

// madeUp returns a report of a machine with the given best instruction set. Its rates are made up,
// and multiplied by speed.
func madeUp(cpu, isa string, threads int, speed float64, day int) *Report {
	at := Stamp{"v0.1.0", time.Date(2026, 1, day, 12, 0, 0, 0, time.UTC)}
	r := &Report{Schema: Schema, Machine: Machine{
		pipeline.Machine{
			Build: pipeline.Build{Version: "v0.1.0"}, Go: "go1.26.0", System: "linux/amd64", Threads: threads,
			ISAs: []string{"generic", isa}, Best: isa,
		},
		kernels.Processor{Name: cpu, Threads: threads, L3: 32 << 20, Features: []string{"AVX2"}},
	}}
	rate := func(v float64) Rate { return Rate{v * speed, 0.98 * v * speed, 1.02 * v * speed, 9} }
	k := &KernelReport{Stamp: at, Preset: "base", Batch: 4}
	for _, n := range []int{1, threads} {
		k.Limits = append(k.Limits, Limit{ISA: isa, Threads: n, GFLOPs: 100 * float64(n) * speed, Bandwidth: 20})
		for _, pass := range []string{forward, inputGrad, weightGrad} {
			for i, share := range []float64{0.75, 0.25} {
				k.Results = append(k.Results, KernelResult{
					ISA: isa, Threads: n, Kernel: "conv3x3", Shape: []string{"28x28/96-32", "7x7/64-64"}[i],
					Pass: pass, Algorithm: "direct",
					Chosen: true, Share: share, Rate: rate(80 * float64(n) * float64(i+1)), Unit: gflops, Percent: 80,
				})
			}
		}
	}
	r.Kernels = k
	f := Figures{
		ImagesPerS: 100 * speed, Quartiles: [2]float64{99 * speed, 101 * speed}, Samples: 5, ForwardPerS: 300 * speed,
		ForwardQuartiles: [2]float64{250 * speed, 350 * speed}, Percent: 56.7, ForwardPercent: 56.7,
		PeakMemory: 123456789,
	}
	work := Workload{Preset: "base", Batch: 128, Threads: threads, ISA: isa}
	r.Train = []TrainResult{{Stamp: at, Workload: work, MicroBatch: 8, Figures: f}}
	r.Generate = []GenerateResult{{
		Stamp: at, Workload: Workload{Preset: "base", Batch: 64, Threads: threads, ISA: isa},
		Solver: "midpoint", Steps: 20,
		Evaluations: 40, FirstImage: 120 / speed, Figures: f,
	}}
	return r
}

// inBoth adds to a report of float32 the figures of bfloat16, twice as high.
func inBoth(r *Report) *Report {
	k, double := r.Kernels, func(v Rate) Rate { return Rate{2 * v.Median, 2 * v.Low, 2 * v.High, v.Samples} }
	for i := range k.Limits {
		k.Limits[i].BF16 = 8 * k.Limits[i].GFLOPs
	}
	for _, half := range k.Results {
		half.Precision, half.Algorithm, half.Rate = "bf16", "winograd4", double(half.Rate)
		k.Results = append(k.Results, half)
	}
	t := r.Train[0]
	t.Precision, t.ImagesPerS, t.Quartiles = "bf16", 2*t.ImagesPerS, [2]float64{2 * t.Quartiles[0], 2 * t.Quartiles[1]}
	r.Train[0].Precision = "f32" // as new reports say
	r.Train = append(r.Train, t)
	return r
}

// The first table compares two CPUs with different instruction sets and numbers of threads, one of
// which lacks a part. The second compares two reports of one machine: evaluations differ within the
// spread, and training beyond it. The last has rows for each precision.
func TestCompareTables(t *testing.T) {
	half := madeUp("Arm Neoverse V2", "neon", 64, 3, 3)
	half.Generate = nil
	for _, c := range []struct {
		name    string
		reports []*Report
		pattern string
	}{
		{"cpus", []*Report{madeUp("AMD EPYC", "avx512", 2, 1, 1), half, madeUp("Intel Xeon", "avx512", 2, 1.5, 4)}, ""},
		{"drift", []*Report{madeUp("AMD EPYC", "avx512", 2, 1, 1), madeUp("AMD EPYC", "avx512", 2, 0.95, 2)},
			"96-32/forward"},
		{"single", []*Report{madeUp("AMD EPYC", "avx512", 2, 1, 1)}, ""},
		{"precisions", []*Report{inBoth(madeUp("Intel Xeon", "amx", 2, 1, 1)), madeUp("AMD EPYC", "avx512", 2, 1, 1)},
			"96-32/forward"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var match *regexp.Regexp
			if c.pattern != "" {
				match = regexp.MustCompile(c.pattern)
			}
			var got bytes.Buffer
			if err := sideBySide([]string{"a.json", "b.json", "c.json"}, c.reports, match).WriteText(&got); err != nil {
				t.Fatal(err)
			}
			golden(t, "compare-"+c.name+".golden", got.Bytes())
		})
	}
}

// golden compares a text with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it anew): got\n%s\nwant\n%s", path, got, want)
	}
}

// The picture must be a PNG that grows with the number of reports.
func TestChart(t *testing.T) {
	height := 0
	for n := 1; n <= 3; n++ {
		reports := []*Report{
			inBoth(madeUp("AMD EPYC", "avx512", 2, 1, 1)),
			madeUp("Arm Neoverse V2", "neon", 64, 20, 2),
			madeUp("Intel Xeon", "avx512", 8, 5, 3),
		}[:n]
		var out bytes.Buffer
		if err := sideBySide([]string{"a.json", "b.json", "c.json"}, reports, nil).WriteChart(&out); err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(&out)
		if err != nil {
			t.Fatal(err)
		}
		if h := picture.Bounds().Dy(); h <= height {
			t.Errorf("%d reports: %d rows, want more than for fewer", n, h)
		} else {
			height = h
		}
	}
}

func TestChartWithoutFiguresSaysWhatToMeasure(t *testing.T) {
	r := madeUp("AMD EPYC", "avx512", 2, 1, 1)
	r.Kernels, r.Train, r.Generate = nil, nil, nil
	err := sideBySide([]string{"a.json"}, []*Report{r}, nil).WriteChart(&bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "bench train") {
		t.Errorf("got %v", err)
	}
}
