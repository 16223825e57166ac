package run

import (
	"math"
	"time"

	"github.com/fmimg/fmimg/pipeline/engine"
)

// A timeBudget turns a time limit into a number of steps, from the steps measured so far.
type timeBudget struct {
	limit time.Duration
	used  time.Duration // time of training steps alone, without checkpoints and previews
	meter Meter         // mean time of this process's steps
	next  time.Duration // used time at which the next estimate is due
}

const (
	firstEstimate = 3    // steps before the first estimate: the first steps map their memory
	estimates     = 50   // estimates over a whole budget, to bound the length of a schedule
	meanHorizon   = 50.0 // steps that the running mean looks back on
)

// add counts a step. It took the time took, and each is the time of a step in the long run.
func (b *timeBudget) add(took, each time.Duration) {
	b.used += took
	b.meter.Add(each.Seconds())
}

// estimate returns the total number of steps that fill the budget, after done steps. due says
// whether an estimate is due at all. A budget that is used up ends the run at once.
func (b *timeBudget) estimate(done int) (total int, due bool) {
	early := b.meter.steps < firstEstimate && b.used < b.limit/4
	if early || b.used < b.next {
		return 0, false
	}
	b.next = b.used + b.limit/estimates
	left := (b.limit - b.used).Seconds()
	if left <= 0 || b.meter.mean <= 0 {
		return done, true
	}
	return int(min(float64(done)+math.Round(left/b.meter.mean), engine.MaxSteps)), true
}
