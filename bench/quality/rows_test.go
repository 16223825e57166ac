package main

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/plot"
)

// A part of what fmimg eval --json writes for a model, and for images from elsewhere.
const (
	ofModel = `{"model":"runs/a","data":"mnist","classifier":"MNIST","solver":"midpoint","steps":20,` +
		`"evaluations":40,"seed":1,"count":500,"fid":0.3,"floor":{"count":500,"fid":0.1}}`
	ofImages = `{"images":"a.npy","data":"mnist","classifier":"MNIST","seed":1,"count":500,"fid":0.5,` +
		`"floor":{"count":500,"fid":0.1}}`
)

// measured says how both were measured.
var measured = how{Count: 500, Evaluations: 40, Data: "mnist", Classifier: "MNIST"}

func TestRow(t *testing.T) {
	now := time.Date(2026, 1, 2, 23, 0, 0, 0, time.FixedZone("", -7200))
	for _, c := range []struct {
		report string
		flags  options
		want   row
	}{
		{ofModel, options{trainer: "fmimg", time: 3 * time.Minute, threads: 2, command: "fmimg train"},
			row{"fmimg", 3, 0.3, 0.1, measured, "CPU", 2, "2026-01-03", "fmimg train"}},
		{ofImages, options{trainer: "PyTorch", time: 90 * time.Second, threads: 1, command: "p", evaluations: 40},
			row{"PyTorch", 1.5, 0.5, 0.1, measured, "CPU", 1, "2026-01-03", "p"}},
	} {
		c.flags.report = filepath.Join(t.TempDir(), "report.json")
		if err := os.WriteFile(c.flags.report, []byte(c.report), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := c.flags.row("CPU", now); err != nil || got != c.want {
			t.Errorf("row %+v, %v, want %+v", got, err, c.want)
		}
	}
}

// Rows are added one after the other, but not twice, and a chart shows them.
func TestAddAndDraw(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("report.json", []byte(ofModel), 0o644); err != nil {
		t.Fatal(err)
	}
	must := func(args ...string) {
		t.Helper()
		if err := run(append([]string{"-rows", "rows.jsonl"}, args...), io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for _, minutes := range []string{"1m", "3m", "1m"} {
		must("-add", "report.json", "-time", minutes, "-threads", "2", "-command", "fmimg train --out <a>")
	}
	text, err := os.ReadFile("rows.jsonl")
	if err != nil || bytes.Count(text, []byte("\n")) != 2 ||
		!bytes.Contains(text, []byte(`"minutes":3,"fid":0.3,"floor":0.1,"count":500,`)) ||
		!bytes.Contains(text, []byte("<a>")) {
		t.Fatalf("%v\n%s", err, text)
	}
	must("-chart", "rows.png")
	file, err := os.Open("rows.png")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := png.Decode(file); err != nil {
		t.Error(err)
	}
}

func TestChart(t *testing.T) {
	all := rows{
		{Trainer: "fmimg", Minutes: 3, FID: 0.3, Floor: 0.1, how: measured, Machine: "CPU", Threads: 2},
		{Trainer: "PyTorch", Minutes: 1, FID: 0.9, Floor: 0.1, how: measured, Machine: "CPU", Threads: 2},
		{Trainer: "fmimg", Minutes: 1, FID: 0.4, Floor: 0.1, how: measured, Machine: "CPU", Threads: 2},
	}
	c, err := all.chart()
	if err != nil {
		t.Fatal(err)
	}
	floor := []plot.Point{{X: 3, Y: 0.1}, {X: 1, Y: 0.1}, {X: 1, Y: 0.1}}
	want := &plot.Chart{
		Title: "FID of 500 images of mnist by 40 evaluations", XTitle: "minutes of training on CPU, 2 threads",
		Curves: []plot.Curve{
			{Name: "PyTorch", Points: []plot.Point{{X: 1, Y: 0.9}}},
			{Name: "fmimg", Points: []plot.Point{{X: 3, Y: 0.3}, {X: 1, Y: 0.4}}},
			{Name: "real training images", Points: floor, Level: true},
		},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("chart %+v, want %+v", c, want)
	}
	all[1].Threads = 1
	if c, err = all.chart(); err != nil || c.Curves[0].Name != "PyTorch, CPU, 1 thread" ||
		c.XTitle != "minutes of training" {
		t.Errorf("chart of two machines: %+v, %v", c, err)
	}
	all[2].Count = 10000
	_, err = all.chart()
	const differs = "row 3 is of 10000 images of mnist by 40 evaluations, and the first of 500"
	if err == nil || !strings.Contains(err.Error(), differs) {
		t.Errorf("rows that do not compare: %v", err)
	}
}

func TestCurves(t *testing.T) {
	t.Chdir(t.TempDir())
	report := func(name, count, model string) {
		text := fmt.Sprintf(`{"model":%q,"data":"mnist","solver":"s","count":%s,"curve":[{"evaluations":1,`+
			`"fid":0.3},{"evaluations":2,"fid":0.2},{"evaluations":4,"fid":null}],"floor":{"fid":0.1}}`, model, count)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	report("a.json", "500", "a")
	report("b.json", "500", "b")
	report("c.json", "600", "c")
	c, err := curves([]string{"a.json", "b.json"})
	if err != nil {
		t.Fatal(err)
	}
	points := []plot.Point{{X: 1, Y: 0.3}, {X: 2, Y: 0.2}}
	floor := []plot.Point{{X: 1, Y: 0.1}, {X: 2, Y: 0.1}, {X: 1, Y: 0.1}, {X: 2, Y: 0.1}}
	want := &plot.Chart{Title: "FID of 500 images of mnist", XTitle: "evaluations of the network", Curves: []plot.Curve{
		{Name: "a, s", Points: points}, {Name: "b, s", Points: points},
		{Name: "real training images", Points: floor, Level: true},
	}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("chart %+v, want %+v", c, want)
	}
	guided := `{"model":"a","data":"mnist","solver":"s","guidance":1.5,"count":500,"curve":[{"evaluations":3,` +
		`"fid":0.3}],"floor":{"fid":0.1}}`
	if err := os.WriteFile("g.json", []byte(guided), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err = curves([]string{"g.json"}); err != nil || c.Curves[0].Name != "a, s, guidance 1.5" ||
		c.Curves[0].Points[0].X != 3 {
		t.Errorf("chart of guided images: %+v, %v", c, err)
	}
	if _, err := curves([]string{"a.json", "c.json"}); err == nil ||
		!strings.Contains(err.Error(), "c.json is of 600 images of mnist, and the first of 500") {
		t.Errorf("reports that do not compare: %v", err)
	}
}

func TestErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"images.json": ofImages, "none.json": "{}", "text.json": "FID", "rows.jsonl": "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const row = " -time 1m -threads 2 -command c"
	for line, want := range map[string]string{
		"":                         "one of -add, -chart and -curves is needed",
		"-chart a.png -add b.json": "one of -add, -chart and -curves is needed",
		"-chart a.png b.json":      "-curves needs files behind the flags, and nothing else does",
		"-curves a.png":            "-curves needs files",
		"-curves a images.json":    "it holds no curve",
		"-curves a text.json":      "it is not what fmimg eval --json writes",
		"-add images.json":         "-add needs the -time",
		"-add images.json" + row:   "add -evaluations",
		"-add none.json" + row:     "it holds no FID",
		"-add text.json" + row:     "it is not what fmimg eval --json writes",
		"-add no.json" + row:       "no.json",
		"-chart a.png":             "there are no rows to draw: make quality measures some",
		"-rows text.json -chart a": "text.json: row 1",
	} {
		args := append([]string{"-rows", "rows.jsonl"}, strings.Fields(line)...)
		if err := run(args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", line, err, want)
		}
	}
}
