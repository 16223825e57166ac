//go:build !js

package page_test

import (
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// wide is how far the page can be scrolled sideways.
const wide = `document.documentElement.scrollWidth - document.documentElement.clientWidth`

// Nothing is cut off on the narrowest phones: no part of the page scrolls sideways.
func TestPhone(t *testing.T) {
	b := open(t, serveAll(t), "/#draw?count=4", chromedp.EmulateViewport(320, 640, chromedp.EmulateScale(2)))
	b.wait("images are drawn", drawn+` === 4 && `+idle)
	b.notWide("the tab that draws")
	b.picture("draw")
	value[chromedp.Void](b, `document.querySelector("#grid").scrollIntoView()`)
	b.picture("grid")
	b.click("#grid button")
	b.wait("the panel is open", `document.querySelector("#panel").open`)
	for _, tool := range []string{"vary", "interpolate", "inpaint", "likelihood"} {
		b.click("#tool-" + tool)
		over := value[int](b, `(() => { const body = document.querySelector(".panel-body");
			return body.scrollWidth - body.clientWidth; })()`)
		if over > 0 {
			t.Errorf("the panel with %s is %d pixels too wide", tool, over)
		}
	}
	b.picture("panel")
	b.press(kb.Escape)
	b.click("#tab-runs")
	b.wait("runs are listed", `document.querySelector(".run-view")`)
	b.notWide("the tab of runs")
	b.picture("runs")
	b.click("#start-open")
	b.wait("the dialog is open", `document.querySelector("#start").open`)
	b.notWide("the dialog")
	b.picture("start")
}

// notWide fails the test where the page is wider than its window.
func (b *tab) notWide(what string) {
	b.Helper()
	if over := value[int](b, wide); over > 0 {
		b.Errorf("%s is %d pixels too wide; the widest: %s", what, over, value[string](b, `
			[...document.querySelectorAll("main *")].sort((a, b) =>
				b.getBoundingClientRect().right - a.getBoundingClientRect().right)[0].outerHTML.slice(0, 200)`))
	}
}

// The page is dark where the system is, or where a person asks for it, and keeps that.
func TestDark(t *testing.T) {
	const paper = `getComputedStyle(document.body).backgroundColor`
	b := openDrawn(t, serveAll(t), "/")
	light := value[string](b, paper)
	b.set("#theme", "dark")
	dark := value[string](b, paper)
	if light == dark {
		t.Fatalf("both are %s", dark)
	}
	b.do(chromedp.Reload())
	b.wait("images are drawn", drawn+` === 8 && `+idle)
	if got := value[string](b, paper); got != dark {
		t.Errorf("after a reload: %s, want %s", got, dark)
	}
	b.picture("chosen")
	b.set("#theme", "")
	if got := value[string](b, paper); got != light {
		t.Errorf("as the system has it: %s, want %s", got, light)
	}
	b.media("prefers-color-scheme", "dark")
	if got := value[string](b, paper); got != dark {
		t.Errorf("on a dark system: %s, want %s", got, dark)
	}
}

// media sets what a style sheet asks the system.
func (b *tab) media(name, v string) {
	b.Helper()
	features := []*emulation.MediaFeature{{Name: name, Value: v}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		b.Fatal(err)
	}
}

// contrast computes for each text that is seen how much it stands out, as WCAG 2.2 defines it, and
// returns those below 4.5. Controls that are disabled are exempt there.
const contrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const numbers = (colour) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
		.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = (e) => {
		for (; e; e = e.parentElement) {
			const colour = numbers(getComputedStyle(e).backgroundColor);
			if (colour[3] === 255) return colour;
		}
		return [255, 255, 255, 255];
	};
	return [...document.querySelectorAll("body *")].filter((e) =>
		e.checkVisibility() && !e.matches(":disabled, [aria-disabled=true], :disabled *") &&
		[...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")
	).map((e) => {
		const style = getComputedStyle(e);
		const [a, b] = [light(numbers(e instanceof SVGElement ? style.fill : style.color)), light(ground(e))];
		return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 100)];
	}).filter(([ratio]) => ratio < 4.5).map(([ratio, html]) => ratio.toFixed(2) + " " + html);
})()`

// All texts stand out from their ground.
func TestContrast(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?count=2")
	for _, theme := range []string{"light", "dark"} {
		b.set("#theme", theme)
		for _, part := range []string{"draw", "runs"} {
			b.click("#tab-" + part)
			if part == "runs" {
				b.wait("runs are listed", `document.querySelector(".run-view .figures dt")`)
			}
			for _, faint := range value[[]string](b, contrast) {
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
		b.press(kb.Tab)
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
	b.do(chromedp.Focus(chromedp.CSS("#tab-draw")))
	b.press(kb.ArrowRight)
	if got := value[string](b, focused+` + " " + location.hash.slice(0, 5)`); got != "tab-runs #runs" {
		t.Errorf("the right arrow leads to %q", got)
	}
	b.press(kb.ArrowRight)
	if got := value[string](b, focused); got != "tab-draw" {
		t.Errorf("and again to %q, want the first", got)
	}
}

// Each control and image has a name for screen readers, and the regions of the page have theirs.
func TestNames(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?count=2")
	b.click("#grid button")
	b.wait("the panel is open", `document.querySelector("#panel").open`)
	for _, part := range []string{"draw", "runs"} {
		if part == "runs" {
			b.press(kb.Escape)
			b.click("#tab-runs")
			b.wait("runs are listed", `document.querySelector(".run-view .figures dt")`)
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
	b.click("#dice")
	b.wait("the next images are drawn", `!`+idle+` || true`)
	b.wait("the next images are drawn", drawn+` === 4 && `+idle)
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
	b.do(append(steps, chromedp.MouseEvent("mouseReleased", last[0], last[1], chromedp.ButtonLeft))...)
}
