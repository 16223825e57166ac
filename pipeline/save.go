package pipeline

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/safetensors"
)

// save writes a checkpoint: the state first, which alone a resumed run needs, then what people and
// Generate read.
func (r *run) save(finished bool) error {
	begin := time.Now()
	for _, write := range []func() error{
		r.log.flush, r.board.flush, r.saveState, r.saveModel, r.saveConfig, r.saveLoss, r.saveCard, r.saveKept,
	} {
		if err := write(); err != nil {
			return fmt.Errorf("save: %w", err)
		}
	}
	r.pace.saved(r.done.Seconds, time.Since(begin))
	if !finished {
		r.emit(Event{Kind: Saved, Path: r.dir.path})
	}
	return nil
}

// kept says which checkpoint can be used when something goes wrong; "" for none.
func (r *run) kept() string {
	if r.saved < 1 {
		return ""
	}
	return fmt.Sprintf("; the checkpoint of step %d is kept in %s", r.saved, r.dir.path)
}

func (r *run) saveState() error {
	err := r.dir.write(stateFile, func(w io.Writer) error { return writeState(w, r.model.Params(), &r.engine.state, r.done) })
	if err == nil {
		r.saved = r.done.Step
	}
	return err
}

func (r *run) saveModel() error { return r.dir.write(modelFile, r.writeModel) }

// writeModel writes the averaged weights as a checkpoint.
func (r *run) writeModel(w io.Writer) error {
	return writeCheckpoint(w, r.model, r.engine.state.average, safetensors.F32, r.meta())
}

// writeCheckpoint writes values of a model's parameters as a checkpoint.
func writeCheckpoint(w io.Writer, model Weights, values []float32, dtype safetensors.DType, meta Meta) error {
	return safetensors.Write(w, model.File(values, dtype, map[string]string{metaKey: meta.text()}))
}

func (r *run) meta() Meta {
	m := Meta{
		Steps: r.done.Step, Images: r.done.Step * r.opt.Batch, Seed: r.opt.Seed, Batch: r.opt.Batch,
		Schedule: r.done.Schedule.String(), ISA: r.opt.ISA, Version: Version(), Date: now(),
		PixelRange: [2]float64{dataset.PixelMin, dataset.PixelMax}, Path: "linear",
		EMA: r.opt.EMA, Loss: r.done.Smooth, Validation: r.log.validation(),
	}
	r.job.meta(&m)
	return m
}

func (r *run) saveConfig() error {
	options, data := r.job.config()
	c := runConfig{Version: Version(), Data: data, Steps: r.done.Step, Images: r.done.Step * r.opt.Batch, Finished: r.over()}
	c.setOptions(r.job.command(), options)
	return r.dir.writeConfig(c)
}

func (r *run) saveLoss() error {
	if len(r.log.losses) == 0 {
		return nil
	}
	return r.dir.write(lossFile, func(w io.Writer) error { return writeLossPlot(w, r.log.losses, r.log.held) })
}

// saveKept adds a numbered checkpoint and removes those beyond the number to keep, the oldest first.
func (r *run) saveKept() error {
	if r.opt.Keep == 0 || r.done.Step == 0 {
		return nil
	}
	if err := os.MkdirAll(r.dir.file(keptDir), 0o755); err != nil {
		return err
	}
	if err := r.dir.write(filepath.Join(keptDir, fmt.Sprintf("step-%09d.safetensors", r.done.Step)), r.writeModel); err != nil {
		return err
	}
	kept, err := r.dir.numbered(keptDir, ".safetensors")
	if err != nil {
		return err
	}
	for _, old := range kept[:max(0, len(kept)-r.opt.Keep)] {
		if err := os.Remove(filepath.Join(r.dir.file(keptDir), old)); err != nil {
			return err
		}
	}
	return nil
}
