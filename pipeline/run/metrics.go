package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/fmimg/fmimg/pipeline/picture"
)

// A Metric is a line of metrics.jsonl: the measurements of one step.
type Metric struct {
	Step    int     `json:"step"` // steps done, so 1 after the first
	Images  int     `json:"images"`
	Loss    float64 `json:"loss"`
	Norm    float64 `json:"grad_norm"`
	LR      float64 `json:"lr"`
	Seconds float64 `json:"seconds"` // training time of the whole run
	// Validation is the loss of the averaged weights on images that training does not see. Only
	// some steps measure it.
	Validation float64 `json:"validation_loss,omitempty"`
}

// appendJSON appends the line without allocating.
func (m Metric) appendJSON(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"step":`...), int64(m.Step), 10)
	b = strconv.AppendInt(append(b, `,"images":`...), int64(m.Images), 10)
	b = strconv.AppendFloat(append(b, `,"loss":`...), m.Loss, 'g', 8, 64)
	b = strconv.AppendFloat(append(b, `,"grad_norm":`...), m.Norm, 'g', 6, 64)
	b = strconv.AppendFloat(append(b, `,"lr":`...), m.LR, 'g', 6, 64)
	b = strconv.AppendFloat(append(b, `,"seconds":`...), m.Seconds, 'f', 3, 64)
	if m.Validation != 0 {
		b = strconv.AppendFloat(append(b, `,"validation_loss":`...), m.Validation, 'g', 8, 64)
	}
	return append(b, '}', '\n')
}

// A metricsLog appends whole lines to metrics.jsonl, about once a second.
type metricsLog struct {
	file    *os.File
	w       io.Writer // writes to the file
	pending []byte    // lines that are not written yet
	flushed time.Time // time of the last write
	losses  []float32 // losses of all steps of the run so far, for the curve
	held    []picture.HeldLoss
}

// validation returns the latest validation loss, 0 before the first.
func (l *metricsLog) validation() float64 {
	if l == nil || len(l.held) == 0 {
		return 0
	}
	return l.held[len(l.held)-1].Loss
}

// openMetrics opens the log of a run that has done the given number of steps. It drops the lines of
// later steps: the run did them after its last checkpoint, and will do them again.
func openMetrics(d *Folder, steps int) (*metricsLog, error) {
	path := d.File(MetricsFile)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	kept, losses, held := keepMetrics(old, steps)
	if err := d.write(MetricsFile, func(w io.Writer) error { _, err := w.Write(kept); return err }); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	l := &metricsLog{file: file, w: file, losses: losses, held: held, flushed: time.Now()}
	if d.disk != nil {
		l.w = d.disk(file)
	}
	return l, nil
}

// keepMetrics returns the leading lines that are whole and belong to the given number of steps, and
// their losses.
func keepMetrics(text []byte, steps int) (kept []byte, losses []float32, held []picture.HeldLoss) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var m Metric
		if json.Unmarshal(lines.Bytes(), &m) != nil || m.Step > steps {
			break
		}
		kept = append(append(kept, lines.Bytes()...), '\n')
		losses = append(losses, float32(m.Loss))
		if m.Validation != 0 {
			held = append(held, picture.HeldLoss{Step: m.Step, Loss: m.Validation})
		}
	}
	return kept, losses, held
}

// add adds a line. About once a second it also writes the lines so far, and returns true.
func (l *metricsLog) add(m Metric) (flushed bool, err error) {
	l.losses = append(l.losses, float32(m.Loss))
	if m.Validation != 0 {
		l.held = append(l.held, picture.HeldLoss{Step: m.Step, Loss: m.Validation})
	}
	l.pending = m.appendJSON(l.pending)
	if time.Since(l.flushed) < time.Second {
		return false, nil
	}
	return true, l.flush()
}

// flush writes the pending lines.
func (l *metricsLog) flush() error {
	if len(l.pending) == 0 {
		return nil
	}
	_, err := l.w.Write(l.pending)
	l.pending, l.flushed = l.pending[:0], time.Now()
	if err != nil {
		return fmt.Errorf("write the metrics: %w", err)
	}
	return nil
}

// close writes the pending lines and closes the file.
func (l *metricsLog) close() error { return errors.Join(l.flush(), l.file.Close()) }
