//go:build !js

package web

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fmimg/fmimg/internal/browsertest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// built is the folder of the page, as make wasm writes it, and what went wrong with that.
var built struct {
	once   sync.Once
	folder string
	err    error
}

// TestMain runs the tests with a browser and a page that it ends behind them.
func TestMain(m *testing.M) {
	defer func() { os.RemoveAll(built.folder) }()
	browsertest.Run(m)
}

// site returns the address of a server of files with the page, below a folder as on GitHub Pages.
func site(t *testing.T) string {
	t.Helper()
	browsertest.Need(t)
	if testing.Short() {
		t.Skip("draws for some seconds in a browser, which is no program of ours")
	}
	built.once.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "site"); built.err != nil { //nolint:usetesting // several tests share it
			return
		}
		out, err := exec.Command("make", "-C", "..", "wasm", "SITE="+filepath.Join(built.folder, "fmimg")).CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("make wasm: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	// Servers differ in the types of files: this one knows of WebAssembly nothing.
	files := http.FileServer(http.Dir(built.folder))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := path.Ext(r.URL.Path); name == ".gzip" || name == ".safetensors" {
			w.Header().Set("Content-Type", "application/octet-stream")
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const drawn = `document.querySelector("#status").textContent.startsWith("Drawn")`

// openDrawn opens the page and waits until it has drawn what its address asks for.
func openDrawn(t *testing.T, address string, first ...chromedp.Action[chromedp.Void]) *browsertest.Tab {
	t.Helper()
	b := browsertest.Open(t, site(t), address, first...)
	b.Wait("digits are drawn", drawn)
	return b
}

// pixels returns the gray pixels of each image that a CSS selector finds.
func pixels(b *browsertest.Tab, selector string) (images [][]byte) {
	b.Helper()
	for _, text := range browsertest.Value[[]string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((image) => {
		const canvas = document.createElement("canvas");
		[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
		const context = canvas.getContext("2d");
		context.drawImage(image, 0, 0);
		const all = context.getImageData(0, 0, canvas.width, canvas.height).data;
		return btoa(String.fromCharCode(...all.filter((_, i) => i %% 4 === 0)));
	})`, selector)) {
		image, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			b.Fatal(err)
		}
		images = append(images, image)
	}
	return images
}

// near reports whether two images are the same. Plain Go computes alike in WebAssembly and on
// amd64; elsewhere it may fuse products and sums, and a rounding may fall on the other side.
func near(a, b []byte) bool {
	if runtime.GOARCH == "amd64" {
		return slices.Equal(a, b)
	}
	for i := range a {
		if d := int(a[i]) - int(b[i]); d < -1 || d > 1 {
			return false
		}
	}
	return len(a) == len(b)
}

// The page draws what the command draws, and shows each state before it.
func TestPageDrawsAsSample(t *testing.T) {
	b := openDrawn(t, "/fmimg/#class=7&seed=11&steps=2")
	b.Picture("one")
	o := sample.Options{Count: 1, Seed: 11, Class: "7", Method: model.Method{Steps: 2}, Threads: 1}
	states, images := drawnBy(t, kernels.Generic, o)
	if got := pixels(b, "#grid img"); len(got) != 1 || !near(got[0], Bytes(images.Pixels)) {
		t.Error("another digit than that of package sample")
	}
	shown := pixels(b, "#states img")
	if len(shown) != len(states) {
		t.Fatalf("%d states, want %d", len(shown), len(states))
	}
	for i, state := range states {
		if !near(shown[i], Bytes(state)) {
			t.Errorf("another state %d than that of package sample", i)
		}
	}
	captions := browsertest.Value[string](b, `[...document.querySelectorAll("#states span")].map((s) => s.textContent).join()`)
	if captions != "t = 0,t = 0.5,t = 1" {
		t.Errorf("the states are at %s", captions)
	}
	const command = "fmimg generate --model mnist-fast --class 7 --count 1 --seed 11 --steps 2 --isa generic --out digits.png"
	if got := browsertest.Value[string](b, `document.querySelector("#command").textContent`); got != command {
		t.Errorf("the command is %q", got)
	}
	// A link in the same tab is followed.
	browsertest.Value[string](b, `location.hash = "#class=2&seed=4&steps=1"`)
	b.Wait("the link is followed", `document.querySelector("#command").textContent.includes("--class 2 --count 1 --seed 4 --steps 1")`)
}

// A digit of each class is one picture of the same seed, in the order of the command.
func TestPageDrawsAll(t *testing.T) {
	b := openDrawn(t, "/fmimg/#class=all&seed=3&steps=1")
	b.Picture("all")
	o := sample.Options{Count: 10, Seed: 3, Class: "0-9", Method: model.Method{Steps: 1}, Threads: 1}
	_, images := drawnBy(t, kernels.Generic, o)
	got := pixels(b, "#grid img")
	if len(got) != 10 {
		t.Fatalf("%d digits", len(got))
	}
	for i, image := range got {
		if !near(image, Bytes(images.Slice(i, i+1).Pixels)) {
			t.Errorf("another %d than that of package sample", i)
		}
	}
	b.Click("#grid li:nth-child(4) button")
	if shown := pixels(b, "#states img"); !slices.Equal(shown[1], got[3]) {
		t.Error("the states are not those of the digit that was clicked")
	}
}

// The page answers while the worker draws: a drawing can be stopped, and replaced by another.
func TestPageStaysAlive(t *testing.T) {
	b := openDrawn(t, "/fmimg/#class=0&seed=1&steps=1")
	b.Click("#chips label:last-child input")
	b.Set("#steps", "4")
	b.Click("#draw-button")
	b.Wait("a first state is there", `document.querySelectorAll("#grid img[src]").length > 0`)
	b.Click("#stop")
	b.Wait("it says that it stopped", `document.querySelector("#status").textContent.startsWith("Stopped")`)
	if browsertest.Value[bool](b, `document.querySelectorAll("#grid button:not(:disabled)").length === 10`) {
		t.Error("it drew all, and did not stop")
	}
	b.Click("#draw-button")
	b.Click("#chips label:nth-child(9) input")
	b.Set("#steps", "1")
	b.Click("#draw-button")
	b.Wait("the last one is drawn", drawn)
	if got := browsertest.Value[string](b, `document.querySelector("#grid img").alt`); got != "a drawn 8" {
		t.Errorf("it drew %q", got)
	}
}

// The slider leads from noise to digit, by keys too.
func TestPageWay(t *testing.T) {
	b := openDrawn(t, "/fmimg/#class=3&steps=4")
	b.Do(chromedp.Focus(chromedp.CSS("#way")))
	b.Press(kb.Home)
	const told = `document.querySelector("#way").getAttribute("aria-valuetext") + " | " + document.querySelector("#grid img").alt`
	if got := browsertest.Value[string](b, told); got != "noise | noise, which becomes a 3" {
		t.Errorf("at the begin: %s", got)
	}
	b.Press(kb.ArrowRight)
	if got := browsertest.Value[string](b, told); got != "step 1 of 4 | a 3 after step 1 of 4" {
		t.Errorf("a step on: %s", got)
	}
	if at := browsertest.Value[int](b, `[...document.querySelectorAll("#states li")].findIndex((s) => s.ariaCurrent === "true")`); at != 1 {
		t.Errorf("state %d is marked", at)
	}
}

// A seed that cannot be used is told at its control, and nothing is drawn.
func TestPageRefusesSeed(t *testing.T) {
	b := openDrawn(t, "/fmimg/#class=1&steps=1")
	for _, seed := range []string{"", "-1", "1.5", "9007199254740992"} {
		b.Set("#seed", seed)
		b.Click("#draw-button")
		b.Wait("it says what is wrong", `!document.querySelector("#seed-problem").hidden && document.activeElement.id === "seed"`)
		b.Set("#seed", "4")
		b.Click("#draw-button")
		b.Wait("it draws again", `document.querySelector("#seed-problem").hidden && `+drawn)
	}
}

// The page says which file is missing.
func TestPageWithoutModel(t *testing.T) {
	site(t)
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".safetensors") {
			http.NotFound(w, r)
			return
		}
		http.FileServer(http.Dir(built.folder)).ServeHTTP(w, r)
	}))
	defer gone.Close()
	b := browsertest.Open(t, gone.URL, "/fmimg/")
	b.Expect("404")
	b.Wait("it says so", `document.querySelector("#problem").textContent === "mnist-fast.safetensors: the server says 404"`)
}

// The page is right for narrow phones, on dark systems, for keyboards and for screen readers.
func TestPageLooks(t *testing.T) {
	b := openDrawn(t, "/fmimg/#class=all&steps=1", chromedp.EmulateViewport(320, 640, chromedp.EmulateScale(2)))
	b.NotWide("the page on a phone")
	b.Picture("phone")
	for _, theme := range []string{"light", "dark"} {
		b.Set("#theme", theme)
		for _, faint := range b.Faint() {
			t.Errorf("%s: %s", theme, faint)
		}
	}
	b.Picture("phone-dark")
	browsertest.Value[chromedp.Void](b, `document.querySelector("#way").scrollIntoView()`)
	b.Picture("phone-below")
	var reached []string
	for range 40 {
		b.Press(kb.Tab)
		reached = append(reached, browsertest.Value[string](b, `document.activeElement.id || document.activeElement.closest("[id]")?.id || ""`))
	}
	for _, id := range []string{"theme", "chips", "seed", "steps", "draw-button", "dice", "grid", "way", "save", "command", "copy-command"} {
		if !slices.Contains(reached, id) {
			t.Errorf("Tab does not reach %s: %v", id, reached)
		}
	}
	for _, nameless := range browsertest.Value[[]string](b, `[...document.querySelectorAll("button, input, select, section, form, ol, #grid")]
		.filter((e) => e.checkVisibility() && ![e.ariaLabel, e.getAttribute("aria-labelledby"), e.textContent.trim(),
			...[...(e.labels ?? [])].map((l) => l.textContent), ...[...e.querySelectorAll("img")].map((i) => i.alt)].some(Boolean))
		.map((e) => e.outerHTML.slice(0, 120))`) {
		t.Errorf("nameless: %s", nameless)
	}
}
