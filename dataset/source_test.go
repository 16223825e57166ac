package dataset_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
)

func ExampleOpen() {
	train, test, err := dataset.Open("mnist", dataset.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	h, w, c := train.Shape()
	image := make([]float32, h*w*c)
	label := train.Image(0, image)
	fmt.Println(train.Len(), "images to train on,", test.Len(), "to test on")
	fmt.Println("the first is a", train.Classes()[label])
	for y := 6; y < 24; y += 2 { // every second pixel
		fmt.Print("|")
		for x := 4; x < 26; x += 2 {
			fmt.Printf("%c", " .:#"[dataset.ToByte(image[y*w+x])/64])
		}
		fmt.Println("|")
	}
	// Output:
	// 60000 images to train on, 10000 to test on
	// the first is a 5
	// |   .:##### |
	// |  #####    |
	// |    #      |
	// |    :.     |
	// |     ##    |
	// |      .#   |
	// |      :#   |
	// |    ###.   |
	// |  ###.     |
}

func ExampleList() {
	for _, info := range dataset.List() {
		fmt.Printf("%s: %s\n", info.Name, info.Description)
	}
	// Output:
	// mnist: handwritten digits 0-9, 28x28 grey, 60,000 + 10,000 images, embedded (CC BY-SA 3.0)
}

func TestOpenUnknownName(t *testing.T) {
	for _, c := range []struct{ name, nearest string }{
		{"minst", "mnist"}, {"MNIST", "mnist"}, {"mnsit", "mnist"}, {"mnist2", "mnist"}, {"nist", "mnist"},
		{"photographs", ""}, {"", ""}, {"./no/such/folder", ""}, {"mnist\x00", "mnist"},
	} {
		_, _, err := dataset.Open(c.name, dataset.Options{})
		unknown, ok := errors.AsType[*dataset.UnknownError](err)
		if !ok {
			t.Fatalf("Open(%q): error %v", c.name, err)
		}
		if unknown.Nearest != c.nearest || unknown.Name != c.name {
			t.Errorf("Open(%q) suggests %q, want %q", c.name, unknown.Nearest, c.nearest)
		}
		text := err.Error()
		if !strings.Contains(text, "known are: mnist") || strings.Contains(text, "did you mean mnist?") != (c.nearest != "") {
			t.Errorf("Open(%q): %s", c.name, text)
		}
	}
}

func TestOpenPath(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "images.zip")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, file} {
		_, _, err := dataset.Open(path, dataset.Options{})
		if !errors.Is(err, dataset.ErrFormat) || !strings.Contains(err.Error(), path) || !strings.HasSuffix(err.Error(), "by name: mnist") {
			t.Errorf("Open(%q): error %v", path, err)
		}
	}
}

// TestOpenNameBeforePath opens the set although a folder of its name is there.
func TestOpenNameBeforePath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("mnist", 0o755); err != nil {
		t.Fatal(err)
	}
	train, test, err := dataset.Open("mnist", dataset.Options{})
	if err != nil || train == nil || test == nil {
		t.Errorf("Open: %v", err)
	}
}
