package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A Best is the step of a run whose averaged weights had the least validation loss so far.
type Best struct {
	Step int     `json:"step"`
	Loss float64 `json:"loss"`
	// Seconds is the training time up to the step, and Smooth the running mean of its loss.
	Seconds float64 `json:"seconds"`
	Smooth  float64 `json:"smooth_loss"`
	// Later is the number of validation losses since, none of which was less.
	Later int `json:"later"`
}

// A validation loss has turned when it was not less than its best for turnedLosses measurements in
// a row, and is more than the best by a share of turnedShare now.
const (
	turnedLosses = 5
	turnedShare  = 0.01
)

// noteValidation keeps the averaged weights where their validation loss is the least so far, and
// ends the run where the loss has turned. Without the option EarlyStop it does nothing.
func (r *Run) noteValidation(loss float64) {
	p := &r.Progress
	if !r.Settings.EarlyStop || loss == 0 {
		return
	}
	if p.Best == nil || loss < p.Best.Loss {
		p.Best = &Best{Step: p.Step, Loss: loss, Seconds: p.Seconds, Smooth: p.Smooth}
		r.bestWeights = append(r.bestWeights[:0], r.Trainer.State().Average...)
		return
	}
	if p.Best.Later++; r.over() {
		return
	}
	if p.Turned = p.Best.Later >= turnedLosses && loss > p.Best.Loss*(1+turnedShare); p.Turned {
		r.emit(pipeline.Note("the loss of held-out images has turned: %.4f at step %d, %.4f now: "+
			"training stops, and the model has the weights of step %d; %v trains to the end of the budget",
			p.Best.Loss, p.Best.Step, loss, p.Best.Step, option.Setting{Option: "early-stop", Value: false}))
	}
}

// keptWeights returns the weights that the model has: the best ones where the run keeps them, and
// the averages.
func (r *Run) keptWeights() []float32 {
	if r.Progress.Best != nil {
		return r.bestWeights
	}
	return r.Trainer.State().Average
}

// showBest makes the best weights the averages, for the last preview. The state is saved before.
func (r *Run) showBest() {
	if r.Progress.Best == nil {
		return
	}
	if p := &r.Progress; p.Best.Step < p.Step && !p.Turned {
		r.emit(pipeline.Note("the model has the weights of step %d, whose loss of held-out images was the least: %.4f",
			p.Best.Step, p.Best.Loss))
	}
	r.Trainer.State().Average = slices.Clone(r.bestWeights)
}

// dropLateGuide removes a guide that trained for as long as the best weights, or longer: guidance
// leads away from a worse model.
func (r *Run) dropLateGuide() error {
	p := &r.Progress
	if p.Best == nil || p.Guide == 0 || p.Guide < p.Best.Step {
		return nil
	}
	r.emit(pipeline.Note("no guide is kept: it is of step %d, and the model has the weights of step %d", p.Guide, p.Best.Step))
	if err := os.Remove(r.Dir.File(model.GuideFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the guide: %w", err)
	}
	return nil
}

// bestPrefix begins the names of the best weights in the state.
const bestPrefix = "best."

// bestMeta brings what a checkpoint says of its training to the step of its weights.
func bestMeta(m *model.Meta, b *Best, batch int) {
	m.Steps, m.Images, m.Loss, m.Validation = b.Step, b.Step*batch, b.Smooth, b.Loss
}
