package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder with other files does not become a run folder.
func TestKeepsFoldersOfOthers(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "README.md")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := createFolder(dir, "mnist"); err == nil || !strings.Contains(err.Error(), "holds no run") {
		t.Errorf("a run in a folder of files: %v", err)
	}
	if err := os.Rename(mine, filepath.Join(dir, ConfigFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := createFolder(dir, "mnist"); err == nil || !strings.Contains(err.Error(), "holds no run") {
		t.Errorf("a run in a folder with another program's settings: %v", err)
	}
}

// The name of a run folder needs no quotes in a shell and is valid on every system.
func TestRunName(t *testing.T) {
	for data, want := range map[string]string{
		"mnist": "mnist", "../My Photos/": "My-Photos", "a/b.zip": "b", "/": "run", "..": "run", "é": "run",
	} {
		if got := FolderName(data); got != want {
			t.Errorf("runs of %q are called %q, want %q", data, got, want)
		}
	}
}
