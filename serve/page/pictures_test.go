//go:build !js

package page_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"image"
	"image/draw"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestPictures draws the pictures of README.md into the folder that FMIMG_TEST_PAGE_PICTURES names,
// from the program at FMIMG_TEST_PROGRAM, whose page names command lines. One picture shows a
// training of some hundred steps while it goes on, which takes minutes.
func TestPictures(t *testing.T) {
	folder := os.Getenv("FMIMG_TEST_PAGE_PICTURES")
	if folder == "" {
		t.Skip("SKIPPED: FMIMG_TEST_PAGE_PICTURES names no folder for the pictures of README.md")
	}
	runs := t.TempDir()
	copyRuns(t, runs, "stripes")
	origin := startProgram(t, os.Getenv("FMIMG_TEST_PROGRAM"), runs)
	b := open(t, origin, "/#draw?model=mnist&classes=0,1,2,3,4,5,6,7,8,9&count=10&seed=5&guidance=1.5", size(1200, 720))
	b.Wait("the digits are drawn", drawn+` === 10 && `+idle)
	b.keep(filepath.Join(folder, "serve-draw.png"))

	trainUntil(t, origin, `{"data": "mnist", "name": "mnist", "preset": "tiny", "size": 14, "batch": 16, "steps": 2000}`, 420)
	b = open(t, origin, "/#runs?run=mnist", size(1200, 1040))
	b.Wait("the run is shown", lines+` > 0 && document.querySelector('[data-part="preview"]').naturalWidth > 0`)
	b.Click("#plot-log")
	b.keep(filepath.Join(folder, "serve-runs.png"))
}

// startProgram starts a server by the program. It returns its address.
func startProgram(t *testing.T, program, runs string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, "serve", "--addr", "127.0.0.1:0", "--runs", runs)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // it was interrupted
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(strings.TrimSpace(address), "/")
}

// size is an action that sets the size of the window.
func size(width, height int64) chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1))
}

// trainUntil starts a training, and waits until it has done some steps.
func trainUntil(t *testing.T, origin, request string, steps int) {
	t.Helper()
	answer, err := http.Post(origin+"/v1/runs", "application/json", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	where := origin + answer.Header.Get("Location")
	answer.Body.Close()
	for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		answer, err := http.Get(where)
		if err != nil {
			t.Fatal(err)
		}
		var run struct{ Step int }
		err = json.NewDecoder(answer.Body).Decode(&run)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if run.Step >= steps {
			return
		}
	}
	t.Fatalf("the training has not come to step %d", steps)
}

// keep writes a picture of what is seen into a small file.
func (b *tab) keep(file string) {
	b.Helper()
	shot, err := chromedp.Run(b.Ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	seen, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		b.Fatal(err)
	}
	opaque := image.NewRGBA(seen.Bounds())
	draw.Draw(opaque, seen.Bounds(), seen, seen.Bounds().Min, draw.Src)
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, opaque); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, small.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	b.Logf("%s: %d bytes", file, small.Len())
}
