package dataset

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Info describes a data set that [Open] knows by name.
type Info struct {
	Name        string `json:"name"`        // what Open is given
	Description string `json:"description"` // one line: contents, size, licence
	Found       string `json:"found"`       // "embedded" or a folder; "" for nowhere
	Get         string `json:"get"`         // how to get it
}

// embedded is the place of the sets that are part of the program.
const embedded = "embedded"

// A known set is embedded in the program, or its files have usual places.
type known struct {
	name, description string
	get               string   // how to get it
	places            []string // folders and archives where it may be; nil: embedded
	marks             []string // files of which one shows that a folder holds it
}

// registry has the data sets that are known by name, in the order of List.
var registry = []known{
	{
		name: "mnist", description: "handwritten digits 0-9, 28x28 gray, 60,000 + 10,000 images (CC BY-SA 3.0)",
		get: "it is part of the program",
	},
	{
		name: "fashion-mnist", description: "10 kinds of clothing, 28x28 gray, 60,000 + 10,000 images (MIT)",
		get: "apt-get install dataset-fashion-mnist on Debian, or put the four files of " +
			"github.com/zalandoresearch/fashion-mnist into the folder fashion-mnist",
		places: []string{
			"/usr/share/datasets/fashion-mnist", "fashion-mnist", "data/fashion-mnist", "data/FashionMNIST/raw",
		},
		marks: []string{"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"},
	},
	cifar("cifar-10", "10 kinds of animals and vehicles", "data_batch_1.bin", "data_batch_1"),
	cifar("cifar-100", "100 kinds of animals, plants and things", "train.bin", "train"),
}

// cifar describes a set of the CIFAR family, which has two versions. marks are a file of each.
func cifar(name, what string, marks ...string) known {
	k := known{
		name: name, description: what + ", 32x32 RGB, 50,000 + 10,000 images", marks: marks,
		get: "put https://www.cs.toronto.edu/~kriz/" + name + "-python.tar.gz here, packed or unpacked",
	}
	folders := []string{name + "-batches-bin", name + "-batches-py"}
	if name == "cifar-100" {
		folders = []string{name + "-binary", name + "-python"}
	}
	for _, place := range append(folders, name+"-binary.tar.gz", name+"-python.tar.gz") {
		k.places = append(k.places, place, "data/"+place)
	}
	return k
}

// List returns the data sets that [Open] knows by name, and where they are on this machine.
func List() []Info {
	list := make([]Info, len(registry))
	for i, k := range registry {
		list[i] = Info{Name: k.name, Description: k.description, Get: k.get, Found: k.place()}
	}
	return list
}

func find(name string) *known {
	for i := range registry {
		if registry[i].name == name {
			return &registry[i]
		}
	}
	return nil
}

// place returns the first of the set's folders and archives that holds it, "" when none does.
func (k *known) place() string {
	if k.places == nil {
		return embedded
	}
	for _, place := range k.places {
		info, err := os.Stat(place)
		if err == nil && (info.Mode().IsRegular() || slices.ContainsFunc(k.marks, inFolder(place))) {
			return place
		}
	}
	return ""
}

// inFolder returns a function that reports whether a folder has a file.
func inFolder(folder string) func(name string) bool {
	return func(name string) bool {
		info, err := os.Stat(folder + "/" + name)
		return err == nil && info.Mode().IsRegular()
	}
}

// open reads the set from where it is.
func (k *known) open(ctx context.Context, o Options) (*Set, error) {
	place := k.place()
	switch place {
	case "":
		return nil, &NotHereError{Name: k.name, Places: k.places, Get: k.get}
	case embedded:
		return openMNIST()
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", k.name, err)
	}
	return openPath(ctx, place, info, o)
}

// A NotHereError says that a known data set is not on this machine.
type NotHereError struct {
	Name   string
	Places []string // where it was looked for
	Get    string   // how to get it
}

// Error returns one line.
func (e *NotHereError) Error() string {
	return fmt.Sprintf("data set %s is in none of %s: %s", e.Name, strings.Join(e.Places, ", "), e.Get)
}

// Is makes the error an [fs.ErrNotExist].
func (e *NotHereError) Is(target error) bool { return target == fs.ErrNotExist }

func names() []string {
	list := make([]string, len(registry))
	for i, k := range registry {
		list[i] = k.name
	}
	return list
}
