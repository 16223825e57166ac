package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pictures makes pictures of 8x8 pixels, red in the folder red and gray elsewhere, and one file
// that is not a picture.
func pictures(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if strings.HasSuffix(name, ".png") {
			m := image.NewNRGBA(image.Rect(0, 0, 8, 8))
			for i := range 64 {
				c := color.NRGBA{99, 99, 99, 255}
				if strings.Contains(name, "red/") {
					c = color.NRGBA{255, 0, 0, 255}
				}
				m.SetNRGBA(i%8, i/8, c)
			}
			if err := png.Encode(&b, m); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDataList(t *testing.T) {
	s := newShell(t)
	s.must("data list")
	for _, want := range []string{"mnist          handwritten digits", "               embedded", "not here: put https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz here"} {
		if !strings.Contains(s.stdout, want) {
			t.Errorf("no %q in\n%s", want, s.stdout)
		}
	}
	s.must("data list --json")
	var list []map[string]string
	if err := json.Unmarshal([]byte(s.stdout), &list); err != nil || len(list) != 4 || list[0]["found"] != "embedded" || list[2]["found"] != "" || list[2]["get"] == "" {
		t.Errorf("%s: %v", s.stdout, err)
	}
}

func TestDataShow(t *testing.T) {
	s := newShell(t)
	pictures(t, "p/red/1.png", "p/red/2.png", "p/gray/3.png", "p/gray/4.png", "p/notes.txt")
	s.must("data show --data p --hold-out 0.5 --out grid.png")
	for _, want := range []string{
		"p: folder of pictures in p\n", "images     4 of 32x32, RGB: 12 kB in memory\n", "training   2\nvalidation 2 (held out by --seed)\n",
		"classes    2, of 2 images each\n           0 gray ############################## 1 + 1\n           1 red  #", "pictures   4 of 8x8\n", "left out   1 not a picture, such as notes.txt (an empty file: download or copy it again)\n",
	} {
		if !strings.Contains(s.stdout, want) {
			t.Errorf("no %q in\n%s", want, s.stdout)
		}
	}
	file, err := os.Open("grid.png")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if m, err := png.Decode(file); err != nil || m.Bounds().Dx() != 2+12*34 || m.Bounds().Dy() != 2+2*34 {
		t.Errorf("grid %v, %v", m.Bounds(), err)
	}
	s.must("data show --data p --size 16 --image-channels gray --json")
	var facts dataFacts
	if err := json.Unmarshal([]byte(s.stdout), &facts); err != nil {
		t.Fatal(err)
	}
	if facts.Train != 4 || facts.Held != 0 || facts.Width != 16 || facts.Channels != 1 || len(facts.Skipped) != 1 ||
		len(facts.Classes) != 2 || facts.Classes[0] != (classFacts{"gray", 2, 0}) {
		t.Errorf("facts %+v", facts)
	}
	s.must("data show --data mnist --json")
	if !strings.Contains(s.stdout, `"notes":[],"skipped":[]`) {
		t.Errorf("no empty lists in %s", s.stdout)
	}
	s.must("data show --data mnist")
	if !strings.Contains(s.stdout, "           9 9 ###########################    5949 + 1009\n") || !strings.Contains(s.stdout, "validation 10000 (test images of the set)") {
		t.Error(s.stdout)
	}
}

func TestDataErrors(t *testing.T) {
	for line, want := range map[string]string{
		"data shwo":                           `fmimg: data: unknown command "shwo": did you mean show?`,
		"data show":                           `fmimg: data show: --data is needed: name a data set, such as mnist`,
		"data show --data mnits":              `fmimg: data show: --data mnits: no data set and no file has this name: did you mean mnist?`,
		"data show --data mnist --out a.jpg":  `fmimg: data show: --out a.jpg: its name must end in .png`,
		"data show --data mnist --size 0":     `fmimg: data show: --size 0: a number above 0 is needed`,
		"data show --data mnist --size 30":    `fmimg: data show: --size 30: the network base halves images 2 times, which takes multiples of 4: choose --size 28 or --size 32`,
		"data list x":                         `fmimg: data list: "x" is no flag, and list takes flags alone: see fmimg data list --help`,
		"train --data mnist --hold-out 2":     `fmimg: train: --hold-out 2: a number between 0 and 0.9 is needed`,
		"train --data mnist --data-memory -1": `fmimg: train: --data-memory -1: a number between 0 and `,
	} {
		s := newShell(t)
		if status := s.run(line); status != exitUsage {
			t.Errorf("%s: status %d", line, status)
		}
		s.expectError(line, want)
	}
	s := newShell(t)
	pictures(t, "p/red/1.png", "p/notes.txt")
	if err := os.Mkdir("none", 0o755); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"train --data p --strict --steps 1": "fmimg: train: data set p: notes.txt: not a picture: an empty file: download or copy it again; leave --strict out to go without it\n",
		"train --data none --steps 1":       "fmimg: train: data set none: it holds no files: put pictures into it",
		"data show --data p --out no/a.png": "fmimg: data show: cannot write no/a.png: there is no folder no: create it first",
		"data show --data cifar-10":         "fmimg: data show: data set cifar-10 is in none of cifar-10-batches-bin, data/cifar-10-batches-bin, cifar-10-batches-py",
	} {
		if status := s.run(line); status != exitFailed || !strings.HasPrefix(s.stderr, want) || strings.Count(s.stderr, "\n") != 1 || s.stdout != "" {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
}

// A folder of pictures trains, and its classes can be drawn by name.
func TestTrainOnPictures(t *testing.T) {
	s := newShell(t)
	pictures(t, "p/red/1.png", "p/red/2.png", "p/gray/3.png", "p/gray/4.png", "p/notes.txt")
	s.must("train --data p --size 8 --preset tiny --batch 4 --preview-every -1 --steps 2 --hold-out 0.25 --flip")
	if !strings.Contains(s.stderr, "p: 1 of 5 files are left out: 1 not a picture (such as notes.txt: an empty file: download or copy it again)") ||
		!strings.Contains(s.stderr, "3 images of 8x8, 3 channels, 2 classes, 1 held out") || !strings.Contains(s.stderr, ", validation 1.") {
		t.Errorf("stderr %q", s.stderr)
	}
	s.must("generate --class red --count 1 --steps 1 --out red.png")
	s.must("generate --class red,gray --steps 1 --solver euler --out both.png")
	if !strings.Contains(s.stderr, "wrote both.png: 16 images") { // eight of each class
		t.Errorf("stderr %q", s.stderr)
	}
	card, err := os.ReadFile("runs/p/README.md")
	if err != nil || !strings.Contains(string(card), "| validation loss | 1.") || !strings.Contains(string(card), "--size 8 --image-channels rgb --flip --shift 1 --early-stop=false --hold-out 0.25") {
		t.Errorf("%v\n%s", err, card)
	}
}
