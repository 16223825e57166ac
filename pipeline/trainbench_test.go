package pipeline

import (
	"errors"
	"math"
	"testing"
	"time"
)

// A bench must do the work of Train: its steps leave the same parameters, to the byte.
func TestTrainBenchDoesTheStepsOfTrain(t *testing.T) {
	data := digits()
	b, err := NewTrainBench(BenchOptions{Preset: "tiny", Batch: 6, Threads: 2, Source: data})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const steps = 3
	for range steps {
		if err := b.Step(); err != nil {
			t.Fatal(err)
		}
	}
	o := smallRun(t)
	o.Network, o.Preset, o.Source, o.Batch, o.MicroBatch = nil, "tiny", data, 6, 0
	o.Steps, o.Schedule, o.Warmup = 0, Schedule{{0, maxSteps}}, DefaultTrainOptions().Warmup
	o.StopAfter = steps
	var stopped *InterruptedError
	if _, err := Train(t.Context(), o); !errors.As(err, &stopped) {
		t.Fatal(err)
	}
	ck, err := OpenCheckpoint(o.Out, "")
	if err != nil {
		t.Fatal(err)
	}
	average := b.run.engine.state.average
	for i, v := range ck.UNet().Params().Values {
		if math.Float32bits(v) != math.Float32bits(average[i]) {
			t.Fatalf("element %d is %v after Train and %v after the bench", i, v, average[i])
		}
	}
}

func TestBenchesDoNotAllocate(t *testing.T) {
	b, err := NewTrainBench(BenchOptions{Preset: "tiny", Batch: 11, Threads: 2, Source: digits()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 5 { // until each worker has had a micro-batch, most likely
		must(b.Step())
	}
	if n := testing.AllocsPerRun(3, func() { must(b.Step()) }); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
	if n := testing.AllocsPerRun(3, func() { must(b.Forward()) }); n != 0 {
		t.Errorf("%v allocations a forward", n)
	}
}

// Every image of a batch that no number of workers divides must be evaluated once.
func TestTrainBenchEvaluatesTheBatch(t *testing.T) {
	b, err := NewTrainBench(BenchOptions{Preset: "tiny", Batch: 21, Threads: 3, Source: digits()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Forward(); err != nil { // makes the inputs
		t.Fatal(err)
	}
	counters := make([]countingNet, len(b.inputs))
	for i := range b.inputs {
		b.inputs[i].net = &counters[i]
	}
	if err := b.Forward(); err != nil {
		t.Fatal(err)
	}
	images := 0
	for _, c := range counters {
		images += c.images
	}
	if images != 21 {
		t.Errorf("%d images were evaluated, want 21", images)
	}
}

// A countingNet counts the images of its forward passes.
type countingNet struct{ images int }

func (c *countingNet) Forward(_, _, t []float32, _ []int32) { c.images += len(t) }
func (c *countingNet) Jump(_, _, t, _ []float32, _ []int32) { c.images += len(t) }
func (*countingNet) Backward(_, _, _ []float32)             {}

func TestSampleBench(t *testing.T) {
	b, err := NewSampleBench(BenchOptions{Preset: "tiny", Batch: 3, Threads: 2, ISA: "generic"}, SampleOptions{Method: Method{Solver: "midpoint", Steps: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	evaluations, err := b.Draw(t.Context())
	if err != nil || evaluations != 4 { // midpoint: two a step
		t.Errorf("%v evaluations, %v, want 4", evaluations, err)
	}
	if took, err := b.FirstImage(t.Context()); err != nil || took <= 0 {
		t.Errorf("first image after %v, %v", took, err)
	}
	if limit := b.Limit(time.Millisecond); !(limit > 0) {
		t.Errorf("a limit of %v", limit)
	}
}

func TestBenchOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		o    BenchOptions
		want string
	}{
		{BenchOptions{Preset: "huge"}, "preset"},
		{BenchOptions{Batch: -1}, "batch"},
		{BenchOptions{Threads: -1}, "threads"},
		{BenchOptions{ISA: "mmx"}, "isa"},
	} {
		_, trainErr := NewTrainBench(c.o)
		_, sampleErr := NewSampleBench(c.o, SampleOptions{})
		for _, err := range []error{trainErr, sampleErr} {
			var option *OptionError
			if !errors.As(err, &option) || option.Option != c.want {
				t.Errorf("%+v: got %v, want a complaint about %s", c.o, err, c.want)
			}
		}
	}
}
