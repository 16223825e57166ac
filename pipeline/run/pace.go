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

func (m *Meter) Add(seconds float64) {
	m.steps++
	m.mean += max(1/float64(m.steps), 1/meanHorizon) * (seconds - m.mean)
}

const (
	autoSave  = 60.0 // seconds of training between checkpoints, unless counted in steps
	autoShows = 10   // previews in a run, unless counted in steps
	// costShare is how many times its own duration of training lies between two previews, or two
	// checkpoints, that nobody asked for.
	costShare = 50.0
	// heldShare is the same for validation losses, of which a run has at most maxHeld.
	heldShare = 100.0
	maxHeld   = 50
)

// A pace decides when previews and checkpoints are due. They change no number, so it may look at the
// clock.
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

func (c *pace) saveDue(o *Options, p *Progress) bool {
	if o.SaveEvery > 0 {
		return p.Step%o.SaveEvery == 0
	}
	return p.Seconds-c.saveAt >= max(autoSave, costShare*c.saveCost)
}

func (c *pace) saved(at float64, took time.Duration) {
	c.saveAt, c.saveCost = at, took.Seconds()
}

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
	if cost == 0 { // its evaluations, at a third of a training step's seconds each
		cost = m.mean * previewRows * previewCols * 20 / float64(3*o.Batch)
	}
	return p.Seconds-c.showAt >= costShare*cost
}

func (c *pace) previewed(step int, at float64, took time.Duration) {
	c.showStep, c.showAt, c.showCost = step, at, took.Seconds()
}

// validationDue is true at the end of a run, too: over says that this is it.
func (c *pace) validationDue(o *Options, p *Progress, m *Meter, over bool) bool {
	total := p.Schedule.Total()
	switch {
	case o.ValidateEvery < 0:
		return false
	case over:
		return true
	case o.ValidateEvery > 0:
		return p.Step%o.ValidateEvery == 0
	case total == 0 || p.Step-c.heldStep < max(total/maxHeld, 1):
		return false
	}
	cost := c.heldCost
	if cost == 0 { // at a third of a training step's seconds for an image
		cost = m.mean * feed.HeldDraws / float64(3*o.Batch)
	}
	return p.Seconds-c.heldAt >= heldShare*cost
}

func (c *pace) validated(step int, at float64, took time.Duration) {
	c.heldStep, c.heldAt, c.heldCost = step, at, took.Seconds()
}
