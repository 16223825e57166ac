package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A folder of somebody's files does not become a run.
func TestKeepsFoldersOfOthers(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "README.md")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := createRun(dir, "mnist"); err == nil || !strings.Contains(err.Error(), "holds no run") {
		t.Errorf("a run in a folder of files: %v", err)
	}
	if err := os.Rename(mine, filepath.Join(dir, configFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := createRun(dir, "mnist"); err == nil || !strings.Contains(err.Error(), "holds no run") {
		t.Errorf("a run in a folder with another program's settings: %v", err)
	}
}

// Nobody's files are written over: not the operands of field.
func TestOperandsOfField(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := FieldOptions{In: mine, Out: mine}
	if err := o.validate(); err == nil || !strings.Contains(err.Error(), "is the input") {
		t.Errorf("field onto its input: %v", err)
	}
	model := namedModel(t)
	before := tensors(t, model)
	if _, err := Field(context.Background(), FieldOptions{Model: model, In: mine, Out: model}); err == nil || !strings.Contains(err.Error(), "is the model") {
		t.Errorf("field onto its model: %v", err)
	}
	if after := tensors(t, model); len(after) != len(before) {
		t.Errorf("the model has %d tensors, had %d", len(after), len(before))
	}
	if text, _ := os.ReadFile(mine); string(text) != "mine" {
		t.Errorf("the file became %q", text)
	}
}

// As many models are kept as were asked for, and the last preview is found, in a folder whose name is a pattern too.
func TestKeepsAsManyModels(t *testing.T) {
	o := smallRun(t)
	o.Out = filepath.Join(filepath.Dir(o.Out), "run [1]")
	o.Steps, o.SaveEvery, o.Keep, o.PreviewEvery = 5, 1, 2, 2
	mustTrain(t, o)
	entries, err := os.ReadDir(filepath.Join(o.Out, keptDir))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"step-000000004.safetensors", "step-000000005.safetensors"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("kept %v, %v, want %v", names, err, want)
	}
	card, err := os.ReadFile(filepath.Join(o.Out, cardFile))
	if err != nil || !strings.Contains(string(card), "(samples/step-000005.png)") {
		t.Errorf("no preview in the card, %v:\n%s", err, card)
	}
}
