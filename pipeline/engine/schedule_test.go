package engine

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

// Text and JSON of a schedule read back, and a text that is no schedule is an error.
func TestScheduleText(t *testing.T) {
	want := RateSchedule{{3, 1200}, {60, 1180}, {1180, 1180}}
	got, err := ParseRateSchedule("3:1200,60:1180,1180:1180")
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("parsed %v, %v, want %v", got, err, want)
	}
	text, err := json.Marshal(want)
	if err != nil || string(text) != `"3:1200,60:1180,1180:1180"` {
		t.Errorf("JSON %s, %v", text, err)
	}
	if err := json.Unmarshal(text, &got); err != nil || !slices.Equal(got, want) {
		t.Errorf("read back %v, %v", got, err)
	}
	for _, bad := range []string{"", "5", "5:", ":5", "a:b", "5:4", "-1:4", "3:9,2:9", "0:0", "0:99999999999", "1:2,"} {
		if s, err := ParseRateSchedule(bad); err == nil {
			t.Errorf("%q was read as %v", bad, s)
		}
	}
}

// Rates by hand: peak 2, 50 steps of warm-up, 1000 steps.
func TestRate(t *testing.T) {
	steps := RateSchedule{{0, 1000}}
	for _, c := range []struct {
		step  int
		decay Decay
		want  float64
	}{
		{0, CosineRate, 2.0 / 50}, // the first of 50 steps of warm-up; the cosine is still 1
		{24, ConstantRate, 1},
		{500, CosineRate, 1},
		{250, CosineRate, 1 + math.Sqrt2/2},
		{250, LinearRate, 1.5},
		{999, LinearRate, 0.002},
		{999, ConstantRate, 2},
	} {
		if got := steps.Rate(c.step, 2, 50, c.decay); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("rate of step %d, %s: %g, want %g", c.step, c.decay, got, c.want)
		}
	}
	if last := steps.Rate(999, 2, 50, CosineRate); !(last > 0 && last < 1e-5) {
		t.Errorf("last rate %g, want next to nothing", last)
	}
	// A run of 20 steps warms up for 2 of them, not for 50.
	if got := (RateSchedule{{0, 20}}).Rate(2, 2, 50, CosineRate); got < 1.9 {
		t.Errorf("rate of step 2 of 20: %g, want nearly the peak", got)
	}
	// A run that learns after 3 steps that it has 40 goes on from its rate, in 4 steps, to the
	// peak.
	late := RateSchedule{{3, 40}}
	for step, want := range []float64{0.02, 0.04, 0.06, 0.06 + 0.94/4, 0.06 + 0.94/2, 0.06 + 0.94*3/4, 1, 1} {
		if step >= 3 {
			want *= LinearRate.factor(float64(step) / 40)
		}
		if got := late.Rate(step, 1, 50, LinearRate); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d of a run that knows its length at 3: rate %g, want %g", step, got, want)
		}
	}
	if got := (RateSchedule)(nil).Rate(60, 2, 50, CosineRate); got != 2 {
		t.Errorf("rate of a run of unknown length: %g, want the peak", got)
	}
}

// A run that is trained further keeps the rates of the steps it has done.
func TestScheduleRevise(t *testing.T) {
	s := RateSchedule{{0, 100}}
	longer := s.Revise(100, 200)
	for _, step := range []int{0, 50, 99} {
		if a, b := s.Rate(step, 1, 5, CosineRate), longer.Rate(step, 1, 5, CosineRate); a != b {
			t.Errorf("rate of step %d was %g, became %g", step, a, b)
		}
	}
	if got := longer.Rate(150, 1, 5, CosineRate); math.Abs(got-CosineRate.factor(0.75)) > 1e-12 {
		t.Errorf("rate of step 150 of 200 is %g", got)
	}
	if again := longer.Revise(110, 200); !slices.Equal(again, longer) {
		t.Errorf("the same estimate made %v of %v", again, longer)
	}
}
