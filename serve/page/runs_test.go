//go:build !js

package page_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	status = `document.querySelector(".run-view .badge").textContent`
	lines  = `document.querySelectorAll("#plot path").length`
)

// A training is started, watched and stopped, and deleted when its name was typed.
func TestTraining(t *testing.T) {
	b := open(t, serveAll(t), "/#runs")
	b.Click("#start-open")
	b.Wait("data can be chosen", `document.querySelector("#start-data").options.length > 0`)
	b.Set("#start-data", "stripes")
	b.Set("#start-name", "mine")
	b.Set("#start-preset", "tiny")
	b.Set("#start-size", "8")
	b.Set("#start-batch", "4")
	b.Set("#start-steps", "100000")
	b.Picture("start")
	b.Click("#start .primary")
	b.Wait("it trains", status+` === "training"`)
	b.Wait("its curve grows", lines+` > 0 && /step (\d+)/.exec(document.querySelector("#plot-values").textContent)?.[1] > 20`)
	b.Picture("training")
	b.Click(`[data-part="stop"]`)
	b.Wait("it is stopped", status+` === "stopped"`)
	b.Click(`[data-part="delete"]`)
	b.Wait("the name is asked for", `document.querySelector("#remove").open`)
	b.Do(chromedp.SendKeys(chromedp.CSS("#remove-name"), "min"))
	if !value[bool](b, `document.querySelector("#remove-button").disabled`) {
		t.Error("half of the name is enough to delete a run")
	}
	b.Do(chromedp.SendKeys(chromedp.CSS("#remove-name"), "e"))
	b.Picture("delete")
	b.Click("#remove-button")
	b.Wait("it is gone", `![...document.querySelectorAll(".run b")].some((name) => name.textContent === "mine")`)
}

// Two runs stand side by side, in one plot, which the address says.
func TestTwoRuns(t *testing.T) {
	b := open(t, serveAll(t), "/#runs?run=digits&with=smaller")
	b.Wait("both are there", `document.querySelectorAll(".run-view .figures dt").length > 10`)
	b.Wait("all curves are drawn", lines+` === 4`)
	b.Picture("light")
	b.Click("#plot-log")
	b.Do(chromedp.Focus(chromedp.CSS("#plot")))
	b.Press(kb.Home)
	words := value[string](b, `document.querySelector("#plot-values").textContent`)
	if strings.Count(words, "loss") != 2 || !strings.Contains(words, "at step 1") {
		t.Errorf("the values at the first step are %q", words)
	}
	b.Set("#theme", "dark")
	b.Picture("dark")
	b.Set("#beside", "")
	b.Wait("one is left", `document.querySelectorAll(".run-view").length === 1`)
	if got := value[string](b, address); got != "#runs?run=digits" {
		t.Errorf("the address says %s", got)
	}
}

// copyRuns makes a folder of runs that are copies of one, by their names.
func copyRuns(t *testing.T, runs string, names ...string) {
	t.Helper()
	serveAll(t) // which makes what is copied
	for _, name := range names {
		if err := os.CopyFS(filepath.Join(runs, name), os.DirFS(filepath.Join(served.folder, "runs", "smaller"))); err != nil {
			t.Fatal(err)
		}
	}
}

// startWith starts a server with copies of a run.
func startWith(t *testing.T, names ...string) (origin, runs string) {
	t.Helper()
	folder := t.TempDir()
	runs = filepath.Join(folder, "runs")
	copyRuns(t, runs, names...)
	if err := os.Mkdir(filepath.Join(folder, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	origin, end, err := start(folder, "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return origin, runs
}

// Many runs scroll in their list, where the one that the address names is seen, and long names fit.
func TestManyRuns(t *testing.T) {
	names := []string{strings.Repeat("x", 200), "my run ü 50% #1", strings.Repeat("long name ", 20) + "."}
	for i := range 40 {
		names = append(names, fmt.Sprintf("run-%02d", i))
	}
	origin, _ := startWith(t, names...)
	for _, width := range []int64{1280, 390} {
		b := open(t, origin, "/#runs?run=run-20&with="+names[0], size(width, 844))
		b.Wait("all are listed", fmt.Sprintf(`document.querySelectorAll(".run").length === %d`, len(names)))
		b.Wait("two are shown", `document.querySelectorAll(".run-view .figures dt").length > 10`)
		b.NotWide(fmt.Sprintf("the tab of runs, on %d pixels,", width))
		over := value[int](b, `(() => { const list = document.querySelector("#run-list");
			return list.scrollWidth - list.clientWidth; })()`)
		if over > 0 {
			t.Errorf("on %d pixels the list is %d too wide", width, over)
		}
		inside := value[bool](b, `(() => { const list = document.querySelector("#run-list").getBoundingClientRect();
			return [...document.querySelectorAll(".run[aria-pressed=true]")].some((e) => {
				const run = e.getBoundingClientRect();
				return e.textContent.includes("run-20") && run.top >= list.top && run.bottom <= list.bottom; }); })()`)
		if !inside {
			t.Errorf("on %d pixels the run that is open is not seen in the list", width)
		}
		b.Click(`.run-view [data-part="delete"]`)
		b.Wait("the name is asked for", `document.querySelector("#remove").open`)
		b.NotWide("the dialog")
		b.Picture(fmt.Sprint(width))
	}
}

// A run that goes is shown as gone, and one that comes in its place is followed again.
func TestRunGoes(t *testing.T) {
	origin, runs := startWith(t, "here", "my run ü 50% #1")
	b := open(t, origin, "/#runs?run=my+run+%C3%BC+50%25+%231")
	b.Expect("404 (Not Found)")
	b.Wait("it is there", status+` === "finished"`)
	path, away := filepath.Join(runs, "my run ü 50% #1"), filepath.Join(runs, "other")
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	b.Wait("it is gone", status+` === "gone"`)
	if n := value[int](b, `document.querySelectorAll(".run-view .actions button:not(:disabled)").length`); n != 0 {
		t.Errorf("%d buttons can be pressed", n)
	}
	b.Picture("gone")
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	b.Wait("it is there again", status+` === "finished" && document.querySelector('.run-view [data-part="problem"]').hidden`)
}

// A model that came while another tab was shown can be chosen.
func TestNewModel(t *testing.T) {
	origin, runs := startWith(t, "here")
	b := openDrawn(t, origin, "/#draw?model=mnist&count=1&steps=1")
	b.Expect("404 (Not Found)") // of the run that is renamed while it is opened
	b.Click("#tab-runs")
	b.Wait("runs are listed", `document.querySelector(".run-view")`)
	if err := os.Rename(filepath.Join(runs, "here"), filepath.Join(runs, "new")); err != nil {
		t.Fatal(err)
	}
	b.Click("#tab-draw")
	b.Wait("the new one is offered", `[...document.querySelector("#model").options].some(({ value }) => value === "runs/new")`)
	if got := value[string](b, `document.querySelector("#model").value`); got != "mnist" {
		t.Errorf("%s is chosen, want what was chosen before", got)
	}
}
