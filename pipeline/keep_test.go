package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nobody's files are written over: not those of a folder that is no run, nor the operands of field.
func TestKeepsOtherFiles(t *testing.T) {
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
	if err := os.Rename(filepath.Join(dir, configFile), mine); err != nil {
		t.Fatal(err)
	}
	o := FieldOptions{In: mine, Out: mine}
	if err := o.validate(); err == nil || !strings.Contains(err.Error(), "is the input") {
		t.Errorf("field onto its input: %v", err)
	}
	model := saveTrained(t)
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
