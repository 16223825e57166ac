package run

import (
	"fmt"
	"image"
	"io"
	"os"
	"time"

	"github.com/fmimg/fmimg/internal/tfevents"
)

// A board is a run's event file for TensorBoard. A nil board writes nothing: its methods may be
// called.
type board struct {
	file   *os.File
	events *tfevents.Writer
}

// openBoard begins an event file in the run folder, for a run that has done some steps. Each
// process of a run has an event file of its own, and TensorBoard reads them together.
func openBoard(d *Folder, done int) (*board, error) {
	forget := 0 // the first step in older files that the run will do again
	if done > 0 {
		forget = done + 1
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := fmt.Sprintf("%s%d.%s.%d", boardPrefix, time.Now().UnixMicro(), host, os.Getpid())
	file, err := os.OpenFile(d.File(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("make the event file: %w", err)
	}
	var w io.Writer = file
	if d.disk != nil {
		w = d.disk(w)
	}
	b := &board{file, tfevents.NewWriter(w, forget, time.Now)}
	err = b.flush()
	return b, err
}

// step adds the measurements of a step.
func (b *board) step(m Metric, imagesPerSecond float64) {
	if b == nil {
		return
	}
	b.events.Scalar("train/loss", m.Step, m.Loss)
	b.events.Scalar("train/grad_norm", m.Step, m.Norm)
	b.events.Scalar("train/learning_rate", m.Step, m.LR)
	b.events.Scalar("train/images_per_second", m.Step, imagesPerSecond)
	if m.Validation != 0 { // measured after this step
		b.events.Scalar("validation/loss", m.Step, m.Validation)
	}
}

// picture adds a preview, as the bytes of its PNG.
func (b *board) picture(step int, bounds image.Rectangle, png []byte) error {
	if b == nil {
		return nil
	}
	b.events.Image("samples", step, bounds.Dx(), bounds.Dy(), png)
	return b.flush()
}

// flush writes the events so far.
func (b *board) flush() error {
	if b == nil {
		return nil
	}
	if err := b.events.Flush(); err != nil {
		return fmt.Errorf("write the event file: %w", err)
	}
	return nil
}

// close closes the file, which has what the last flush wrote.
func (b *board) close() {
	if b != nil {
		b.file.Close()
	}
}
