package page_test

import (
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
	b.click("#start-open")
	b.wait("data can be chosen", `document.querySelector("#start-data").options.length > 0`)
	b.set("#start-data", "stripes")
	b.set("#start-name", "mine")
	b.set("#start-preset", "tiny")
	b.set("#start-size", "8")
	b.set("#start-batch", "4")
	b.set("#start-steps", "100000")
	b.picture("start")
	b.click("#start .primary")
	b.wait("it trains", status+` === "training"`)
	b.wait("its curve grows", lines+` > 0 && /step (\d+)/.exec(document.querySelector("#plot-values").textContent)?.[1] > 20`)
	b.picture("training")
	b.click(`[data-part="stop"]`)
	b.wait("it is stopped", status+` === "stopped"`)
	b.click(`[data-part="delete"]`)
	b.wait("the name is asked for", `document.querySelector("#remove").open`)
	b.do(chromedp.SendKeys(chromedp.CSS("#remove-name"), "min"))
	if !value[bool](b, `document.querySelector("#remove-button").disabled`) {
		t.Error("half of the name is enough to delete a run")
	}
	b.do(chromedp.SendKeys(chromedp.CSS("#remove-name"), "e"))
	b.picture("delete")
	b.click("#remove-button")
	b.wait("it is gone", `![...document.querySelectorAll(".run b")].some((name) => name.textContent === "mine")`)
}

// Two runs stand side by side, in one plot, which the address says.
func TestTwoRuns(t *testing.T) {
	b := open(t, serveAll(t), "/#runs?run=digits&with=smaller")
	b.wait("both are there", `document.querySelectorAll(".run-view .figures dt").length > 10`)
	b.wait("all curves are drawn", lines+` === 4`)
	b.picture("light")
	b.click("#plot-log")
	b.do(chromedp.Focus(chromedp.CSS("#plot")))
	b.press(kb.Home)
	words := value[string](b, `document.querySelector("#plot-values").textContent`)
	if strings.Count(words, "loss") != 2 || !strings.Contains(words, "at step 1") {
		t.Errorf("the values at the first step are %q", words)
	}
	b.set("#theme", "dark")
	b.picture("dark")
	b.set("#beside", "")
	b.wait("one is left", `document.querySelectorAll(".run-view").length === 1`)
	if got := value[string](b, address); got != "#runs?run=digits" {
		t.Errorf("the address says %s", got)
	}
}
