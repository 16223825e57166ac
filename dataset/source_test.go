package dataset_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
)

func ExampleOpen() {
	set, err := dataset.Open(context.Background(), "mnist", dataset.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	train, test := set.Train, set.Test
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
	// mnist: handwritten digits 0-9, 28x28 gray, 60,000 + 10,000 images (CC BY-SA 3.0)
	// fashion-mnist: 10 kinds of clothing, 28x28 gray, 60,000 + 10,000 images (MIT)
	// cifar-10: 10 kinds of animals and vehicles, 32x32 RGB, 50,000 + 10,000 images
	// cifar-100: 100 kinds of animals, plants and things, 32x32 RGB, 50,000 + 10,000 images
}

func TestOpenUnknownName(t *testing.T) {
	for _, c := range []struct{ name, nearest string }{
		{"minst", "mnist"}, {"MNIST", "mnist"}, {"mnsit", "mnist"}, {"mnist2", "mnist"}, {"nist", "mnist"},
		{"photographs", ""}, {"", ""}, {"./no/such/folder", ""}, {"mnist\x00", "mnist"},
		{"fashion", "fashion-mnist"}, {"cifar10", "cifar-10"},
	} {
		_, err := dataset.Open(t.Context(), c.name, dataset.Options{})
		unknown, ok := errors.AsType[*dataset.UnknownError](err)
		if !ok {
			t.Fatalf("Open(%q): error %v", c.name, err)
		}
		if unknown.Nearest != c.nearest || unknown.Name != c.name {
			t.Errorf("Open(%q) suggests %q, want %q", c.name, unknown.Nearest, c.nearest)
		}
		text := err.Error()
		if !strings.Contains(text, "known are: mnist") ||
			strings.Contains(text, "did you mean "+c.nearest+"?") != (c.nearest != "") {
			t.Errorf("Open(%q): %s", c.name, text)
		}
	}
}

// TestOpenNameBeforePath opens the set although there is a folder of its name.
func TestOpenNameBeforePath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("mnist", 0o755); err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil || set.Train.Len() != 60_000 {
		t.Errorf("Open: %v", err)
	}
}
