package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg/internal/quote"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/safetensors"
)

// stateKey is the metadata entry of state.safetensors that holds a [progress] as JSON.
const stateKey = "fmimg.state"

// progress is what a run has done so far, beside its tensors. The random state and the order of the
// data are the seed and the step: all draws are keyed by them.
type progress struct {
	Step     int      `json:"step"`
	Seconds  float64  `json:"seconds"` // training time
	Smooth   float64  `json:"smooth_loss"`
	Seed     uint64   `json:"seed"`
	Schedule Schedule `json:"schedule"`
}

// count adds a step that took the given time.
func (p *progress) count(result stepResult, took time.Duration) {
	p.Step++
	p.Seconds += took.Seconds()
	p.Smooth += smoothing(p.Step) * (result.loss - p.Smooth)
}

// stepped describes the step that was counted last, in a run with batches of the given size.
func (p *progress) stepped(result stepResult, rate float64, batch int, m *meter) Event {
	total := p.Schedule.Total()
	return Event{
		Kind: Stepped, Loss: result.loss, Smooth: p.Smooth, LR: rate, GradNorm: result.norm,
		Rate: float64(batch) / m.mean, Seconds: p.Seconds, Total: total, Left: float64(max(total-p.Step, 0)) * m.mean,
	}
}

// stateTensors pairs the prefixes of state.safetensors with the vectors of an optimState.
func (s *optimState) stateTensors() []struct {
	prefix string
	flat   []float32
} {
	return []struct {
		prefix string
		flat   []float32
	}{{"weights.", s.values}, {"average.", s.average}, {"adam_m.", s.m}, {"adam_v.", s.v}}
}

// writeState writes everything that a run needs to go on to the byte.
func writeState(w io.Writer, params *nn.Params, s *optimState, p progress) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	f := &safetensors.File{Metadata: map[string]string{"format": "pt", stateKey: string(text)}}
	for _, part := range s.stateTensors() {
		params.AppendTensors(f, part.prefix, safetensors.F32, part.flat)
	}
	return safetensors.Write(w, f)
}

// readState restores a state into the vectors of s, which fit the parameters.
func readState(path string, params *nn.Params, s *optimState) (progress, error) {
	var p progress
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

// noState says why a run cannot go on without its state.
func noState(path string) error {
	dir := filepath.Dir(path)
	if d := (&runDir{path: dir}); d.has(modelFile) {
		return fmt.Errorf("resume: there is no %s: restore it from a copy, or train the model on in another folder by --init %s", path, quote.Shell(filepath.ToSlash(dir)))
	}
	return fmt.Errorf("resume: there is no %s: the run ended before its first checkpoint, start it again without --resume", path)
}

// decodeState reads what writeState wrote.
func decodeState(r io.Reader, params *nn.Params, s *optimState) (progress, error) {
	var p progress
	f, err := safetensors.Read(r)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(f.Metadata[stateKey]), &p); err != nil {
		return p, fmt.Errorf("metadata %s: %w", stateKey, err)
	}
	for _, part := range s.stateTensors() {
		if err := params.SetValues(f, part.prefix, part.flat); err != nil {
			return p, err
		}
	}
	if err := p.Schedule.validate(); err != nil || p.Step < 0 || p.Step > maxSteps {
		return p, errors.New("its step or schedule is out of range")
	}
	return p, nil
}
