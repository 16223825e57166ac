package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block finds the commands and the programs of a page.
var block = regexp.MustCompile("(?ms)^```(sh|python)\n(.*?\n)```$")

// programName is the first line of a program that the page's commands run.
var programName = regexp.MustCompile(`^# ([a-z]+\.py)\n`)

// The commands of docs/travel.md run as they stand, and so do its programs. It needs a Python with
// the packages that the page installs.
func TestTravelPage(t *testing.T) {
	python := os.Getenv("FMIMG_TEST_TRAVEL")
	if python == "" {
		t.Skip("FMIMG_TEST_TRAVEL must name a Python with onnx, onnxruntime, torch and diffusers (make travel)")
	}
	python, err := exec.LookPath(python)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/travel.md")
	if err != nil {
		t.Fatal(err)
	}
	folder, bin := t.TempDir(), t.TempDir()
	script(t, filepath.Join(bin, "fmimg"), fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asCommand, os.Args[0]))
	script(t, filepath.Join(bin, "python3"), fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", python))
	var commands strings.Builder
	for _, found := range block.FindAllStringSubmatch(string(page), -1) {
		kind, text := found[1], found[2]
		if kind == "sh" {
			commands.WriteString(text)
			continue
		}
		name := programName.FindStringSubmatch(text)
		if name == nil {
			t.Fatalf("the first line of a program is its name, not %.40q", text)
		}
		script(t, filepath.Join(folder, name[1]), text)
	}
	cmd := exec.Command("sh", "-eux", "-c", commands.String())
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{"drawn.png", "inverted.png", "digits-again/model.safetensors"} {
		if info, err := os.Stat(filepath.Join(folder, made)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", made, err)
		}
	}
}

// script writes a file that can be run.
func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}
