package run

import (
	"math"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline/engine"
)

// Simulated steps run against a budget of a minute, on machines of changing speed. The run ends
// within 3 % of the minute, with a rate near zero and a short schedule.
func TestTimeBudget(t *testing.T) {
	for name, stepTime := range map[string]func(step int, used float64) float64{
		"steady":        func(int, float64) float64 { return 0.1 },
		"slow at first": func(step int, _ float64) float64 { return 0.1 + 2/float64(1+step*step) },
		"slows down":    func(_ int, used float64) float64 { return 0.1 * (1 + math.Floor(used/30)) },
		"speeds up":     func(_ int, used float64) float64 { return 0.2 / (1 + math.Floor(used/30)) },
		"alternates":    func(step int, _ float64) float64 { return 0.05 + 0.1*float64(step%2) },
		"fast":          func(int, float64) float64 { return 0.002 },
	} {
		t.Run(name, func(t *testing.T) {
			s, used, rate := simulate(stepTime, time.Minute)
			if math.Abs(used-60) > 1.8 {
				t.Errorf("used %.2f s of 60", used)
			}
			if rate > 0.01 {
				t.Errorf("last rate %g of 1", rate)
			}
			if err := s.Validate(); err != nil || len(s) > estimates+5 {
				t.Errorf("%d pieces, %v: %v", len(s), err, s)
			}
		})
	}
}

// A step may be longer than the whole budget. The run does one step and ends.
func TestTimeBudgetOneStep(t *testing.T) {
	s, used, _ := simulate(func(int, float64) float64 { return 7 }, time.Second)
	if used != 7 || s.Total() != 1 {
		t.Errorf("used %g s, schedule %v", used, s)
	}
}

// simulate runs a budget against made-up steps, as [Run.loop] does.
func simulate(
	stepTime func(step int, used float64) float64, limit time.Duration,
) (s engine.RateSchedule, used, rate float64) {
	b := &timeBudget{limit: limit}
	for step := 0; s.Total() == 0 || step < s.Total(); {
		rate = s.Rate(step, 1, 50, engine.CosineRate)
		took := stepTime(step, used)
		used += took
		step++
		b.add(Seconds(took), Seconds(took))
		if total, due := b.estimate(step); due {
			s = s.Revise(step, total)
		}
	}
	return s, used, rate
}
