package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

func TestModelShow(t *testing.T) {
	s := newShell(t)
	s.must(tinyRun + " --steps 2")
	for _, line := range []string{"model show", "model show runs/mnist", "model show runs/mnist/model.safetensors --tensors", "model show --model runs/mnist"} {
		s.must(line)
		for _, want := range []string{"81137 parameters in 127 tensors (F32)", "28x28, 1 channel\n", "mnist, 2 steps of 4 images, seed 1", "10 classes and none"} {
			if !strings.Contains(s.stdout, want) {
				t.Errorf("%s: no %q in\n%s", line, want, s.stdout)
			}
		}
		if listed := strings.Contains(s.stdout, "label_emb.weight"); listed != strings.Contains(line, "--tensors") {
			t.Errorf("%s: tensors listed: %t", line, listed)
		}
	}
	s.must("model show --json")
	var info model.Info
	if err := json.Unmarshal([]byte(s.stdout), &info); err != nil || len(info.List) != 127 || info.Meta.Steps != 2 || info.Network.ModelChannels != 16 {
		t.Errorf("%+v, %v", info, err)
	}

	// Weights that PyTorch saved have no metadata: show tells what their shapes tell.
	file, err := os.Open(filepath.Join("runs", "mnist", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	weights, err := safetensors.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	config := weights.Metadata[unet.ConfigKey]
	weights.Metadata = nil
	writeWeights(t, "bare.safetensors", weights)
	s.must("model show bare.safetensors")
	if !strings.Contains(s.stdout, "16 channels times [1 1], 1 block a level, attention at [2], 11 classes") || !strings.Contains(s.stdout, "--init") {
		t.Error(s.stdout)
	}
	// Metadata of another program are not taken for those of fmimg.
	weights.Metadata = map[string]string{unet.ConfigKey: config, "fmimg.meta": `{"data":"mnist","steps":3,"pixel_range":[-1,1]}`}
	writeWeights(t, "theirs.safetensors", weights)
	s.must("model show theirs.safetensors")
	if !strings.Contains(s.stdout, "mnist, 3 steps") || strings.Contains(s.stdout, "made by") {
		t.Error(s.stdout)
	}

	for line, want := range map[string]string{
		"model show a b":                    `"b" is one model too many`,
		"model show a --model b":            "--model b: the model a is named already",
		"model show none":                   "model: open none: ",
		"model show runs/mnist/config.json": "config.json: safetensors: ",
		"model shwo":                        `unknown command "shwo": did you mean show?`,
	} {
		if status := s.run(line); status == exitOK || !strings.Contains(s.stderr, want) || strings.Count(s.stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
}

func writeWeights(t *testing.T, name string, weights *safetensors.File) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := safetensors.Write(file, weights); err != nil {
		t.Fatal(err)
	}
}

// There is a man page for each command that help lists, and it has the flags of the command.
func TestManPages(t *testing.T) {
	s := newShell(t)
	s.must("man pages/man1")
	for name, want := range map[string]string{"fmimg": "flow matching", "fmimg-train": "save-every", "fmimg-model-show": "tensors", "fmimg-bench-compare": "chart"} {
		text, err := os.ReadFile(filepath.Join("pages", "man1", name+".1"))
		if err != nil || !strings.Contains(strings.ReplaceAll(string(text), `\-`, "-"), want) {
			t.Errorf("%s: %v, want %q in\n%s", name, err, want, text)
		}
	}
	if status := s.run("man"); status != exitUsage {
		t.Errorf("without a folder: status %d, %s", status, s.stderr)
	}
}

// The completion of a flag offers its values where they are few. The shell chooses those that fit.
// For other flags the shell does all.
func TestCompletion(t *testing.T) {
	s := newShell(t)
	for line, want := range map[string]string{
		"__complete train --preset b":        "tiny\tfor tests\nbase\t1.2 million parameters of a U-Net\nlarge\t6.9 million parameters of a U-Net\n:4\n",
		"__complete train --decay c":         "cosine\nlinear\nconstant\n:4\n",
		"__complete bench train --preset la": "tiny\tfor tests\nbase\t1.2 million parameters of a U-Net\nlarge\t6.9 million parameters of a U-Net\n:4\n",
		"__complete train --init r":          "none\tdrawn weights\nemoji\tpart of the program, pictures in colour\nmnist\tpart of the program\n:0\n",
		"__complete train --schedule r":      ":0\n",
		"__complete classifier --out c":      ":0\n",
	} {
		s.must(line)
		if s.stdout != want {
			t.Errorf("%s: %q, want %q", line, s.stdout, want)
		}
	}
	s.must("__complete train --data mn")
	if !strings.HasPrefix(s.stdout, "mnist\t") || !strings.HasSuffix(s.stdout, ":0\n") {
		t.Errorf("data sets: %q", s.stdout)
	}
	if status := s.run("completion foo"); status != exitUsage || s.stderr != "fmimg: completion: unknown command \"foo\": see fmimg completion --help\n" {
		t.Errorf("status %d, %q", status, s.stderr)
	}
}

// A model that was exported draws what it drew before, up to the rounding of its weights.
func TestModelExport(t *testing.T) {
	s := newShell(t)
	s.must(tinyRun + " --steps 2")
	s.must("model export runs/mnist --float16 --out half.safetensors")
	if s.stdout != "half.safetensors\n" {
		t.Errorf("%q", s.stdout)
	}
	s.must("model export --out whole.safetensors")
	half, whole := readTensors(t, ".", "half.safetensors"), readTensors(t, ".", "whole.safetensors")
	run := readTensors(t, filepath.Join("runs", "mnist"), "model.safetensors")
	if !sameTensors(whole, run) || len(half) != len(run) {
		t.Fatal("the exported model is another")
	}
	for i := range run {
		for j, v := range run[i].F32 {
			// the rounding error of 11 bits, and 2^-25 where the number is subnormal
			if d := math.Abs(float64(half[i].F32[j] - v)); d > math.Abs(float64(v))*0x1p-11+0x1p-25 {
				t.Fatalf("%s: %v was rounded to %v", run[i].Name, v, half[i].F32[j])
			}
		}
	}
	s.must("model show half.safetensors")
	if !strings.Contains(s.stdout, "(F16)") || !strings.Contains(s.stdout, "mnist, 2 steps") {
		t.Error(s.stdout)
	}
	for line, want := range map[string]string{
		"model export runs/mnist":                              "--out is needed",
		"model export half.safetensors --out half.safetensors": "the model itself",
		"model export runs/mnist --out nowhere/x.safetensors":  "no folder nowhere",
		"model export runs/mnist --model runs/mnist --out x":   "leave one out",
		"model export runs/nothing --out x.safetensors":        "runs/nothing",
		"model export --sampler --guide emoji --out x.onnx":    "one of the same shape",
	} {
		if s.run(line) == 0 || !strings.Contains(s.stderr, want) {
			t.Errorf("%s: %q, want %q", line, s.stderr, want)
		}
	}
}

// A drawing that is exported is that of generate, and the command says which.
func TestModelExportDrawing(t *testing.T) {
	s := newShell(t)
	for line, want := range map[string]string{
		"":                 "8 steps of abm2, guidance 1.45 away from mnist's guide (0.67) and no class for t from 0.05 to 0.7 held for 3 velocities\n",
		" --guide none":    "8 steps of abm2, guidance 1.15 held for 2 velocities\n",
		" --guide-share 1": "8 steps of abm2, guidance 1.45 away from mnist's guide\n",
		" --guidance 1":    "8 steps of abm2\n",
	} {
		s.must("model export mnist --sampler --out drawing.onnx" + line)
		if s.stdout != "drawing.onnx\n" || s.stderr != "the drawing: "+want {
			t.Errorf("%s: %q, %q, want %q", line, s.stdout, s.stderr, want)
		}
	}
}
