package run

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/safetensors"
)

// save writes a checkpoint. After the logs comes the state, all that a resumed run needs. Then come
// the files for people and for drawing.
func (r *Run) save(finished bool) error {
	begin := time.Now()
	if err := r.Trainer.Collect(); err != nil {
		return err
	}
	if err := r.lead(r.saveFiles); err != nil {
		return err
	}
	r.noteSaved()
	r.pace.saved(r.Progress.Seconds, time.Since(begin))
	if !finished {
		r.emit(pipeline.Event{Kind: pipeline.Saved, Path: r.Dir.Path})
	}
	return nil
}

// saveFiles writes the files of a checkpoint.
func (r *Run) saveFiles() error {
	if r.owed != nil {
		return r.owed
	}
	for _, write := range []func() error{
		r.log.flush, r.board.flush, r.saveState, r.saveModel, r.saveConfig, r.saveLoss, r.saveCard, r.saveKept,
	} {
		if err := write(); err != nil {
			return fmt.Errorf("save: %w", err)
		}
	}
	return nil
}

// kept says, for an error's text, which checkpoint is there: that of step saved, "" for none.
func (r *Run) kept(saved int) string {
	if saved < 1 {
		return ""
	}
	return fmt.Sprintf("; the checkpoint of step %d is kept in %s", saved, r.Dir.Path)
}

// noteSaved notes that the checkpoint is that of the current step.
func (r *Run) noteSaved() {
	r.Saved = r.Progress.Step
	if w, ok := r.Settings.Ranks.(*watched); ok {
		w.saved.Store(int64(r.Saved))
	}
}

// saveState writes the state.
func (r *Run) saveState() error {
	err := r.Dir.write(StateFile, r.writeState)
	if err == nil {
		r.noteSaved()
	}
	return err
}

// saveModel writes the model file: the averaged weights, or the best ones of a run that keeps them.
func (r *Run) saveModel() error {
	return r.Dir.write(model.File, func(w io.Writer) error {
		return model.WriteCheckpoint(w, r.model, r.keptWeights(), safetensors.F32, r.modelMeta())
	})
}

// modelMeta returns what the model file says of its origin.
func (r *Run) modelMeta() model.Meta {
	m := r.meta()
	if r.Progress.Best != nil {
		bestMeta(&m, r.Progress.Best, r.Settings.Batch)
	}
	return m
}

// writeModel writes the averaged weights as a checkpoint.
func (r *Run) writeModel(w io.Writer) error {
	return model.WriteCheckpoint(w, r.model, r.Trainer.State().Average, safetensors.F32, r.meta())
}

// meta returns what a checkpoint says of its origin.
func (r *Run) meta() model.Meta {
	o, p := r.Settings, &r.Progress
	m := model.Meta{
		Steps: p.Step, Images: p.Step * o.Batch, Seed: o.Seed, Batch: o.Batch,
		Schedule: p.Schedule.String(), ISA: o.ISA, Version: pipeline.Version(), Date: pipeline.Now(),
		PixelRange: [2]float64{dataset.PixelMin, dataset.PixelMax}, Path: "linear",
		EMA: option.OrNone(o.EMA), Loss: p.Smooth, Validation: r.log.validation(),
	}
	if o.Precision != kernels.F32.String() { // as files said nothing while it was the only one
		m.Precision = o.Precision
	}
	r.Job.Meta(&m)
	return m
}

// keepGuideWhenDue writes the averages as a guide, once, when the share of the steps is done. The
// share is of the steps that the run expected before this step: a resumed run, and one that replays
// the schedule of a budget in time, keep the guide of the same step.
func (r *Run) keepGuideWhenDue() error {
	p := &r.Progress
	total := p.Schedule.At(p.Step - 1)
	if r.GuideShare == 0 || p.Guide > 0 || total == 0 || float64(p.Step) < r.GuideShare*float64(total) {
		return nil
	}
	if err := r.Trainer.Average(); err != nil {
		return err
	}
	if err := r.lead(func() error { return r.Dir.write(model.GuideFile, r.writeGuide) }); err != nil {
		return fmt.Errorf("save the guide: %w", err)
	}
	p.Guide = p.Step
	return nil
}

// writeGuide is writeModel without what a replay has otherwise at this step: later estimates of the
// schedule, and a validation loss that was due by the clock.
func (r *Run) writeGuide(w io.Writer) error {
	m, p := r.meta(), &r.Progress
	m.Validation = 0
	known := p.Schedule
	for len(known) > 0 && known[len(known)-1].Step >= p.Step {
		known = known[:len(known)-1]
	}
	m.Schedule = known.String()
	return model.WriteCheckpoint(w, r.model, r.Trainer.State().Average, safetensors.F32, m)
}

// saveConfig writes config.json.
func (r *Run) saveConfig() error {
	c := r.config()
	if err := r.Dir.saveContents(c.Data.Contents); err != nil {
		return err
	}
	return r.Dir.writeConfig(c)
}

// config returns what config.json says of the run as it is.
func (r *Run) config() Config {
	options, data := r.Job.Config()
	c := Config{
		Version: pipeline.Version(), Data: data,
		Steps: r.Progress.Step, Images: r.Progress.Step * r.Settings.Batch, Finished: r.over(),
	}
	c.setOptions(r.Job.Command(), options)
	return c
}

// recordFailure writes into config.json what ended the run, with the steps of the last checkpoint.
// The caller returns that error: a second one, of the same full disk, would say nothing new.
func (r *Run) recordFailure(failure error) {
	if r.Saved < 0 || !r.Leads() {
		return
	}
	c := r.config()
	c.Finished = c.Finished && r.Saved == r.Progress.Step
	c.Steps, c.Images, c.Error = r.Saved, r.Saved*r.Settings.Batch, failure.Error()
	_ = r.Dir.writeConfig(c)
}

// saveLoss draws the curve of losses.
func (r *Run) saveLoss() error {
	if len(r.log.losses) == 0 {
		return nil
	}
	return r.Dir.write(LossFile, func(w io.Writer) error {
		return picture.WriteLossPlot(w, r.Job.LossPlot(), r.log.losses, r.log.held)
	})
}

// saveKept adds a numbered checkpoint, and removes the oldest ones beyond the number to keep.
func (r *Run) saveKept() error {
	if r.Settings.Keep == 0 || r.Progress.Step == 0 {
		return nil
	}
	if err := os.MkdirAll(r.Dir.File(KeptDir), 0o755); err != nil {
		return err
	}
	name := filepath.Join(KeptDir, fmt.Sprintf("step-%09d.safetensors", r.Progress.Step))
	if err := r.Dir.write(name, r.writeModel); err != nil {
		return err
	}
	kept, err := r.Dir.numbered(KeptDir, ".safetensors")
	if err != nil {
		return err
	}
	for _, old := range kept[:max(0, len(kept)-r.Settings.Keep)] {
		if err := os.Remove(filepath.Join(r.Dir.File(KeptDir), old)); err != nil {
			return err
		}
	}
	return nil
}
