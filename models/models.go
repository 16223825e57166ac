// Package models holds trained models that are part of the program, as checkpoints of package unet
// in float16. The folder of a model has a README.md that says what the model is, how it was trained
// and how good it is.
package models

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed mnist/model.safetensors mnist/guide.safetensors
//go:embed mnist-fast/model.safetensors emoji/model.safetensors
var files embed.FS

// Pictures is the name of the model of pictures in colour, which training on few pictures starts
// from.
const Pictures = "emoji"

// names are the names of the models. The program draws from the first one when there is no other
// model.
var names = []string{"mnist", "mnist-fast", Pictures}

// Names returns the names of the models.
func Names() []string { return slices.Clone(names) }

// Open returns the checkpoint of a model. For an unknown name the error wraps fs.ErrNotExist.
func Open(name string) (fs.File, error) { return open(name, "model") }

// OpenGuide returns the checkpoint of the guide that the run of a model has kept: the model after a
// share of its steps. For a model without a guide the error wraps fs.ErrNotExist.
func OpenGuide(name string) (fs.File, error) { return open(name, "guide") }

// open opens a file of the folder of a model.
func open(name, file string) (fs.File, error) {
	if !slices.Contains(names, name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return files.Open(name + "/" + file + ".safetensors")
}
