package dataset

import (
	"context"
	"fmt"
	"io/fs"
	"os"
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
	places            []string // folders where it may be; nil: embedded
	mark              string   // a file that shows that a folder holds it
	read              func(ctx context.Context, path string, o Options) (*Set, error)
}

// registry has the data sets that are known by name, in the order of List.
var registry = []known{
	{
		name: "mnist", description: "handwritten digits 0-9, 28x28 gray, 60,000 + 10,000 images (CC BY-SA 3.0)",
		get: "it is part of the program", read: openMNIST,
	},
	{
		name: "fashion-mnist", description: "10 kinds of clothing, 28x28 gray, 60,000 + 10,000 images (MIT)",
		get: "apt-get install dataset-fashion-mnist on Debian, or put the four files of " +
			"github.com/zalandoresearch/fashion-mnist into the folder fashion-mnist",
		places: []string{"/usr/share/datasets/fashion-mnist", "fashion-mnist", "data/fashion-mnist"},
		mark:   "train-images-idx3-ubyte", read: openIDXFolder,
	},
	{
		name: "cifar-10", description: "10 kinds of animals and vehicles, 32x32 RGB, 50,000 + 10,000 images",
		get: "unpack https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz here, " +
			"which makes the folder cifar-10-batches-bin",
		places: []string{"cifar-10-batches-bin", "data/cifar-10-batches-bin"},
		mark:   "data_batch_1.bin", read: openCIFARFolder,
	},
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

// place returns the first of the set's folders that holds it, "" when none does.
func (k *known) place() string {
	if k.places == nil {
		return embedded
	}
	for _, folder := range k.places {
		for _, end := range []string{"", ".gz"} {
			if info, err := os.Stat(folder + "/" + k.mark + end); err == nil && info.Mode().IsRegular() {
				return folder
			}
		}
	}
	return ""
}

// open reads the set from where it is.
func (k *known) open(ctx context.Context, o Options) (*Set, error) {
	folder := k.place()
	if folder == "" {
		return nil, &NotHereError{Name: k.name, Places: k.places, Get: k.get}
	}
	return k.read(ctx, folder, o)
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
