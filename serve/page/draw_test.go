//go:build !js

package page_test

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What scripts of the tests ask the page.
const (
	drawn    = `document.querySelectorAll("#grid button:not(:disabled)").length`
	idle     = `document.querySelector("#cancel").disabled`
	firstURL = `document.querySelector("#grid img").src`
	results  = `document.querySelectorAll("#results button:not(:disabled)").length`
	edited   = `document.querySelector("#edit-cancel").disabled`
	address  = `location.hash`
	focused  = `document.activeElement.id`
)

// openDrawn opens the page, and waits until its first images are there.
func openDrawn(t *testing.T, origin, path string) *tab {
	t.Helper()
	b := open(t, origin, path)
	b.Wait("the first images are drawn", drawn+` > 0 && `+idle)
	return b
}

// A slider leads from the images back to their noise.
func TestWay(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?model=mnist")
	b.Picture("light")
	if n := value[int](b, drawn); n != 8 {
		t.Errorf("%d images, want 8", n)
	}
	last := value[string](b, firstURL)
	b.Do(chromedp.Focus(chromedp.CSS("#way")))
	b.Press(kb.Home)
	noise := value[string](b, firstURL)
	b.Picture("noise")
	b.Press(kb.ArrowRight, kb.ArrowRight)
	between := value[string](b, firstURL)
	if noise == last || between == last || noise == between {
		t.Error("the states of the way do not differ")
	}
	if got := value[string](b, `document.querySelector("#way-step").textContent`); got != "step 2 of 8" {
		t.Errorf("the slider is at %q, want step 2 of 8", got)
	}
	b.Press(kb.End)
	if value[string](b, firstURL) != last {
		t.Error("the end of the way is not the image")
	}
}

// What is chosen is drawn, stands in the address, and is there again after a reload.
func TestSettings(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?model=mnist")
	b.chip("3")
	b.chip("6")
	b.Set("#count", "4")
	b.Set("#seed", "7")
	b.Set("#solver", "euler")
	b.Click("#draw-button")
	b.Wait("the four images are there", drawn+` === 4 && `+idle)
	alts := value[[]string](b, `[...document.querySelectorAll("#grid img")].map((image) => image.alt)`)
	if got, want := strings.Join(alts, "; "), "Image 1: 3; Image 2: 6; Image 3: 3; Image 4: 6"; got != want {
		t.Errorf("drawn: %s; want %s", got, want)
	}
	place := value[string](b, address)
	if want := "#draw?model=mnist&classes=3%2C6&count=4&seed=7&solver=euler"; place != want {
		t.Errorf("the address says %s, want %s", place, want)
	}
	if got := value[string](b, `document.querySelector("#command").textContent`); got != commandLine {
		t.Errorf("the command line is %q, want %q", got, commandLine)
	}
	before := value[string](b, firstURL)
	b.Do(chromedp.Reload())
	b.Wait("the four images are there again", drawn+` === 4 && `+idle)
	if value[string](b, firstURL) != before {
		t.Error("a reload shows other images")
	}
	b.Click("#dice")
	b.Wait("a new seed is drawn", idle+` && `+address+` !== `+fmt.Sprintf("%q", place))
	b.Wait("another image", firstURL+` !== `+fmt.Sprintf("%q", before))
}

// chip clicks the chip of a class.
func (b *tab) chip(class string) {
	b.Helper()
	value[chromedp.Void](b, fmt.Sprintf(
		`[...document.querySelectorAll("#chips label")].find((chip) => chip.textContent === %q).click()`, class))
}

// What the server finds wrong stands next to its control.
func TestProblemAtItsControl(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/")
	b.Expect("400 (Bad Request)")
	b.Set("#steps", "100001")
	b.Click("#draw-button")
	problem := `document.querySelector("[data-param~=steps] .problem").textContent`
	b.Wait("the problem is shown", problem+` !== ""`)
	if got := value[string](b, focused); got != "steps" {
		t.Errorf("the focus is at %s, want steps", got)
	}
	if value[string](b, `document.querySelector("#steps").getAttribute("aria-invalid")`) != "true" {
		t.Error("screen readers do not hear that steps is wrong")
	}
	b.Picture("problem")
	b.Set("#steps", "2")
	b.Click("#draw-button")
	b.Wait("the images are drawn", idle+` && `+drawn+` === 8 && `+problem+` === ""`)
}

// A model that draws in few evaluations has its own numbers of steps, and edits nothing.
func TestOtherModel(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?model=mnist-fast&count=4&steps=2")
	if got := value[string](b, `document.querySelector("#steps-choice").value`); got != "2" {
		t.Errorf("%q steps are chosen, want 2", got)
	}
	if got := value[string](b, `document.querySelector("#way").max`); got != "2" {
		t.Errorf("the way has %s steps, want 2", got)
	}
	b.Click("#grid button")
	b.Wait("the panel says what cannot be done", `document.querySelector("#tools-missing").textContent.includes("mnist-fast")`)
}

// openPanel opens the page and the panel of its first image, with a tool.
func openPanel(t *testing.T, tool string) *tab {
	t.Helper()
	b := openDrawn(t, serveAll(t), "/#draw?model=mnist&classes=7&count=2&seed=5")
	b.Click("#grid button")
	b.Wait("the panel is open", `document.querySelector("#panel").open`)
	b.Click("#tool-" + tool)
	b.Set("#edit-count", "2")
	return b
}

func TestVary(t *testing.T) {
	b := openPanel(t, "vary")
	b.Click("#edit-button")
	b.Wait("two variations", results+` === 2 && `+edited)
	b.Picture("panel")
	b.Click("#results button")
	b.Wait("a result is the subject", `!document.querySelector("#panel-back").hidden`)
	b.Click("#panel-back")
	b.Wait("the first subject is back", `document.querySelector("#panel-back").hidden`)
	b.Press(kb.Escape)
	b.Wait("Escape closes the panel", `!document.querySelector("#panel").open`)
}

func TestInterpolate(t *testing.T) {
	b := openPanel(t, "interpolate")
	b.Click("#edit-button")
	b.Wait("the other image is asked for",
		`document.querySelector("#interpolate .problem").textContent.includes("other image")`)
	b.Click("#others li:nth-child(2) input")
	b.Click("#edit-button")
	b.Wait("two images", results+` === 2 && `+edited)
	b.Picture("panel")
}

// A part that the mouse painted is drawn anew.
func TestPaint(t *testing.T) {
	b := openPanel(t, "inpaint")
	b.Click("#edit-button")
	b.Wait("paint is asked for", `document.querySelector("#inpaint .problem").textContent.includes("Paint")`)
	box := value[map[string]float64](b, `document.querySelector("#mask").getBoundingClientRect().toJSON()`)
	at := func(x, y float64) (float64, float64) { return box["x"] + x*box["width"], box["y"] + y*box["height"] }
	b.drag([][2]float64{pair(at(0.2, 0.8)), pair(at(0.8, 0.8)), pair(at(0.8, 0.6)), pair(at(0.3, 0.6))})
	share := `Number.parseInt(document.querySelector("#mask-share").textContent)`
	if got := value[int](b, share); got < 10 || got > 40 {
		t.Errorf("%d %% is painted, want about 20", got)
	}
	b.Set("#times", "1")
	b.Click("#edit-button")
	b.Wait("two images", results+` === 2 && `+edited)
	b.Picture("panel")
}

func pair(x, y float64) [2]float64 { return [2]float64{x, y} }

// A mask is painted with the keyboard too: halves, and cells.
func TestPaintByKeyboard(t *testing.T) {
	b := openPanel(t, "inpaint")
	text := func() string { return value[string](b, `document.querySelector("#mask-share").textContent`) }
	b.Do(chromedp.Focus(chromedp.CSS(`[data-half="lower"]`)))
	b.Press(" ")
	if got := text(); got != "50 % of the image is painted." {
		t.Errorf("after the lower half: %s", got)
	}
	b.Do(chromedp.Focus(chromedp.CSS("#mask-clear")))
	b.Press(" ")
	b.Do(chromedp.Focus(chromedp.CSS("#inpaint summary")))
	b.Press(" ", kb.Tab, kb.ArrowDown, kb.ArrowRight, " ", kb.ArrowRight, " ")
	if got := text(); got != "4 % of the image is painted." { // 2 of 49 cells
		t.Errorf("after two cells: %s", got)
	}
	b.Picture("cells")
}

func TestLikelihood(t *testing.T) {
	b := openPanel(t, "likelihood")
	b.Click("#edit-button")
	b.Wait("a number of bits", `/\d bits per dimension/.test(document.querySelector("#edit-status").textContent)`)
}

// A picture of one's own is cut to the model's proportions and can be edited.
func TestUpload(t *testing.T) {
	wide := image.NewGray(image.Rect(0, 0, 120, 60))
	for y := range 60 {
		wide.SetGray(60, y, color.Gray{255})
	}
	name := filepath.Join(t.TempDir(), "own.png")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(file, wide); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	b := openDrawn(t, serveAll(t), "/#draw?count=2")
	b.Do(chromedp.SetUploadFiles(chromedp.CSS("#upload"), []string{name}))
	b.Wait("the panel is open", `document.querySelector("#panel").open && document.querySelector("#subject").complete`)
	if got := value[string](b, `document.querySelector("#subject").naturalWidth + "x" +
		document.querySelector("#subject").naturalHeight`); got != "60x60" {
		t.Errorf("the picture is %s, want its middle, 60x60", got)
	}
	b.Picture("panel")
	b.Set("#edit-count", "2")
	b.Click("#edit-button")
	b.Wait("two variations", results+` === 2 && `+edited)
}

// A job that is cancelled ends, and the next one is drawn. The whole job would take minutes.
func TestCancel(t *testing.T) {
	b := openDrawn(t, serveAll(t), "/#draw?model=mnist&count=2")
	b.Set("#count", "64")
	b.Set("#steps", "400")
	b.Click("#draw-button")
	b.Wait("it draws", `!`+idle)
	b.Click("#cancel")
	b.Wait("it was cancelled", idle+` && document.querySelector("#draw-status").textContent.startsWith("Cancelled")`)
	b.Set("#count", "2")
	b.Set("#steps", "2")
	b.Click("#draw-button")
	b.Wait("the next images", idle+` && `+drawn+` === 2`)
}

// What an address asks for and the server does not have is said, and nothing else is drawn instead.
func TestNotThere(t *testing.T) {
	for _, c := range []struct{ address, param, words string }{
		{"model=runs/gone&count=2", "model", "no model runs/gone"},
		{"model=mnist&classes=3,zebra&count=2", "classes", "no class zebra"},
		{"model=mnist&solver=magic&count=2", "solver", "solver magic"},
		{"model=mnist-fast&steps=3&count=2", "steps", "steps 3"},
	} {
		b := open(t, serveAll(t), "/#draw?"+c.address)
		said := fmt.Sprintf(`document.querySelector("[data-param~=%s] .problem").textContent`, c.param)
		b.Wait("it is said", said+` !== ""`)
		if got := value[string](b, said); !strings.Contains(got, c.words) {
			t.Errorf("%s: %q does not say %q", c.address, got, c.words)
		}
		if n := value[int](b, `document.querySelectorAll("#grid li").length`); n != 0 {
			t.Errorf("%s: %d images are drawn", c.address, n)
		}
		b.Click("#draw-button")
		b.Wait("it can be drawn all the same", drawn+` === 2 && `+idle)
	}
}
