package train

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Training on dequantised data gives other tensors, the same for any number of threads. The
// checkpoint says that the data was dequantised.
func TestTrainDequantized(t *testing.T) {
	o := smallRun(t)
	plain := mustTrain(t, o)
	o.Dequantize, o.Out = true, filepath.Join(t.TempDir(), "run")
	spread := mustTrain(t, o)
	o.Threads, o.Out = 1, filepath.Join(t.TempDir(), "run")
	again := mustTrain(t, o)
	a, b, c := roomtest.DataHash(t, filepath.Join(plain.Dir, model.File)),
		roomtest.DataHash(t, filepath.Join(spread.Dir, model.File)),
		roomtest.DataHash(t, filepath.Join(again.Dir, model.File))
	if a == b || b != c {
		t.Errorf("weights %.8s, dequantised %.8s, on one thread %.8s", a, b, c)
	}
	ck, err := model.Open(spread.Dir, pipeline.Arithmetic{})
	if err != nil || !ck.Meta.Dequantized {
		t.Errorf("%+v, %v", ck.Meta, err)
	}
	text, err := os.ReadFile(filepath.Join(spread.Dir, run.CardFile))
	if err != nil || !strings.Contains(string(text), ", dequantize, ") {
		t.Errorf("the card repeats the run without dequantize: %v", err)
	}
	o.Resume, o.Given, o.Dequantize = true, []string{"dequantize"}, false
	var wrong *pipeline.OptionError
	if _, err := Train(t.Context(), o); !errors.As(err, &wrong) || wrong.Option != "dequantize" {
		t.Errorf("resumed without: %v", err)
	}
}
