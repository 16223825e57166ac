package train

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// FuzzRunFolder opens run folders with any text in their files.
func FuzzRunFolder(f *testing.F) {
	f.Add(`{"options":{"data":"mnist","schedule":"0:6"}}`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, config string) {
		dir := t.TempDir()
		d := &run.Folder{Path: dir}
		if err := os.WriteFile(d.File(run.ConfigFile), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		if c, err := readTrainRun(dir); err == nil {
			o := c.Resolved
			_ = o.Validate()
			if _, err := json.Marshal(o); err != nil {
				t.Errorf("options that were read cannot be written: %v", err)
			}
		} else if !strings.Contains(err.Error(), run.ConfigFile) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q", err)
		}
	})
}

// FuzzTexts reads texts that people write: schedules and lists of classes.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{"3:1200,60:1180", "0:0", "7,0-9,none", "sneaker, T-shirt", "-1",
		"0-99999999999999999999", `"b, c",0-7`} {
		f.Add(text)
	}
	list := model.ClassList{Model: "m", N: 10, Names: []string{"T-shirt", "sneaker", "b, c", "7"}, Null: true}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := engine.ParseRateSchedule(text); err == nil {
			back, err := engine.ParseRateSchedule(s.String())
			if err != nil || back.String() != s.String() || !(s.Rate(7, 1, 50, engine.CosineRate) >= 0) {
				t.Errorf("schedule %q became %v, %v", text, back, err)
			}
		}
		classes, _, err := list.Parse(text)
		for _, c := range classes {
			if err != nil || c < 0 || int(c) > list.N {
				t.Errorf("classes %q became %v, %v", text, classes, err)
			}
		}
	})
}
