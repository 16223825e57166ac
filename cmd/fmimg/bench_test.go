package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runBench executes fmimg bench with the given arguments and an empty environment.
func runBench(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, environ: func(string) (string, bool) { return "", false }}
	status = a.run(t.Context(), append([]string{"bench"}, args...))
	return out.String(), errs.String(), status
}

// A command line that makes no sense ends with status 2, and with one line that names the cure.
func TestBenchUsedWrongly(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"kernel", "did you mean kernels?"},
		{"kernels 5", `"5" is no flag`},
		{"kernels --rum x", "did you mean --run?"},
		{"kernels --run (", "--run"},
		{"kernels --run nothing-like-it", "--list"},
		{"kernels --isa mmx", "--isa"},
		{"kernels --time 0", "--time"},
		{"kernels --time soon", "a duration such as"},
		{"kernels --threads 0", "--threads 0: a number above 0"},
		{"kernels --batch -1", "--batch -1"},
		{"kernels --preset huge", "choose one of tiny, base, large, patch"},
		{"kernels --label mine", "--out"},
		{"train --preset huge", "choose one of tiny, base, large, patch"},
		{"train --batch 0", "--batch 0"},
		{"train --threads -3", "--threads -3"},
		{"train --size 30", "--size 30: the network base takes sides that are multiples of 4"},
		{"train --size 32,30", "--size 30: the network base takes sides that are multiples of 4"},
		{"train --size 28,,32", "--size 28,,32: a list of sides"},
		{"train --size 0", "--size 0: a list of sides"},
		{"train --size 4096", "--size 4096"},
		{"train --image-channels blue", "--image-channels \"blue\": choose one of"},
		{"train --optimizer muon,sgd", "--optimizer \"sgd\": choose one of adamw, muon"},
		{"train --optimizer=", `--optimizer "": a list of names`},
		{"train --size=", `--size "": a list of sides`},
		{"train --optimizer muon,", "--optimizer muon,: a list of names"},
		{"generate --size 0", "--size 0: a number above 0"},
		{"generate --size 30x32", "--size 30x32: the network base"},
		{"generate --size 32,64", "--size 32,64: a side in pixels"},
		{"generate --solver magic", "--solver"},
		{"generate --steps 0", "--steps 0"},
		{"generate --isa mmx", "--isa"},
		{"compare", "name the reports"},
		{"compare a.json --chart a.jpg", ".png"},
		{"compare a.json --what", "unknown flag --what"},
	} {
		out, line, status := runBench(t, strings.Fields(c.line)...)
		if status != exitUsage || out != "" || strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "fmimg: bench") || !strings.Contains(line, c.want) {
			t.Errorf("bench %s: status %d, stdout %q, stderr %q, want status %d and %q", c.line, status, out, line, exitUsage, c.want)
		}
	}
}

// A correct command line that cannot be carried out ends with status 1, before anything is
// measured.
func TestBenchFails(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"compare", filepath.Join(dir, "none.json")},
		{"compare", broken},
		{"kernels", "--out", broken},
		{"train", "--out", filepath.Join(dir, "none", "r.json")},
		{"generate", "--out", dir},
	} {
		out, line, status := runBench(t, args...)
		if status != exitFailed || out != "" || strings.Count(line, "\n") != 1 {
			t.Errorf("%v: status %d, stdout %q, stderr %q", args, status, out, line)
		}
	}
}

func TestBenchList(t *testing.T) {
	out, _, status := runBench(t, "kernels", "--list", "--run", "^linear/32-128/")
	if status != exitOK || strings.Count(out, "linear/32-128/") != 3 {
		t.Errorf("status %d: %s", status, out)
	}
}

// All commands write to one report, and compare reads it: a table, a chart and JSON.
func TestBenchFromMeasuringToComparing(t *testing.T) {
	dir := t.TempDir()
	report, chart := filepath.Join(dir, "r.json"), filepath.Join(dir, "c.png")
	for _, line := range []string{
		"kernels --preset tiny --time 100ms --threads 1 --label mine",
		"train --preset tiny --batch 2 --time 50ms --json",
		"train --preset tiny --batch 2 --time 50ms --json --size 16x8 --image-channels rgb --optimizer adamw",
		"generate --preset tiny --batch 2 --steps 1 --time 50ms --json",
	} {
		out, errs, status := runBench(t, append(strings.Fields(line), "--out", report)...)
		if status != exitOK {
			t.Fatalf("%s: status %d: %s", line, status, errs)
		}
		if strings.HasSuffix(line, "--json") {
			checkBenchJSON(t, out)
		}
	}
	out, errs, status := runBench(t, "compare", report, report, "--chart", chart)
	for _, want := range []string{
		"mine", "train tiny, batch 2, muon, ", "forward tiny, batch 2, ", "train tiny 16x8 rgb, batch 2, adamw, ",
		"forward tiny 16x8 rgb, batch 2, ",
	} {
		if status != exitOK || !strings.Contains(out, want) {
			t.Errorf("status %d, no %q: %s%s", status, want, out, errs)
		}
	}
	if picture, err := os.ReadFile(chart); err != nil || !bytes.HasPrefix(picture, []byte("\x89PNG")) {
		t.Errorf("the chart: %v", err)
	}
	out, _, status = runBench(t, "compare", report, "--json")
	if status != exitOK || !json.Valid([]byte(out)) {
		t.Errorf("status %d: %s", status, out)
	}
}

// Several sizes and optimisers make a result each, in the order of the flags, and a table.
func TestBenchTrainEach(t *testing.T) {
	line := strings.Fields("train --preset tiny --batch 2 --threads 1 --time 30ms --size 8,16x8 --optimizer muon,adamw --image-channels rgb")
	out, errs, status := runBench(t, append(line, "--json")...)
	var list struct {
		Train []struct {
			Size      any
			Channels  int
			Optimizer string
		}
	}
	if err := json.Unmarshal([]byte(out), &list); status != exitOK || err != nil {
		t.Fatalf("status %d, %v: %s%s", status, err, out, errs)
	}
	var got []string
	for _, r := range list.Train {
		got = append(got, fmt.Sprint(r.Size, r.Channels, r.Optimizer))
	}
	if want := "[8 3muon 8 3adamw 16x83muon 16x83adamw]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	out, errs, status = runBench(t, line...)
	if status != exitOK || !strings.Contains(out, "\nimages ") || !strings.Contains(out, "\n16x8 rgb       adamw ") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}

// checkBenchJSON checks that the output is one object, and that it has the keys that other
// programs rely on.
func checkBenchJSON(t *testing.T, text string) {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for key := range strings.FieldsSeq("images_per_s forward_images_per_s percent_of_direct_limit peak_memory_bytes threads batch") {
		if v, ok := object[key].(float64); !ok || !(v > 0) {
			t.Errorf("%s is %v", key, object[key])
		}
	}
	for _, key := range []string{"preset", "isa"} {
		if v, ok := object[key].(string); !ok || v == "" {
			t.Errorf("%s is %v", key, object[key])
		}
	}
}
