package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline/run"
)

// A run keeps as many models as the options say and finds its last preview, also in a folder whose
// name is a glob pattern.
func TestKeepsAsManyModels(t *testing.T) {
	o := smallRun(t)
	o.Out = filepath.Join(filepath.Dir(o.Out), "run [1]")
	o.Steps, o.SaveEvery, o.Keep, o.PreviewEvery = 5, 1, 2, 2
	mustTrain(t, o)
	entries, err := os.ReadDir(filepath.Join(o.Out, run.KeptDir))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"step-000000004.safetensors", "step-000000005.safetensors"}; err != nil ||
		!slices.Equal(names, want) {
		t.Errorf("kept %v, %v, want %v", names, err, want)
	}
	card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
	if err != nil || !strings.Contains(string(card), "(samples/step-000005.png)") {
		t.Errorf("no preview in the card, %v:\n%s", err, card)
	}
}
