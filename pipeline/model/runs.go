package model

import (
	"os"
	"path/filepath"

	"github.com/fmimg/fmimg/internal/option"
)

// File is the file of a run folder that a model is loaded from: it holds the averaged weights.
const File = "model.safetensors"

// RunsFolder is the folder of runs where no other is named.
const RunsFolder = "runs"

// NewestRun returns the run folder under [RunsFolder] whose file of the given name changed last. It
// is an error that there is none.
func NewestRun(file string) (string, error) {
	found, err := filepath.Glob(filepath.Join(RunsFolder, "*", file))
	if err != nil {
		return "", err
	}
	var newest os.FileInfo
	dir := ""
	for _, path := range found {
		info, err := os.Stat(path)
		if err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest, dir = info, filepath.Dir(path)
		}
	}
	if dir == "" {
		return "", option.Faultf("no run under %s/", RunsFolder).Cured("train one with %v",
			option.Action{Command: "train", Settings: []option.Setting{{Option: "data", Value: "mnist"}}})
	}
	return dir, nil
}
