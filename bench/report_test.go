package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
)

// A report is the same after it was written and read.
func TestReportRoundTrip(t *testing.T) {
	r := madeUp("AMD EPYC", "avx512", 2, 1, 1)
	r.Label = "a small one"
	path := writeReport(t, r)
	got, err := ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got  %+v\nwant %+v", got, r)
	}
}

func writeReport(t *testing.T, r *Report) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, string(text))
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Other programs rely on the schema: these names must stay.
func TestSchemaNames(t *testing.T) {
	text, err := json.Marshal(madeUp("AMD EPYC", "avx512", 2, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	section := func(name string) map[string]any { return report[name].([]any)[0].(map[string]any) }
	common := "images_per_s forward_images_per_s percent_of_direct_limit peak_memory_bytes threads batch preset " +
		"isa allocations_per_step"
	for _, c := range []struct {
		what   string
		object map[string]any
		names  string
	}{
		{"report", report, "schema machine kernels train generate"},
		{"machine", report["machine"].(map[string]any), "cpu isas isa threads system go fmimg"},
		{"cpu", report["machine"].(map[string]any)["cpu"].(map[string]any), "name features l3_bytes"},
		{"kernels", report["kernels"].(map[string]any), "limits results skipped time fmimg"},
		{"train", section("train"), common},
		{"generate", section("generate"), common + " ms_to_first_image solver steps"},
	} {
		for name := range strings.FieldsSeq(c.names) {
			if _, ok := c.object[name]; !ok {
				t.Errorf("%s lacks %s: has %v", c.what, name, c.object)
			}
		}
	}
}

func TestBrokenReports(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no report"},
		{"text", "hello", "no report"},
		{"other JSON", `{"a":1}`, "no report"},
		{"newer", `{"schema":"fmimg-bench/2"}`, "its schema is fmimg-bench/2 and this program reads fmimg-bench/1"},
		{"without CPU", `{"schema":"fmimg-bench/1"}`, "names no CPU"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFile(t, c.text)
			_, err := ReadReport(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and the path", err, c.want)
			}
			if err := Record(path, "", &TrainResult{}); err == nil {
				t.Error("it was replaced by a report")
			}
		})
	}
	if _, err := ReadReport(filepath.Join(t.TempDir(), "none.json")); err == nil {
		t.Error("a file that is not there was read")
	}
}

// The sections of one machine gather in its report. A section replaces an older one with the same
// settings, and is added beside those with other settings.
func TestRecordGathers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	train := func(threads int, rate float64) *TrainResult {
		work := Workload{Preset: "base", Batch: 128, Threads: threads, ISA: "avx2"}
		return &TrainResult{Workload: work, Figures: Figures{ImagesPerS: rate}}
	}
	larger, byAdamW, half, full := train(1, 12), train(1, 13), train(1, 14), train(1, 11)
	half.Precision, full.Precision = "bf16", "f32" // the older ones are f32 too, and do not say so
	larger.Size, larger.Channels, byAdamW.Optimizer = pipeline.Square(32), 3, engine.AdamW
	generate := func(steps int) *GenerateResult {
		work := Workload{Preset: "base", Batch: 64, Threads: 1, ISA: "avx2"}
		return &GenerateResult{Workload: work, Solver: "euler", Steps: steps}
	}
	for _, s := range []Section{
		train(1, 10), train(2, 20), full, half, larger, byAdamW, generate(5), generate(5), generate(6),
		&KernelReport{Preset: "base"},
	} {
		if err := Record(path, "mine", s); err != nil {
			t.Fatal(err)
		}
	}
	r, err := ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Train) != 5 || r.Train[0].ImagesPerS != 11 || r.Train[1].ImagesPerS != 20 {
		t.Errorf("training: %+v", r.Train)
	}
	if len(r.Generate) != 2 || r.Kernels == nil || r.Label != "mine" {
		t.Errorf("generating: %+v, kernels: %v, label %q", r.Generate, r.Kernels, r.Label)
	}
}

func TestAnotherMachinesReportIsRefused(t *testing.T) {
	path := writeReport(t, madeUp("a CPU that nobody has", "avx512", 2, 1, 1))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	err = Record(path, "", &TrainResult{})
	if err == nil || !strings.Contains(err.Error(), "another machine (a CPU that nobody has") {
		t.Errorf("got %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the report changed")
	}
}

// A report that cannot be written is an error before anything is measured. Trying leaves nothing
// behind.
func TestDestination(t *testing.T) {
	dir := t.TempDir()
	if _, err := Destination(filepath.Join(dir, "new.json")); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, path := range []string{filepath.Join(dir, "none", "r.json"), dir} {
		if _, err := Destination(path); err == nil {
			t.Errorf("%s was accepted", path)
		}
	}
}

func TestCompareReadsFiles(t *testing.T) {
	a := writeReport(t, madeUp("AMD EPYC", "avx512", 2, 1, 1))
	c, err := Compare([]string{a, a}, ".")
	if err != nil || !c.Drift || len(c.Machines) != 2 || len(c.Rows) == 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, wrong := range []struct {
		paths   []string
		pattern string
	}{{nil, ""}, {[]string{a, filepath.Join(t.TempDir(), "none.json")}, ""}, {[]string{a}, "("}} {
		if _, err := Compare(wrong.paths, wrong.pattern); err == nil {
			t.Errorf("%v was accepted", wrong)
		}
	}
}
