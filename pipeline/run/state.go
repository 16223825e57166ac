package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/nn"
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
func writeState(w io.Writer, params *nn.Params, s *engine.State, p Progress) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	f := &safetensors.File{Metadata: map[string]string{"format": "pt", model.StateKey: string(text)}}
	for _, part := range s.Vectors() {
		params.AppendTensors(f, part.Prefix, safetensors.F32, part.Flat)
	}
	return safetensors.Write(w, f)
}

// readState reads a state into the vectors of s, which are as long as the parameters.
func readState(path string, params *nn.Params, s *engine.State) (Progress, error) {
	var p Progress
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, noState(path)
	}
	if err != nil {
		return p, fmt.Errorf("resume: %w", err)
	}
	defer file.Close()
	if p, err = decodeState(file, params, s); err != nil {
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
func decodeState(r io.Reader, params *nn.Params, s *engine.State) (Progress, error) {
	var p Progress
	f, err := safetensors.Read(r)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(f.Metadata[model.StateKey]), &p); err != nil {
		return p, fmt.Errorf("metadata %s: %w", model.StateKey, err)
	}
	for _, part := range s.Vectors() {
		if err := params.SetValues(f, part.Prefix, part.Flat); err != nil {
			return p, err
		}
	}
	if err := p.Schedule.Validate(); err != nil || p.Step < 0 || p.Step > engine.MaxSteps {
		return p, errors.New("its step or schedule is out of range")
	}
	return p, nil
}
