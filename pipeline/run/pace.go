package run

import (
	"time"

	"github.com/fmimg/fmimg/pipeline/feed"
)

// A Meter keeps the running mean of a step's seconds.
type Meter struct {
	steps int
	mean  float64
}

// Add adds the seconds of a step. The mean looks back on some steps: see meanHorizon.
func (m *Meter) Add(seconds float64) {
	m.steps++
	m.mean += max(1/float64(m.steps), 1/meanHorizon) * (seconds - m.mean)
}

const (
	autoSave  = 60.0 // seconds of training between checkpoints, where the options give no steps
	autoShows = 10   // previews in a run, where the options give no steps
	// costShare is the least training time between two previews or two checkpoints, in times of one
	// of them, where the options give no steps.
	costShare = 50.0
	// heldShare is the same for validation losses. A run has at most maxHeld of them.
	heldShare = 100.0
	maxHeld   = 50
)

// A pace decides when previews, checkpoints and validation losses are due. They change no number of
// the training, so a pace may look at the clock.
type pace struct {
	saveAt   float64 // training seconds of the last checkpoint
	saveCost float64 // its seconds
	showAt   float64 // training seconds of the last preview
	showStep int     // its step
	showCost float64 // its seconds
	heldAt   float64 // training seconds of the last validation loss
	heldStep int     // its step
	heldCost float64 // its seconds
}

// saveDue reports whether a checkpoint is due.
func (c *pace) saveDue(o *Options, p *Progress) bool {
	if o.SaveEvery > 0 {
		return p.Step%o.SaveEvery == 0
	}
	return p.Seconds-c.saveAt >= max(autoSave, costShare*c.saveCost)
}

// saved notes a checkpoint: the training seconds so far, and its duration.
func (c *pace) saved(at float64, took time.Duration) {
	c.saveAt, c.saveCost = at, took.Seconds()
}

// previewDue reports whether a preview is due.
func (c *pace) previewDue(o *Options, p *Progress, m *Meter) bool {
	total := p.Schedule.Total()
	switch {
	case o.PreviewEvery < 0:
		return false
	case o.PreviewEvery > 0:
		return p.Step%o.PreviewEvery == 0
	case total == 0 || p.Step-c.showStep < max(total/autoShows, 1):
		return false
	}
	cost := c.showCost
	if cost == 0 { // 20 evaluations an image, each a third of its training time
		cost = m.mean * previewRows * previewCols * 20 / float64(3*o.Batch)
	}
	return p.Seconds-c.showAt >= costShare*cost
}

// previewed notes a preview: the step, the training seconds so far, and its duration.
func (c *pace) previewed(step int, at float64, took time.Duration) {
	c.showStep, c.showAt, c.showCost = step, at, took.Seconds()
}

// validationDue reports whether a validation loss is due. At the end of a run, which over tells, it
// always is.
func (c *pace) validationDue(o *Options, p *Progress, m *Meter, over bool) bool {
	total := p.Schedule.Total()
	switch {
	case o.ValidateEvery < 0:
		return false
	case over:
		return true
	case o.ValidateEvery > 0:
		return p.Step%o.ValidateEvery == 0
	case o.EarlyStop:
		return p.Step%earlyEvery(o.Batch) == 0
	case total == 0 || p.Step-c.heldStep < max(total/maxHeld, 1):
		return false
	}
	cost := c.heldCost
	if cost == 0 { // one evaluation an image, a third of its training time
		cost = m.mean * feed.HeldDraws / float64(3*o.Batch)
	}
	return p.Seconds-c.heldAt >= heldShare*cost
}

// earlyEvery returns the number of steps between validation losses of a run that stops by them. It
// does not look at the clock, so that a repeated run stops at the same step. An evaluation takes a
// third of the training time of an image.
func earlyEvery(batch int) int { return max(1, int(heldShare*feed.HeldDraws)/(3*batch)) }

// validated notes a validation loss: the step, the training seconds so far, and its duration.
func (c *pace) validated(step int, at float64, took time.Duration) {
	c.heldStep, c.heldAt, c.heldCost = step, at, took.Seconds()
}
