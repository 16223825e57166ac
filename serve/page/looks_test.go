//go:build !js

package page_test

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Nothing is cut off on the narrowest phones: no part of the page scrolls sideways.
func TestPhone(t *testing.T) {
	b := open(t, serveAll(t), "/#draw?count=4", chromedp.EmulateViewport(320, 640, chromedp.EmulateScale(2)))
	b.Wait("images are drawn", drawn+` === 4 && `+idle)
	b.NotWide("the tab that draws")
	b.Picture("draw")
	value[chromedp.Void](b, `document.querySelector("#grid").scrollIntoView()`)
	b.Picture("grid")
	b.Click("#grid button")
	b.Wait("the panel is open", `document.querySelector("#panel").open`)
	for _, tool := range []string{"vary", "interpolate", "inpaint", "likelihood"} {
		b.Click("#tool-" + tool)
		over := value[int](b, `(() => { const body = document.querySelector(".panel-body");
			return body.scrollWidth - body.clientWidth; })()`)
		if over > 0 {
			t.Errorf("the panel with %s is %d pixels too wide", tool, over)
		}
	}
	b.Picture("panel")
	b.Press(kb.Escape)
	b.Click("#tab-runs")
	b.Wait("runs are listed", `document.querySelector(".run-view")`)
	b.NotWide("the tab of runs")
	b.Picture("runs")
	b.Click("#start-open")
	b.Wait("the dialog is open", `document.querySelector("#start").open`)
	b.NotWide("the dialog")
	b.Picture("start")
}

// The page is dark where the system is, or where a person asks for it, and keeps that.
func TestDark(t *testing.T) {
	const paper = `getComputedStyle(document.body).backgroundColor`
	b := openDrawn(t, serveAll(t), "/")
	light := value[string](b, paper)
	b.Set("#theme", "dark")
	dark := value[string](b, paper)
	if light == dark {
		t.Fatalf("both are %s", dark)
	}
	b.Do(chromedp.Reload())
	b.Wait("images are drawn", drawn+` === 8 && `+idle)
	if got := value[string](b, paper); got != dark {
		t.Errorf("after a reload: %s, want %s", got, dark)
	}
	b.Picture("chosen")
	b.Set("#theme", "")
	if got := value[string](b, paper); got != light {
		t.Errorf("as the system has it: %s, want %s", got, light)
	}
	b.Media("prefers-color-scheme", "dark")
	if got := value[string](b, paper); got != dark {
		t.Errorf("on a dark system: %s, want %s", got, dark)
	}
}

// All texts stand out from their ground.
func TestContrast(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?count=2")
	for _, theme := range []string{"light", "dark"} {
		b.Set("#theme", theme)
		for _, part := range []string{"draw", "runs"} {
			b.Click("#tab-" + part)
			if part == "runs" {
				b.Wait("runs are listed", `document.querySelector(".run-view .figures dt")`)
			}
			for _, faint := range b.Faint() {
				t.Errorf("%s, %s: %s", theme, part, faint)
			}
		}
	}
}

// The Tab key reaches each control, with a mark that is seen, and arrow keys change the tabs.
func TestKeyboard(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?count=2")
	var reached []string
	for range 60 {
		b.Press(kb.Tab)
		at := value[string](b, `(() => { const e = document.activeElement;
			const seen = getComputedStyle(e).outlineStyle !== "none" ||
				(e.nextElementSibling && getComputedStyle(e.nextElementSibling).outlineStyle !== "none");
			return (e.id || e.closest("[id]")?.id || "") + (seen || e === document.body ? "" : " unseen"); })()`)
		reached = append(reached, at)
		if at == "upload" {
			break
		}
	}
	for _, id := range []string{
		"tab-draw", "theme", "model", "chips", "count", "seed", "steps", "guidance", "solver",
		"draw-button", "dice", "upload", "grid", "way", "scale", "downloads", "copy-command",
	} {
		if !slices.Contains(reached, id) {
			t.Errorf("Tab does not reach %s: %v", id, reached)
		}
	}
	b.Do(chromedp.Focus(chromedp.CSS("#tab-draw")))
	b.Press(kb.ArrowRight)
	if got := value[string](b, focused+` + " " + location.hash.slice(0, 5)`); got != "tab-runs #runs" {
		t.Errorf("the right arrow leads to %q", got)
	}
	b.Press(kb.ArrowRight)
	if got := value[string](b, focused); got != "tab-draw" {
		t.Errorf("and again to %q, want the first", got)
	}
}

// Each control and image has a name for screen readers, and the regions of the page have theirs.
func TestNames(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?count=2")
	b.Click("#grid button")
	b.Wait("the panel is open", `document.querySelector("#panel").open`)
	for _, part := range []string{"draw", "runs"} {
		if part == "runs" {
			b.Press(kb.Escape)
			b.Click("#tab-runs")
			b.Wait("runs are listed", `document.querySelector(".run-view .figures dt")`)
		}
		for _, nameless := range value[[]string](b, `[...document.querySelectorAll(
			"button, input, select, a, [role=img], dialog, [role=tabpanel], section")]
			.filter((e) => e.checkVisibility() && e.computedName === "" || e.checkVisibility() && name(e) === "")
			.map((e) => e.outerHTML.slice(0, 120));
			function name(e) {
				const by = (e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id));
				return [e.getAttribute("aria-label"), ...by.map((l) => l?.textContent),
					...[...(e.labels ?? [])].map((l) => l.textContent), e.matches("button, a") ? e.textContent : "",
					...[...e.querySelectorAll("img")].map((i) => i.alt),
					...[...(e.labels ?? [])].flatMap((l) => [...l.querySelectorAll("img")]).map((i) => i.alt),
					e.matches("section[data-part]") ? "part" : ""].join("").trim();
			}`) {
			t.Errorf("%s: nameless: %s", part, nameless)
		}
	}
}

// Nothing moves while images come: their places are laid before.
func TestNothingMoves(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?count=4")
	value[chromedp.Void](b, `window.moved = 0; new PerformanceObserver((list) => {
		for (const entry of list.getEntries()) window.moved += entry.value;
	}).observe({ type: "layout-shift" })`)
	b.Click("#dice")
	b.Wait("the next images are drawn", `!`+idle+` || true`)
	b.Wait("the next images are drawn", drawn+` === 4 && `+idle)
	if moved := value[float64](b, `window.moved`); moved > 0.01 {
		t.Errorf("the layout shifted by %v", moved)
	}
}

// drag moves the mouse through points, pressed.
func (b *tab) drag(points [][2]float64) {
	b.Helper()
	first, last := points[0], points[len(points)-1]
	steps := []chromedp.Action[chromedp.Void]{chromedp.MouseEvent("mousePressed", first[0], first[1], chromedp.ButtonLeft)}
	for _, p := range points[1:] {
		steps = append(steps, chromedp.MouseEvent("mouseMoved", p[0], p[1], chromedp.ButtonLeft))
	}
	b.Do(append(steps, chromedp.MouseEvent("mouseReleased", last[0], last[1], chromedp.ButtonLeft))...)
}
