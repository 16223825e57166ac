package model

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/models"
)

// File is the file of a run folder that a model is loaded from: it holds the averaged weights.
const File = "model.safetensors"

// RunsFolder is the folder of runs where no other is named.
const RunsFolder = "runs"

// NameNote says of a name that could mean several models which one is taken, and how to name the
// others; empty where nothing else has the name.
func NameNote(name string) string {
	if !slices.Contains(models.Names(), name) {
		return ""
	}
	info, err := os.Stat(name)
	other := RunsFolder + "/" + name
	switch {
	case err == nil && holdsModel(name):
		return fmt.Sprintf("./%s is taken, not the model %s that is part of the program", name, name)
	case err == nil && info.IsDir() && !holdsModel(other):
		return fmt.Sprintf("%s is the model that is part of the program: the folder ./%s holds no model", name, name)
	case holdsModel(other):
		return fmt.Sprintf("%s is the model that is part of the program: name %s for the run", name, other)
	}
	return ""
}

// NewestRun returns the run folder under [RunsFolder] whose file of the given name changed last. Of
// files that changed at the same time, that of the last folder counts: x-10 comes after x-2. It is
// an error that there is none.
func NewestRun(file string) (string, error) {
	found, err := filepath.Glob(filepath.Join(RunsFolder, "*", file))
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return text.CompareNatural(filepath.Dir(a), filepath.Dir(b)) })
	var newest os.FileInfo
	dir := ""
	for _, path := range found {
		info, err := os.Stat(path)
		if err == nil && (newest == nil || !info.ModTime().Before(newest.ModTime())) {
			newest, dir = info, filepath.Dir(path)
		}
	}
	if dir == "" {
		return "", option.Faultf("no run under %s/", RunsFolder).Cured("train one with %v",
			option.Action{Command: "train", Settings: []option.Setting{{Option: "data", Value: "mnist"}}})
	}
	return dir, nil
}
