package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Each process of a run has an event file with its steps and previews. The files change no number.
func TestTensorBoard(t *testing.T) {
	plain := smallRun(t)
	mustTrain(t, plain)
	o := smallRun(t)
	o.TensorBoard, o.PreviewEvery, o.StopAfter = true, 3, 4
	o.Validation, o.ValidateEvery = roomtest.Digits(), 2
	var stopped *run.InterruptedError
	if _, err := Train(context.Background(), o); !errors.As(err, &stopped) {
		t.Fatal(err)
	}
	o.Resume, o.StopAfter, o.TensorBoard = true, 0, false // the run remembers that it has a board
	mustTrain(t, o)
	roomtest.SameRun(t, plain.Out, o.Out)
	files, err := filepath.Glob(filepath.Join(o.Out, "events.out.tfevents.*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("event files %v, %v", files, err)
	}
	for i, steps := range []int{4, 2} {
		text, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		for tag, want := range map[string]int{"train/loss": steps, "train/grad_norm": steps,
			"train/learning_rate": steps, "train/images_per_second": steps, "samples": 1,
			"validation/loss": steps / 2} {
			if got := strings.Count(string(text), tag); got != want {
				t.Errorf("file %d: %d events of %s, want %d", i, got, tag, want)
			}
		}
	}
}
