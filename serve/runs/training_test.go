package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/run"
)

// small is a request for a training whose steps take milliseconds.
func small(name string, steps int) string {
	return fmt.Sprintf(`{"data":"mnist","name":%q,"preset":"tiny","batch":4,"steps":%d}`, name, steps)
}

// long is a number of steps that no test sees the end of.
const long = 1_000_000

// A training is started, watched, stopped, gone on with by another server, finished, and deleted.
func TestTraining(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	var mu sync.Mutex
	kinds := map[pipeline.Kind]bool{}
	w := newSite(t, Options{Runs: runs, OnEvent: func(run string, e pipeline.Event) {
		mu.Lock()
		defer mu.Unlock()
		kinds[e.Kind] = run == "digits"
	}})
	var r Run
	w.want(http.StatusAccepted, "POST", "/v1/runs", small("digits", long), &r)
	if r.Name != "digits" || r.Status != Training || r.Job != "train" || !r.Can.Stop || r.Can.Delete {
		t.Errorf("started %+v", r)
	}
	events, cancel := w.watch("digits", "")
	defer cancel()
	next(t, events, "run")
	var p Points
	if err := json.Unmarshal(next(t, events, "points").data, &p); err != nil || len(p.Loss) == 0 {
		t.Errorf("points %+v, %v", p, err)
	}
	d := w.untilTrue("digits", "under way", func(d Details) bool { return d.Step > 3 && d.Rate != nil && d.Loss != nil })
	if *d.Preset != "tiny" || d.Data != "mnist" || len(d.Classes) != 10 || *d.Steps != long || d.Left == nil {
		t.Errorf("under way: %+v", d.Run)
	}
	w.refused(http.StatusConflict, "conflict_error", "POST", "/v1/runs", small("other", 5))
	w.refused(http.StatusConflict, "conflict_error", "POST", "/v1/runs/digits/resume", "")
	w.refused(http.StatusConflict, "conflict_error", "DELETE", "/v1/runs/digits?confirm=digits", "")

	w.want(http.StatusAccepted, "POST", "/v1/runs/digits/stop", "", &r)
	w.do("POST", "/v1/runs/digits/stop", "") // again, in any state
	stopped := w.until("digits", Stopped)
	if !stopped.Can.Resume || !stopped.Can.Distil || !stopped.Can.Delete || stopped.Left != nil {
		t.Errorf("stopped: %+v", stopped.Run)
	}
	w.refused(http.StatusConflict, "conflict_error", "POST", "/v1/runs/digits/stop", "")
	mu.Lock()
	if !kinds[pipeline.Started] || !kinds[pipeline.Stepped] || !kinds[pipeline.Interrupted] {
		t.Errorf("the events were %v", kinds)
	}
	mu.Unlock()
	finishElsewhere(t, runs, stopped)
}

// finishElsewhere goes on with a stopped run by another service, and deletes it at the end.
func finishElsewhere(t *testing.T, runs string, stopped Details) {
	w := newSite(t, Options{Runs: runs})
	again := w.run("digits")
	if again.Status != Stopped || again.Step != stopped.Step || *again.Loss != *stopped.Loss || again.Can != stopped.Can {
		t.Errorf("after a restart %+v, before %+v", again.Run, stopped.Run)
	}
	for _, body := range []string{`{"steps":1}`, `{"minutes":0.001}`} {
		f := w.refused(http.StatusBadRequest, "invalid_request_error", "POST", "/v1/runs/digits/resume", body)
		if !strings.Contains(body, f.Error.Param) || f.Error.Param == "" {
			t.Errorf("%s: %+v", body, f.Error)
		}
	}
	w.want(http.StatusAccepted, "POST", "/v1/runs/digits/resume", "", nil)
	w.untilTrue("digits", "further", func(d Details) bool { return d.Status == Training && d.Step > stopped.Step })
	w.want(http.StatusAccepted, "POST", "/v1/runs/digits/stop", "{}", nil)
	step := w.until("digits", Stopped).Step
	w.want(http.StatusAccepted, "POST", "/v1/runs/digits/resume", fmt.Sprintf(`{"steps":%d}`, step+2), nil)
	d := w.until("digits", Finished)
	if d.Step != step+2 || *d.Steps != d.Step || d.Can.Resume || !d.Can.Extend || len(d.Previews) == 0 || d.Validation == nil {
		t.Errorf("finished at step %d of %v: %+v, previews %v", d.Step, *d.Steps, d.Can, d.Previews)
	}
	if status, text := w.do("GET", fmt.Sprintf("/v1/runs/digits/previews/%d.png", d.Step), ""); status != http.StatusOK ||
		!strings.HasPrefix(string(text), "\x89PNG") {
		t.Errorf("the preview: status %d, %.20q", status, text)
	}
	w.refused(http.StatusConflict, "conflict_error", "POST", "/v1/runs/digits/resume", "")
	w.refused(http.StatusConflict, "conflict_error", "POST", "/v1/runs", small("digits", 5))
	w.want(http.StatusNoContent, "DELETE", "/v1/runs/digits?confirm=digits", "", nil)
	if all := w.list(); len(all) != 0 {
		t.Errorf("there are still %+v", all)
	}
}

// A run is distilled into a new one, which stops and goes on like others. Its teacher stays while
// it does.
func TestDistil(t *testing.T) {
	runs := t.TempDir()
	w := newSite(t, Options{Runs: runs})
	w.want(http.StatusAccepted, "POST", "/v1/runs", small("teacher", 2), nil)
	w.until("teacher", Finished)
	for body, param := range map[string]string{
		`{"guidance":"x"}`: "guidance", `{"guidance":-1000}`: "guidance", `{"guidance":[1]}`: "guidance", `{"steps":0}`: "steps",
		`{"name":"a/b"}`: "name", `{"teacher":"x"}`: "teacher",
	} {
		f := w.refused(http.StatusBadRequest, "invalid_request_error", "POST", "/v1/runs/teacher/distil", body)
		if f.Error.Param != param {
			t.Errorf("%s: %+v", body, f.Error)
		}
	}
	var r Run
	w.want(http.StatusAccepted, "POST", "/v1/runs/teacher/distil", `{"steps":50,"guidance":"1-2"}`, &r)
	if r.Name != "teacher-fast" || r.Job != run.DistillCommand || r.Status != Training || r.Data != "mnist" {
		t.Errorf("started %+v", r)
	}
	w.refused(http.StatusConflict, "conflict_error", "DELETE", "/v1/runs/teacher?confirm=teacher", "")
	w.want(http.StatusAccepted, "POST", "/v1/runs/teacher-fast/stop", "", nil)
	d := w.until("teacher-fast", Stopped)
	if d.Teacher == nil || !strings.HasSuffix(*d.Teacher, "teacher") || d.Preset != nil || !d.Can.Resume || d.Can.Distil {
		t.Errorf("stopped: %+v", d.Run)
	}
	w.want(http.StatusAccepted, "POST", "/v1/runs/teacher-fast/resume", "", nil)
	w.want(http.StatusAccepted, "POST", "/v1/runs/teacher-fast/stop", "", nil)
	w.until("teacher-fast", Stopped)
	w.want(http.StatusNoContent, "DELETE", "/v1/runs/teacher?confirm=teacher", "", nil)
	f := w.refused(http.StatusConflict, "conflict_error", "POST", "/v1/runs/teacher-fast/resume", "")
	if !strings.Contains(f.Error.Message, "teacher") {
		t.Errorf("without its teacher: %+v", f.Error)
	}
	w.refused(http.StatusNotFound, "not_found_error", "POST", "/v1/runs/nobody/distil", "")
}

// A mistake in a request is found before anything is written, and named.
func TestMistakes(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	w := newSite(t, Options{Runs: runs})
	for body, param := range map[string]string{
		`{}`:                                           "data",
		`{"data":"mnist","x":1}`:                       "x",
		`{"data":"mnist","steps":0}`:                   "steps",
		`{"data":"mnist","steps":-5}`:                  "steps",
		`{"data":"mnist","steps":2.5}`:                 "steps",
		`{"data":"mnist","minutes":0}`:                 "minutes",
		`{"data":"mnist","minutes":1e300}`:             "minutes",
		`{"data":"mnist","minutes":1,"steps":3}`:       "minutes",
		`{"data":"mnist","preset":"huge"}`:             "preset",
		`{"data":"mnist","size":29,"preset":"tiny"}`:   "size",
		`{"data":"mnist","size":"x"}`:                  "size",
		`{"data":"mnist","size":2.5}`:                  "size",
		`{"data":"mnist","size":99999}`:                "size",
		`{"data":"mnist","labels":"/etc/passwd"}`:      "labels",
		`{"data":"mnist","labels":"../labels.csv"}`:    "labels",
		`{"data":"mnist","labels":"clusters:zero"}`:    "labels",
		`{"data":"mnist","labels":"folders"}`:          "labels", // which has labels of its own
		`{"data":"mnist","batch":0}`:                   "batch",
		`{"data":"mnist","batch":1000000000}`:          "batch",
		`{"data":"mnist","flip":"yes"}`:                "flip",
		`{"data":"mnist","seed":-1}`:                   "seed",
		`{"data":"mnist","name":"../x"}`:               "name",
		`{"data":"mnist","name":".x"}`:                 "name",
		`{"data":"mnist","name":"a b"}`:                "name",
		`{"data":"mnist","name":"` + long65 + `"}`:     "name",
		`{"data":"mnist"} {}`:                          "",
		`[]`:                                           "",
		`{"data":`:                                     "",
		`{"data":["mnist"]}`:                           "data",
		`{"data":"mnist","init":"/etc/passwd"}`:        "init",
		`{"data":"mnist","init":"emoji"}`:              "init",
		`{"data":"mnist","out":"/tmp/x"}`:              "out",
		`{"data":"mnist","name":"x","Out":"/tmp/out"}`: "Out",
	} {
		f := w.refused(http.StatusBadRequest, "invalid_request_error", "POST", "/v1/runs", body)
		if f.Error.Param != param {
			t.Errorf("%s: %+v, want param %q", body, f.Error, param)
		}
	}
	w.refused(http.StatusRequestEntityTooLarge, "invalid_request_error", "POST", "/v1/runs",
		`{"data":"`+strings.Repeat("x", maxBody)+`"}`)
	if _, err := os.Stat(runs); err == nil {
		t.Error("a folder was made")
	}
	if all := w.list(); len(all) != 0 {
		t.Errorf("there are %+v", all)
	}
}

// long65 is a name that is one letter too long.
var long65 = strings.Repeat("n", 65)

// Pictures of the folder of data are trained on; what holds none is refused and leaves nothing.
func TestOwnData(t *testing.T) {
	data := t.TempDir()
	for i := range 24 {
		savePicture(t, filepath.Join(data, "shapes.v2", []string{"bars", "dots"}[i%2], fmt.Sprintf("%d.png", i)), i)
	}
	write(t, filepath.Join(data, "texts", "a.txt"), "no picture")
	runs := filepath.Join(t.TempDir(), "runs")
	w := newSite(t, Options{Runs: runs, Data: data})
	w.refused(http.StatusBadRequest, "invalid_request_error", "POST", "/v1/runs", `{"data":"texts","steps":2}`)
	if all := w.list(); len(all) != 0 {
		t.Errorf("there are %+v", all)
	}
	body := `{"data":"shapes.v2","preset":"tiny","size":"16","batch":4,"steps":2,"flip":true,"seed":0}`
	var r Run
	for _, want := range []string{"shapes", "shapes-2"} {
		w.want(http.StatusAccepted, "POST", "/v1/runs", body, &r)
		if r.Name != want {
			t.Errorf("the run is %s, want %s", r.Name, want)
		}
		w.until(r.Name, Finished)
	}
	d := w.run("shapes")
	var options struct {
		Flip bool
		Seed int
		Size int
		Data string
	}
	if err := json.Unmarshal(d.Config, &options); err != nil || !options.Flip || options.Seed != 0 || options.Size != 16 ||
		options.Data != filepath.Join(data, "shapes.v2") {
		t.Errorf("options %s, %v", d.Config, err)
	}
	if !slices.Equal(d.Classes, []string{"bars", "dots"}) || d.Seconds <= 0 {
		t.Errorf("classes %v, %v s", d.Classes, d.Seconds)
	}
	if all := w.list(); len(all) != 2 || all[0].Name != "shapes-2" {
		t.Errorf("the newest run is not first: %+v", all)
	}
}

// savePicture writes a small PNG.
func savePicture(t *testing.T, path string, of int) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range img.Pix {
		img.SetGray(i%16, i/16, color.Gray{Y: uint8(i * of)})
	}
	write(t, path, "")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, img); err != nil {
		t.Fatal(err)
	}
}

// Why a run failed is in its folder, so that the next server says so too.
func TestFailure(t *testing.T) {
	runs := t.TempDir()
	w := newSite(t, Options{Runs: runs})
	w.want(http.StatusAccepted, "POST", "/v1/runs", small("broken", 200), nil)
	write(t, filepath.Join(runs, "broken", "samples"), "a file where previews should be")
	d := w.until("broken", Failed)
	if d.Error == nil || !strings.Contains(*d.Error, "preview") || strings.Contains(*d.Error, "forgets") {
		t.Fatalf("the error is %v", d.Error)
	}
	w = newSite(t, Options{Runs: runs})
	if again := w.run("broken"); again.Status != Failed || *again.Error != *d.Error {
		t.Errorf("after a restart: %s, %v", again.Status, again.Error)
	}
}

// A failure that nothing on disk tells of is told by the server that saw it, which says so.
func TestFailureInMemory(t *testing.T) {
	runs := t.TempDir()
	w := newSite(t, Options{Runs: runs})
	w.want(http.StatusAccepted, "POST", "/v1/runs", small("gone", long), nil)
	if err := os.RemoveAll(filepath.Join(runs, "gone")); err != nil {
		t.Fatal(err)
	}
	w.do("POST", "/v1/runs/gone/stop", "")
	d := w.until("gone", Failed)
	if !strings.Contains(*d.Error, "forgets it") || d.Can != (Can{Delete: true}) {
		t.Errorf("error %q, can %+v", *d.Error, d.Can)
	}
	if all := w.list(); len(all) != 1 || all[0].Status != Failed {
		t.Errorf("the runs are %+v", all)
	}
	var p Points
	w.want(http.StatusOK, "GET", "/v1/runs/gone/curve", "", &p)
	w.want(http.StatusNoContent, "DELETE", "/v1/runs/gone?confirm=gone", "", nil)
	w.refused(http.StatusNotFound, "not_found_error", "GET", "/v1/runs/gone", "")
}

// Closing saves what trains, ends watchers, and lets nothing start.
func TestClose(t *testing.T) {
	runs := t.TempDir()
	w := newSite(t, Options{Runs: runs})
	w.want(http.StatusAccepted, "POST", "/v1/runs", small("a", long), nil)
	w.untilTrue("a", "under way", func(d Details) bool { return d.Step > 2 })
	events, cancel := w.watch("a", "")
	defer cancel()
	next(t, events, "run")
	gone, end := context.WithCancel(t.Context())
	end()
	if err := w.service.Close(gone); err != nil && !strings.Contains(err.Error(), "run a was not saved in time") {
		t.Errorf("out of time: %v", err)
	}
	ctx, cancelClose := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancelClose()
	if err := w.service.Close(ctx); err != nil {
		t.Error(err)
	}
	for range events { // until the stream has ended
	}
	if d := w.run("a"); d.Status != Stopped || !d.Can.Resume {
		t.Errorf("status %s, can %+v", d.Status, d.Can)
	}
	w.refused(http.StatusServiceUnavailable, "server_error", "POST", "/v1/runs", small("b", 2))
	w.refused(http.StatusServiceUnavailable, "server_error", "POST", "/v1/runs/a/resume", "")
}
