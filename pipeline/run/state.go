package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
)

// Progress is the state of a run beside its tensors. It needs no state of random numbers and no
// order of the data: the seed and the step are the keys of all draws.
type Progress struct {
	Step     int                 `json:"step"`
	Seconds  float64             `json:"seconds"`     // training time
	Smooth   float64             `json:"smooth_loss"` // running mean of the loss
	Seed     uint64              `json:"seed"`
	Schedule engine.RateSchedule `json:"schedule"`
	Guide    int                 `json:"guide,omitempty"` // the step of the kept guide; 0: none yet
	// Best is where the validation loss was the least, and Turned says that it has turned since;
	// for the option EarlyStop alone.
	Best   *Best `json:"best,omitempty"`
	Turned bool  `json:"turned,omitempty"`
}

// AddStep adds a step that took the given time.
func (p *Progress) AddStep(result engine.StepResult, took time.Duration) {
	p.Step++
	p.Seconds += took.Seconds()
	p.Smooth += smoothing(p.Step) * (result.Loss - p.Smooth)
}

// StepEvent returns an event for the step that was counted last.
func (p *Progress) StepEvent(result engine.StepResult, rate float64, batch int, m *Meter) pipeline.Event {
	total := p.Schedule.Total()
	return pipeline.Event{
		Kind: pipeline.Stepped, Loss: result.Loss, Smooth: p.Smooth, LR: rate, GradNorm: result.Norm,
		Rate: float64(batch) / m.mean, Seconds: p.Seconds, Total: total, Left: float64(max(total-p.Step, 0)) * m.mean,
	}
}

// writeState writes all that a resumed run needs to have the same tensors, byte for byte.
func (r *Run) writeState(w io.Writer) error {
	text, err := json.Marshal(r.Progress)
	if err != nil {
		return err
	}
	f := &safetensors.File{Metadata: map[string]string{"format": "pt", model.StateKey: string(text)}}
	for _, part := range r.Trainer.State().Vectors() {
		r.model.Params().AppendTensors(f, part.Prefix, safetensors.F32, part.Flat)
	}
	if k, ok := r.Job.(Keeper); ok {
		f.Tensors = append(f.Tensors, k.Keep(r.Progress.Step)...)
	}
	if r.Progress.Best != nil {
		r.model.Params().AppendTensors(f, bestPrefix, safetensors.F32, r.bestWeights)
	}
	return safetensors.Write(w, f)
}

// readState reads the state into the trainer and the job.
func (r *Run) readState() (Progress, error) {
	path := r.Dir.File(StateFile)
	var p Progress
	file, err := r.openState(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, noState(path)
	}
	if err != nil {
		return p, fmt.Errorf("resume: %w", err)
	}
	defer file.Close()
	if p, err = r.decodeState(file); err != nil {
		return p, fmt.Errorf("resume from %s: %w: restore it from a copy, or train anew", path, err)
	}
	return p, nil
}

// noState returns the error of a run without a state: why, and what to do.
func noState(path string) error {
	dir := filepath.Dir(path)
	if d := (&Folder{Path: dir}); d.has(model.File) {
		return option.Faultf("resume: there is no %s", path).
			Cured("restore it from a copy, or train the model on in another folder by %v", pathSetting("init", dir))
	}
	return option.Faultf("resume: there is no %s", path).
		Cured("the run ended before its first checkpoint, start it again without %v", resume)
}

// decodeState reads what writeState wrote.
func (r *Run) decodeState(file io.Reader) (Progress, error) {
	var p Progress
	f, err := safetensors.Read(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(f.Metadata[model.StateKey]), &p); err != nil {
		return p, fmt.Errorf("metadata %s: %w", model.StateKey, err)
	}
	for _, part := range r.Trainer.State().Vectors() {
		if err := r.model.Params().SetValues(f, part.Prefix, part.Flat); err != nil {
			return p, err
		}
	}
	if p.Best != nil {
		r.bestWeights = make([]float32, r.model.Params().Len())
		if err := r.model.Params().SetValues(f, bestPrefix, r.bestWeights); err != nil {
			return p, err
		}
	}
	if err := p.Schedule.Validate(); err != nil || p.Step < 0 || p.Step > engine.MaxSteps {
		return p, errors.New("its step or schedule is out of range")
	}
	if k, ok := r.Job.(Keeper); ok {
		return p, k.TakeBack(f, p.Step)
	}
	return p, nil
}
