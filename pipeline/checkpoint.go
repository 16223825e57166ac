package pipeline

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/unet"
)

// A Checkpoint is a trained network that was loaded from a file.
type Checkpoint struct {
	Model *unet.Model
	Meta  Meta
	Hash  string // SHA-256 of the weights, see [weightsHash]
	Path  string // where it came from
}

// ReadCheckpoint reads a checkpoint; name says where it comes from, for errors.
func ReadCheckpoint(r io.Reader, name string, isa kernels.ISA) (*Checkpoint, error) {
	model, metadata, err := unet.Load(r, isa)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	meta, err := parseMeta(metadata)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return &Checkpoint{Model: model, Meta: meta, Hash: weightsHash(model), Path: name}, nil
}

// OpenCheckpoint loads a checkpoint: a safetensors file, or a run folder. The empty path is the newest
// run under runs/.
func OpenCheckpoint(path string, isa kernels.ISA) (*Checkpoint, error) {
	path, err := findModel(path)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("model: %w: name a run folder or a .safetensors file", err)
	}
	defer file.Close()
	return ReadCheckpoint(file, path, isa)
}

// findModel turns the name of a model into the path of its file.
func findModel(path string) (string, error) {
	if path == "" {
		dir, err := newestRun(modelFile)
		return filepath.Join(dir, modelFile), err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		inside := filepath.Join(path, modelFile)
		if _, err := os.Stat(inside); err != nil {
			return "", fmt.Errorf("model: %s holds no %s: it is no run folder, or its run has saved nothing yet", path, modelFile)
		}
		return inside, nil
	}
	return path, nil
}
