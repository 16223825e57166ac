package model

import (
	"os"
	"path/filepath"

	"github.com/fmimg/fmimg/internal/option"
)

// File is the file of a run folder that a model is loaded from: it holds the averaged weights.
const File = "model.safetensors"

// RunsFolder is where runs are put and looked for when no folder is named.
const RunsFolder = "runs"

// Newest returns the run folder under runs/ whose file of that name changed last; an error that
// says how to make one when there is none.
func Newest(file string) (string, error) {
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
