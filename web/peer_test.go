//go:build !js

package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/browsertest"
	"github.com/fmimg/fmimg/internal/numtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline/convert"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// A peerRun is what peer.js returns.
type peerRun struct {
	Load  float64   // seconds until the graph can run
	Runs  []float64 // seconds of drawing one image
	Image []float32
}

// onnxruntime-web draws the same digit from the exported drawing, in the same browser. How long
// both take is logged. FMIMG_TEST_ORT is the folder dist of its package; make web-peer fetches it.
func TestPeer(t *testing.T) {
	dist := os.Getenv("FMIMG_TEST_ORT")
	if dist == "" {
		t.Skip("SKIPPED: FMIMG_TEST_ORT names no folder of onnxruntime-web")
	}
	_, images := drawnBy(t, kernels.Generic, sample.Options{Count: 1, Seed: 11, Class: "7", Method: model.Method{Steps: 4}, Threads: 1})
	for round := range 3 {
		ready, first, step := timesOfPage(t)
		t.Logf("round %d, fmimg: ready after %.2f s, a first digit after %.2f s; %.3f s a step", round, ready, first, step)
		for _, threads := range []int{1, 2} {
			run := runPeer(t, dist, threads)
			for i, v := range run.Image {
				// The graph ends at the range of pixels. The bound is an eighth of a byte.
				if want := min(max(images.Pixels[i], -1), 1); !numtest.Near(float64(v), float64(want), 1e-3) {
					t.Fatalf("pixel %d is %v, want %v", i, v, want)
				}
			}
			later := slices.Sorted(slices.Values(run.Runs[1:]))
			t.Logf("round %d, onnxruntime-web, threads=%d: ready after %.2f s, a first digit after %.2f s; %.3f s a step",
				round, threads, run.Load, run.Load+run.Runs[0], later[len(later)/2]/4)
		}
	}
}

// timesOfPage opens the page anew and returns the seconds until the worker is ready, until a digit
// of four steps is drawn, and of a step of a second drawing.
func timesOfPage(t *testing.T) (ready, first, step float64) {
	t.Helper()
	b := openDrawn(t, "/fmimg/#class=7&seed=11&steps=4")
	at := func(name string) float64 {
		return browsertest.Value[float64](b, fmt.Sprintf(`performance.getEntriesByName(%q)[0].startTime / 1000`, name))
	}
	ready, first = at("fmimg-ready"), at("fmimg-drawn")
	b.Click("#chips label:last-child input")
	b.Click("#draw-button")
	b.Wait("all are drawn", `document.querySelectorAll("#grid button:not(:disabled)").length === 10 && `+drawn)
	return ready, first, browsertest.Value[float64](b, `Number(document.querySelector("#status").textContent.match(/([\d.]+) s a step/)[1])`)
}

// runPeer has onnxruntime-web draw, on a page that may use threads.
func runPeer(t *testing.T, dist string, threads int) (run peerRun) {
	t.Helper()
	graph := filepath.Join(t.TempDir(), "drawing.onnx")
	if _, err := convert.ONNX(convert.ONNXOptions{Model: "mnist-fast", Out: graph, Sampler: true, Method: model.Method{Steps: 4}}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/peer")))
	mux.Handle("/ort/", http.StripPrefix("/ort/", http.FileServer(http.Dir(dist))))
	mux.HandleFunc("/drawing.onnx", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, graph) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin") // which threads need
		w.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
		mux.ServeHTTP(w, r)
	}))
	defer server.Close()
	noise := make([]float32, 28*28)
	flow.Noise(noise, 11, 0)
	text, err := json.Marshal(noise)
	if err != nil {
		t.Fatal(err)
	}
	b := browsertest.Open(t, server.URL, "/")
	b.Wait("the script is there", `globalThis.measure !== undefined`)
	run, err = chromedp.Run(b.Ctx, chromedp.Evaluate[peerRun](fmt.Sprintf("measure(%d, %s, 7)", threads, text), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return run
}
