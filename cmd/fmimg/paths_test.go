package main

import (
	"os"
	"strings"
	"testing"
)

// folders makes folders in the folder of the test.
func folders(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// A path that leads to something else than it should is called what it is, before any work.
func TestWrongKindsOfPaths(t *testing.T) {
	s := newShell(t)
	pictures(t, "pics/0.png", "pics/1.png")
	folders(t, "out.png", "weights")
	for name, text := range map[string]string{
		"lfs.safetensors":     "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
		"page.safetensors":    "<!DOCTYPE html><html><body>not found</body></html>",
		"old.pth":             "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
		"zero.safetensors":    strings.Repeat("\x00", 100),
		"weights/config.json": "version https://git-lfs.github.com/spec/v1\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"edit vary --in pics --out a.png":                                "--in pics: it is a folder",
		"edit inpaint --mask pics --in pics/0.png --out a.png":           "--mask pics: it is a folder: name a picture, or a half of the images: lower, upper, left or right",
		"edit vary --in pics/0.png --out out.png":                        "it is a folder: name a file inside it",
		"edit vary --in https://example.com/a.png --out a.png":           "nothing is fetched from the web",
		"edit vary --in pics/0.png --out https://example.com/a.png":      "nothing is sent to the web",
		"generate --model pics --out a.png":                              "pics is a folder that holds no model.safetensors",
		"generate --model https://example.com/m.safetensors --out a.png": "nothing is fetched from the web: download it and name the file",
		"generate --out s3://bucket/drawn/":                              "nothing is sent to the web",
		"generate --model lfs.safetensors --out a.png":                   "a pointer of Git LFS, not the file: run git lfs pull",
		"generate --model pics/0.png --out a.png":                        "it is a PNG: a file of tensors (safetensors) is needed",
		"model show page.safetensors":                                    "a web page saved in place of the file: download or copy it again",
		"model show old.pth":                                             "older layout that is not known",
		"model show zero.safetensors":                                    "all zeros at its beginning",
		"train --data pics --init page.safetensors --out r":              "a web page saved in place of the file",
		"train --data pics --init https://example.com/m --out r":         "nothing is fetched from the web",
		"train --data https://example.com/a.zip":                         "--data https://example.com/a.zip: nothing is fetched from the web",
		"train --data file:///pics":                                      "write the path alone, without file://",
		"train --data pics --steps 1 --out http://example.com/r":         "nothing is sent to the web",
		"train --data pics --steps 1 --out old.pth":                      "is a file: name a folder",
		"train --resume --out pics/0.png":                                "pics/0.png is a file, not a run folder: name a folder",
		"train --resume --out weights":                                   "a pointer of Git LFS",
		"train --resume --out weights/config.json":                       "name its folder with --out weights",
		"field --model mnist --in pics --out v.safetensors":              "pics: it is a folder: name a safetensors file",
		"field --model mnist --in lfs.safetensors --out v.safetensors":   "run git lfs pull",
		"eval --classifier pics":                                         "it is a folder: name its file",
		"eval --classifier http://example.com/c":                         "--classifier http://example.com/c: nothing is fetched",
		"eval --classifier old.pth":                                      "save_file",
		"eval --images https://example.com/a.zip":                        "--images https://example.com/a.zip: nothing is fetched",
		"data show --data pics --out out.png":                            "it is a folder: name a file inside it",
		"distill --model http://example.com/m":                           "nothing is fetched from the web",
	} {
		if status := s.run(line); status == exitOK || !strings.Contains(s.stderr, want) || strings.Count(s.stderr, "\n") > 2 {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
}

// Outputs among the data, and names with two meanings, get a note on stderr.
func TestNotesOfPlaces(t *testing.T) {
	s := newShell(t)
	pictures(t, "photos/a/0.png", "photos/b/1.png", "mnist/0.png", "mnist/1.png")
	const tiny = " --preset tiny --size 8 --steps 2 --batch 2 --preview-every -1 --validate-every -1"
	s.must("train --data photos --out r" + tiny)
	s.must("train --data photos --stop-after 1 --out stopped" + tiny)
	for line, want := range map[string]string{
		"data show --data photos --out photos/grid.png":                                    "photos/grid.png lies in the data folder photos",
		"data show --data mnist":                                                           "the folder ./mnist is not read: write ./mnist for it",
		"generate --model r --count 1 --steps 1 --out photos/a/g.png":                      "lies in the data folder photos",
		"generate --model mnist --count 1 --steps 1 --out g.png":                           "the folder ./mnist holds no model",
		"model show mnist":                                                                 "the folder ./mnist holds no model",
		"edit vary --model r --in photos/a/0.png --count 1 --steps 1 --out photos/b/e.png": "lies in the data folder photos",
	} {
		if s.must(line); strings.Count(s.stderr, want) != 1 {
			t.Errorf("%s: %q, want %q once", line, s.stderr, want)
		}
	}
	for _, line := range []string{
		"data show --data ./mnist --out grid.png", "generate --model r --count 1 --steps 1 --out g.png", "model show r",
	} {
		if s.must(line); strings.Contains(s.stderr, "lies in") || strings.Contains(s.stderr, "./mnist") {
			t.Errorf("%s: %q", line, s.stderr)
		}
	}
	if err := os.Rename("photos", "moved"); err != nil {
		t.Fatal(err)
	}
	const gone = "is not where it was: there is no photos in "
	for _, line := range []string{
		"train --resume --out stopped", "edit vary --model r --index 0 --out e.png", "likelihood --model r",
	} {
		if status := s.run(line); status != exitFailed || !strings.Contains(s.stderr, gone) || !strings.Contains(s.stderr, "name its new place with --data") {
			t.Errorf("%s: status %d, %q", line, status, s.stderr)
		}
	}
}
