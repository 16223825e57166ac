package engine

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Estimate is an entry of a [RateSchedule]: from step Step on, counted from 0, the run expects
// to end after Total steps.
type Estimate struct{ Step, Total int }

// A RateSchedule says how many steps a run expected to make at each of its steps. With the step it
// is all that the learning rate depends on. A run with a budget in steps has one estimate. A run
// with a budget in time starts without an estimate, measures itself, and adds an estimate whenever
// it changes. The same schedule always gives the same rates, so a timed run can be repeated.
//
// Its text, in config.json and in the option schedule, is "step:total" pairs joined by commas.
type RateSchedule []Estimate

// A Decay is the shape of the learning rate over a run.
type Decay string

// The shapes: from the peak to zero along half a cosine or a line, or no decay.
const (
	CosineRate   Decay = "cosine"
	LinearRate   Decay = "linear"
	ConstantRate Decay = "constant"
)

// A ScheduleError says what is wrong with a schedule.
type ScheduleError struct{ Reason string }

// Error returns one line.
func (e *ScheduleError) Error() string { return "schedule: " + e.Reason }

// MaxSteps bounds the number of steps of a run.
const MaxSteps = 1 << 30

// EpochSchedule returns the schedule of a number of passes over n images, in steps of one batch.
func EpochSchedule(passes float64, n, batch int) RateSchedule {
	steps := math.Ceil(passes * float64(n) / float64(batch))
	return RateSchedule{{0, int(min(max(steps, 1), MaxSteps))}}
}

// ParseRateSchedule reads the text form of a schedule. The error is a [*ScheduleError].
func ParseRateSchedule(text string) (RateSchedule, error) {
	var s RateSchedule
	for pair := range strings.SplitSeq(text, ",") {
		step, total, ok := strings.Cut(pair, ":")
		from, err1 := strconv.Atoi(step)
		to, err2 := strconv.Atoi(total)
		if !ok || err1 != nil || err2 != nil {
			return nil, badSchedule("%q is no step:total pair such as 3:1200", pair)
		}
		s = append(s, Estimate{from, to})
	}
	return s, s.Validate()
}

// badSchedule returns a [*ScheduleError].
func badSchedule(format string, args ...any) error {
	return &ScheduleError{fmt.Sprintf(format, args...)}
}

// Validate returns a [*ScheduleError] for a schedule that no run can have.
func (s RateSchedule) Validate() error {
	for i, p := range s {
		if p.Step < 0 || p.Total < p.Step || p.Total > MaxSteps || (i > 0 && p.Step < s[i-1].Step) {
			return badSchedule("%d:%d is out of order or out of range: "+
				"steps rise and no total lies before its step", p.Step, p.Total)
		}
	}
	if len(s) > 0 && s.Total() == 0 {
		return badSchedule("it ends at step 0")
	}
	return nil
}

// String returns the text form.
func (s RateSchedule) String() string {
	var b strings.Builder
	for i, p := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:%d", p.Step, p.Total)
	}
	return b.String()
}

// MarshalText returns the text form, for JSON.
func (s RateSchedule) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text form; the empty text is the empty schedule.
func (s *RateSchedule) UnmarshalText(text []byte) error {
	*s = nil
	if len(text) == 0 {
		return nil
	}
	parsed, err := ParseRateSchedule(string(text))
	*s = parsed
	return err
}

// Total returns the last estimate of the number of steps of the whole run, 0 while there is none.
func (s RateSchedule) Total() int {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].Total
}

// At returns the estimate at a step, 0 where there is none yet.
func (s RateSchedule) At(step int) int {
	total := 0
	for _, p := range s {
		if p.Step > step {
			break
		}
		total = p.Total
	}
	return total
}

// Done returns the share of the run that is done before a step, 0 while no estimate is known.
func (s RateSchedule) Done(step int) float64 {
	total := s.At(step)
	if total == 0 {
		return 0
	}
	return min(float64(step)/float64(total), 1)
}

// Revise returns the schedule with one more estimate: after step steps, the run expects to end
// after total. It may change s in place, as append does.
func (s RateSchedule) Revise(step, total int) RateSchedule {
	switch {
	case s.Total() == total && len(s) > 0:
		return s
	case len(s) > 0 && s[len(s)-1].Step == step:
		s[len(s)-1].Total = total
		return s
	}
	return append(s, Estimate{step, total})
}

// Rate returns the learning rate of a step. It is peak, times a linear warm-up over the first
// steps, times the decay at the fraction of the run that is done before the step.
//
// A short run warms up in a tenth of its steps. If its length becomes known only after some steps,
// the warm-up goes on from the rate that these steps have reached.
func (s RateSchedule) Rate(step int, peak float64, warmup int, decay Decay) float64 {
	short := s.Warmup(step, warmup, decay)
	rate := peak
	if known := s.first(); short < warmup && known > 0 {
		reached := min(float64(known)/float64(warmup), 1)
		rate *= reached + (1-reached)*ramp(step-known, short)
	} else {
		rate *= ramp(step, short)
	}
	if total := s.At(step); total > 0 {
		rate *= decay.factor(float64(step) / float64(total))
	}
	return rate
}

// Warmup returns the number of steps of warm-up as it looks at a step. warmup is the number for a
// long run.
func (s RateSchedule) Warmup(step, warmup int, decay Decay) int {
	total := s.At(step)
	if total > 0 && decay != ConstantRate {
		return min(warmup, total/10) // a short run should do more than warm up
	}
	return warmup
}

// first returns the step of the first estimate.
func (s RateSchedule) first() int {
	if len(s) == 0 {
		return 0
	}
	return s[0].Step
}

// ramp returns the share of the peak rate at a step of a linear warm-up over the given steps.
func ramp(step, steps int) float64 {
	if step >= steps {
		return 1
	}
	return float64(step+1) / float64(steps)
}

// Decays lists the shapes.
func Decays() []Decay { return []Decay{CosineRate, LinearRate, ConstantRate} }

// factor returns the share of the peak rate at a fraction of the run in [0, 1].
func (d Decay) factor(progress float64) float64 {
	progress = min(max(progress, 0), 1)
	switch d {
	case CosineRate:
		return (1 + math.Cos(math.Pi*progress)) / 2
	case LinearRate:
		return 1 - progress
	}
	return 1
}
