//go:build !js

package browsertest

import (
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// wide is how far the page can be scrolled sideways.
const wide = `document.documentElement.scrollWidth - document.documentElement.clientWidth`

// NotWide fails the test where the page is wider than its window.
func (b *Tab) NotWide(what string) {
	b.Helper()
	if over := Value[int](b, wide); over > 0 {
		b.Errorf("%s is %d pixels too wide; the widest: %s", what, over, Value[string](b, `
			[...document.querySelectorAll("main *")].sort((a, b) =>
				b.getBoundingClientRect().right - a.getBoundingClientRect().right)[0].outerHTML.slice(0, 200)`))
	}
}

// Media sets what a style sheet asks the system.
func (b *Tab) Media(name, v string) {
	b.Helper()
	features := []*emulation.MediaFeature{{Name: name, Value: v}}
	if _, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
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

// Faint returns the texts that are seen and do not stand out from their ground.
func (b *Tab) Faint() []string {
	b.Helper()
	return Value[[]string](b, contrast)
}
