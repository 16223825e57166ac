package bench

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/unet"
)

func base(t *testing.T) unet.Config {
	t.Helper()
	cfg, err := unet.Preset("base")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// everyArithmetic returns all instruction sets of this machine in all precisions.
func everyArithmetic() []arithmetic {
	var all []arithmetic
	for _, isa := range kernels.Available() {
		for _, p := range kernels.Precisions() {
			all = append(all, arithmetic{isa, p})
		}
	}
	return all
}

// For each instruction set and precision, the shares of the chosen cases of a pass add up to all of
// the work, and each shape has one chosen case.
func TestSharesSumToAll(t *testing.T) {
	for _, on := range everyArithmetic() {
		for _, every := range []bool{false, true} {
			sums := map[string]float64{}
			for _, c := range kernelCases(base(t), on, 4, every) {
				if c.chosen {
					sums[c.pass] += c.share
				}
			}
			for _, pass := range []string{forward, inputGrad, weightGrad} {
				if math.Abs(sums[pass]-1) > 1e-12 {
					t.Errorf("%v, every %v: the shares of %s sum to %v", on, every, pass, sums[pass])
				}
			}
		}
	}
}

// With every algorithm, a shape has three cases where Winograd can compute it, and else one. The
// chosen case comes first, and no name occurs twice.
func TestEveryAlgorithm(t *testing.T) {
	isa := kernels.Best()
	ways, seen := map[string][]string{}, map[string]bool{}
	for _, c := range kernelCases(base(t), arithmetic{isa, kernels.F32}, 4, true) {
		if seen[c.name()] {
			t.Errorf("%s occurs twice", c.name())
		}
		seen[c.name()] = true
		ways[c.base()] = append(ways[c.base()], c.algorithm)
		if c.algorithm != "" && c.chosen != (len(ways[c.base()]) == 1) {
			t.Errorf("%s: chosen %v as number %d of its shape", c.name(), c.chosen, len(ways[c.base()]))
		}
	}
	sorted := slices.Sorted(slices.Values(ways["conv3x3/28x28/96-32/forward"]))
	if want := []string{"direct", "winograd2", "winograd4"}; !slices.Equal(sorted, want) {
		t.Errorf("conv3x3: %v, want %v", sorted, want)
	}
	if got := ways["conv1x1/28x28/96-32/forward"]; len(got) != 1 {
		t.Errorf("conv1x1: %v, want direct alone", got)
	}
}

// Every case runs: a wrong shape would panic. The batch is one image. Plain Go, whose whole network
// takes seconds, is left out where there is something faster.
func TestEveryCaseRuns(t *testing.T) {
	for _, on := range everyArithmetic() {
		if on.isa == kernels.Generic && len(kernels.Available()) > 1 {
			continue
		}
		cases := kernelCases(base(t), on, 1, true)
		if on.isa == kernels.Generic {
			cases = kernelCases(tiny(t), on, 1, true)
		}
		for _, c := range cases {
			call := c.prepare(on)
			call()
			call()
			if c.work <= 0 {
				t.Errorf("%s: no work", c.name())
			}
			if strings.HasSuffix(c.name(), "/bf16") != (on.precision == kernels.BF16) {
				t.Errorf("%s in %v", c.name(), on.precision)
			}
		}
	}
}

func tiny(t *testing.T) unet.Config {
	t.Helper()
	cfg, err := unet.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestKernelNames(t *testing.T) {
	for _, c := range []struct {
		run, precision string
		want           int
	}{
		{"^conv3x3/28x28/96-32/", "f32", 3},
		{"/96-32/forward", "f32", 2}, // 3x3 and the 1x1 of the skip connection
		{"^adamw", "f32", 1},
		{"^conv3x3/28x28/96-32/", "bf16", 3},
		{"^conv3x3/28x28/96-32/", "bf16, f32,bf16", 6},
		{"^adamw", "bf16,f32", 1},
		{"bf16$", "f32,bf16", 0}, // as many as there are
	} {
		names, err := KernelNames(KernelOptions{Run: c.run, Precision: c.precision})
		if c.want == 0 {
			c.want = max(len(names), 1)
		}
		if err != nil || len(names) != c.want {
			t.Errorf("%q: %v, %v, want %d names", c.run, names, err, c.want)
		}
		for _, name := range names {
			if !regexp.MustCompile(c.run).MatchString(name) {
				t.Errorf("%q selects %s", c.run, name)
			}
		}
	}
}

// A run measures the cases that it selects on both numbers of threads, and reports them as it goes.
// The figures agree with each other.
func TestKernels(t *testing.T) {
	var told []KernelResult
	limits := 0
	report, err := Kernels(t.Context(), KernelOptions{
		Run: "conv3x3/7x7/64-64/forward", Precision: "f32",
		ISA: kernels.Best().String(), Threads: 2, Batch: 1, Time: 300 * time.Millisecond,
		OnLimit: func(Limit) { limits++ }, OnResult: func(r KernelResult) { told = append(told, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results)+report.Skipped != 2 || len(told) != len(report.Results) || limits != 2 ||
		len(report.Limits) != 2 {
		t.Fatalf("%d results, %d skipped, %d told, %d limits, want two of each on 1 and 2 threads",
			len(report.Results), report.Skipped, len(told), limits)
	}
	for _, r := range report.Results {
		l := report.Limits[r.Threads-1]
		if r.Unit != gflops || !(r.Rate.Low <= r.Rate.Median && r.Rate.Median <= r.Rate.High) ||
			r.Rate.Samples < leastSamples {
			t.Errorf("%+v", r)
		}
		if want := 100 * r.Rate.Median / l.GFLOPs; math.Abs(r.Percent-want) > 1e-9*want {
			t.Errorf("%v%% of the peak %v for %v", r.Percent, l.GFLOPs, r.Rate.Median)
		}
	}
}

// What bounds a case is the peak of what it multiplies.
func TestPeakOfCases(t *testing.T) {
	limit := Limit{GFLOPs: 1, BF16: 16}
	for _, p := range kernels.Precisions() {
		for _, c := range kernelCases(tiny(t), arithmetic{kernels.Best(), p}, 1, false) {
			want := 1.0
			if p == kernels.BF16 && c.kernel != "linear" && c.kernel != "attention" {
				want = 16
			}
			if got := c.peak(limit); got != want {
				t.Errorf("%s: %v, want %v", c.name(), got, want)
			}
		}
	}
}

// The time bounds the whole, and the skipped cases are counted. A slow case or a memory limit may
// be under way when the time is over. That takes far less than the 4 s that the test allows for a
// busy machine.
func TestTimeIsABound(t *testing.T) {
	report, err := Kernels(t.Context(), KernelOptions{Time: 50 * time.Millisecond, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if measured := len(report.Results); measured > report.Skipped {
		t.Errorf("50 ms sufficed for %d of %d cases", measured, measured+report.Skipped)
	}
}

func TestKernelsStopWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Kernels(ctx, KernelOptions{Time: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestKernelOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		o    KernelOptions
		want string
	}{
		{KernelOptions{Preset: "huge"}, "preset"},
		{KernelOptions{Batch: -1}, "batch"},
		{KernelOptions{Threads: -1}, "threads"},
		{KernelOptions{Time: -time.Second}, "time"},
		{KernelOptions{Run: "("}, "run"},
		{KernelOptions{Run: "no such kernel"}, "run"},
		{KernelOptions{ISA: "mmx"}, "isa"},
		{KernelOptions{ISA: "generic,"}, "isa"},
		{KernelOptions{Precision: "f16"}, "precision"},
		{KernelOptions{Precision: "f32,,bf16"}, "precision"},
		{KernelOptions{Precision: "bf16", Run: "^adamw"}, "run"},
	} {
		_, err := Kernels(t.Context(), c.o)
		var option *pipeline.OptionError
		if !errors.As(err, &option) || option.Option != c.want || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: got %v, want a complaint about %s in one line", c.o, err, c.want)
		}
	}
}

// Two shapes that share the work as 3 to 1, at rates 100 and 50, give 1/(0.75/100 + 0.25/50) = 80.
// Results that the network does not use do not count, and a pass with a part missing has no
// summary.
func TestSummaries(t *testing.T) {
	result := func(pass string, share, rate float64, chosen bool) KernelResult {
		return KernelResult{ISA: "avx2", Threads: 1, Pass: pass, Share: share, Chosen: chosen, Rate: Rate{Median: rate}}
	}
	inBF16 := result(forward, 1, 400, true)
	inBF16.Precision = "bf16"
	k := KernelReport{
		Limits: []Limit{{ISA: "avx2", Threads: 1, GFLOPs: 160, BF16: 1600}, {ISA: "avx2", Threads: 2, GFLOPs: 320}},
		Results: []KernelResult{
			result(forward, 0.75, 100, true), result(forward, 0.75, 1, false), result(forward, 0.25, 50, true),
			result(inputGrad, 0.75, 100, true), inBF16,
		},
	}
	got := k.Summaries()
	if len(got) != 2 || math.Abs(got[0].GFLOPs-80) > 1e-9 || math.Abs(got[0].Percent-50) > 1e-9 ||
		got[0].Pass != forward || got[0].Precision != "f32" {
		t.Fatalf("got %+v, want forward at 80 GFLOP/s, 50%% of the peak, and once more in bf16", got)
	}
	if b := got[1]; b.Precision != "bf16" || math.Abs(b.Percent-25) > 1e-9 {
		t.Errorf("got %+v, want 25%% of the peak of bf16", b)
	}
}
