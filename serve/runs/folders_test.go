package runs

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// A stopped run is described from its folder alone.
func TestDescribe(t *testing.T) {
	runs := t.TempDir()
	fakeRun(t, runs, "digits")
	w := newSite(t, Options{Runs: runs})
	d := w.run("digits")
	if d.Status != Stopped || d.Job != "train" || d.Step != 30 || d.Data != "digits" || *d.Preset != "tiny" ||
		*d.Steps != 100 || d.Seconds != 3 || *d.Validation != 2./30 || d.Error != nil || d.Left != nil {
		t.Errorf("got %+v", d.Run)
	}
	if math.Abs(*d.Rate-320) > 1e-6 || *d.Loss <= 1./30 || *d.Loss >= 1 || *d.Model != "runs/digits" || *d.Preview != 20 {
		t.Errorf("rate %v, loss %v, model %v, preview %v", *d.Rate, *d.Loss, *d.Model, *d.Preview)
	}
	if want := (Can{Resume: true, Distil: true, Delete: true}); d.Can != want {
		t.Errorf("it can %+v, want %+v", d.Can, want)
	}
	if !slices.Equal(d.Previews, []int{10, 20}) || d.Card != "# digits\n" || !slices.Equal(d.Classes, []string{"a", "b"}) {
		t.Errorf("previews %v, card %q, classes %v", d.Previews, d.Card, d.Classes)
	}
	var options struct{ Batch int }
	if err := json.Unmarshal(d.Config, &options); err != nil || options.Batch != 32 {
		t.Errorf("config %s, %v", d.Config, err)
	}
}

// Changes of the files are seen, also those of a log that another process writes.
func TestChanges(t *testing.T) {
	runs := t.TempDir()
	dir := fakeRun(t, runs, "a")
	w := newSite(t, Options{Runs: runs})
	if d := w.run("a"); d.Step != 30 {
		t.Fatalf("step %d", d.Step)
	}
	write(t, filepath.Join(dir, "metrics.jsonl"), metricLines(1, 40)+`{"step":41,"images":13`)
	if d := w.run("a"); d.Step != 40 || *d.Validation != 2./40 {
		t.Errorf("step %d, validation %v", d.Step, *d.Validation)
	}
	write(t, filepath.Join(dir, "config.json"), strings.Replace(config, `"finished": false`, `"finished": true`, 1))
	if d := w.run("a"); d.Status != Finished || d.Can.Resume || !d.Can.Extend {
		t.Errorf("status %s, can %+v", d.Status, d.Can)
	}
	write(t, filepath.Join(dir, "config.json"), strings.Replace(config, `"finished"`, `"error": "the disk is full", "finished"`, 1))
	if d := w.run("a"); d.Status != Failed || *d.Error != "the disk is full" || !d.Can.Resume {
		t.Errorf("status %s, error %v", d.Status, d.Error)
	}
}

// The curve has all points of a short run, and goes on where the log does.
func TestCurve(t *testing.T) {
	runs := t.TempDir()
	dir := fakeRun(t, runs, "a")
	w := newSite(t, Options{Runs: runs})
	curve := func(query string) (p Points) {
		w.want(http.StatusOK, "GET", "/v1/runs/a/curve"+query, "", &p)
		return p
	}
	p := curve("")
	if len(p.Loss) != 30 || p.Loss[29] != (point{30, 1. / 30}) || len(p.Validation) != 3 || len(p.Rate) != 5 {
		t.Errorf("%d losses, %v, %d rates", len(p.Loss), p.Validation, len(p.Rate))
	}
	if math.Abs(p.Rate[0][1]-320) > 1e-6 {
		t.Errorf("the rate is %v", p.Rate[0])
	}
	write(t, filepath.Join(dir, "metrics.jsonl"), metricLines(1, 33)+`{"step":`)
	if p := curve("?from=30"); len(p.Loss) != 3 || p.From != 30 || len(p.Validation) != 0 || p.Validation == nil {
		t.Errorf("behind step 30: %+v", p)
	}
	// A resumed run has dropped lines.
	write(t, filepath.Join(dir, "metrics.jsonl"), metricLines(1, 20))
	if p := curve("?points=10"); len(p.Loss) > 10 || p.Loss[len(p.Loss)-1].step() != 20 {
		t.Errorf("after a restart: %+v", p)
	}
	for _, query := range []string{"from=-1", "from=x", "points=3", "points=1e9", "points=99999999999999999999"} {
		f := w.refused(http.StatusBadRequest, "invalid_request_error", "GET", "/v1/runs/a/curve?"+query, "")
		if param, _, _ := strings.Cut(query, "="); f.Error.Param != param {
			t.Errorf("%s: param %q", query, f.Error.Param)
		}
	}
}

// Previews are sent as they are, and nothing else of the folder is.
func TestPreviews(t *testing.T) {
	runs := t.TempDir()
	dir := fakeRun(t, runs, "a")
	write(t, filepath.Join(runs, "secret.png"), "secret")
	w := newSite(t, Options{Runs: runs})
	if status, text := w.do("GET", "/v1/runs/a/previews/20.png", ""); status != http.StatusOK || string(text) != "second" {
		t.Errorf("status %d, %q", status, text)
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(filepath.Join(runs, "secret.png"), filepath.Join(dir, "samples", "step-000030.png")); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{
		"30.png", "5.png", "020.png", "+20.png", "-20.png", "20", "20.jpg", ".png", "step-000020.png", "..%2F..%2Fsecret.png",
		"20.png%2F", "20.png%00", "99999999999999999999.png",
	} {
		w.refused(http.StatusNotFound, "not_found_error", "GET", "/v1/runs/a/previews/"+file, "")
	}
}

// Names that are none of a run are not found, whatever the request: no path leads out of the
// folder.
func TestNames(t *testing.T) {
	outside := t.TempDir()
	runs := filepath.Join(outside, "runs")
	fakeRun(t, runs, "a")
	fakeRun(t, runs, ".hidden")
	fakeRun(t, outside, "b")
	write(t, filepath.Join(runs, "notes", "x.txt"), "no run")
	write(t, filepath.Join(runs, "file"), "no folder")
	w := newSite(t, Options{Runs: runs})
	for _, name := range []string{
		"..%2Fb", "%2e%2e%2Fb", "a%2F..%2F..%2Fb", "a%2Fsamples", "..", "%2e%2e", ".", ".hidden", "%2Ehidden", "a%00", "a%5C..",
		"%2Ftmp", "nothing", "notes", "file", "a%0A", "%FF", strings.Repeat("n", 300), "~", "a%20", "C:%5C",
	} {
		for method, rest := range map[string]string{
			"GET": "", "GET ": "/curve", "GET  ": "/events", "GET   ": "/previews/20.png", "DELETE": "?confirm=" + name,
			"POST": "/stop", "POST ": "/resume", "POST  ": "/distil",
		} {
			method := strings.TrimSpace(method)
			r, err := http.NewRequestWithContext(t.Context(), method, w.server.URL, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = "/v1/runs/" + name + rest // as it is, without cleaning
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			// 307: the mux cleans dots in a path away, and leads to another route.
			if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusTemporaryRedirect &&
				resp.StatusCode != http.StatusMovedPermanently {
				t.Errorf("%s %s%s: status %d", method, name, rest, resp.StatusCode)
			}
		}
	}
	if all := w.list(); len(all) != 1 || all[0].Name != "a" {
		t.Errorf("the runs are %+v", all)
	}
	for _, dir := range []string{"runs/a", "runs/.hidden", "runs/notes", "b"} {
		if _, err := os.Stat(filepath.Join(outside, dir)); err != nil {
			t.Error(err)
		}
	}
}

// Names that people have given to folders of runs are found, though no new run may have them.
func TestOddNames(t *testing.T) {
	runs := t.TempDir()
	w := newSite(t, Options{Runs: runs})
	for _, name := range []string{"my photos", "Blümchen", "a%b", "a+b", "x..y", "-v", "q?x", "h#1"} {
		fakeRun(t, runs, name)
		if d := w.run(url.PathEscape(name)); d.Name != name || d.Status != Stopped {
			t.Errorf("%q: %+v", name, d.Run)
		}
		w.want(http.StatusNoContent, "DELETE", "/v1/runs/"+url.PathEscape(name)+"?confirm="+url.QueryEscape(name), "", nil)
	}
}

// Broken runs are listed with what is wrong, and hide no other. Links are not followed.
func TestBrokenRuns(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	outside := t.TempDir()
	runs := filepath.Join(outside, "runs")
	elsewhere := fakeRun(t, outside, "elsewhere")
	fakeRun(t, runs, "good")
	link := func(to, from string) {
		t.Helper()
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	link(elsewhere, filepath.Join(runs, "linked"))
	link(filepath.Join(outside, "nowhere"), filepath.Join(runs, "dangling"))
	link("linked-to-itself", filepath.Join(runs, "linked-to-itself"))
	write(t, filepath.Join(fakeRun(t, runs, "torn"), "config.json"), config[:60])
	write(t, filepath.Join(fakeRun(t, runs, "other"), "config.json"), `{"options": 7}`)
	os.Remove(filepath.Join(fakeRun(t, runs, "bare"), "config.json"))
	os.Remove(filepath.Join(runs, "torn", "metrics.jsonl"))
	inside := fakeRun(t, runs, "inside")
	os.Remove(filepath.Join(inside, "config.json"))
	os.Remove(filepath.Join(inside, "README.md"))
	link(filepath.Join(elsewhere, "config.json"), filepath.Join(inside, "config.json"))
	link(filepath.Join(elsewhere, "README.md"), filepath.Join(inside, "README.md"))
	asFolder := fakeRun(t, runs, "as-folder")
	os.Remove(filepath.Join(asFolder, "metrics.jsonl"))
	if err := os.Mkdir(filepath.Join(asFolder, "metrics.jsonl"), 0o755); err != nil {
		t.Fatal(err)
	}
	w := newSite(t, Options{Runs: runs})
	got := map[string]string{}
	for _, r := range w.list() {
		if r.Error != nil {
			got[r.Name] = *r.Error
		} else {
			got[r.Name] = ""
		}
		if (r.Error == nil) != (r.Status == Stopped) {
			t.Errorf("%s: status %s, error %v", r.Name, r.Status, r.Error)
		}
	}
	for name, part := range map[string]string{
		"good": "", "linked": "a link", "dangling": "a link", "linked-to-itself": "a link", "torn": "config.json",
		"other": "config.json", "bare": "has no config.json", "inside": "not a regular file", "as-folder": "not a regular file",
	} {
		if text, ok := got[name]; !ok || (text == "") != (part == "") || !strings.Contains(text, part) {
			t.Errorf("%s: error %q, want %q in it", name, text, part)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("there are also %v", got)
	}
	if d := w.run("inside"); d.Card != "" || d.Can.Resume {
		t.Errorf("a link was followed: %+v", d)
	}
	w.refused(http.StatusConflict, "conflict_error", "DELETE", "/v1/runs/linked?confirm=linked", "")
	if _, err := os.Stat(filepath.Join(elsewhere, "config.json")); err != nil {
		t.Error(err)
	}
}

// Deleting removes links inside a run, and nothing that they lead to.
func TestDeleteKeepsWhatLinksLeadTo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	outside := t.TempDir()
	runs := filepath.Join(outside, "runs")
	write(t, filepath.Join(outside, "photos", "a.png"), "photo")
	dir := fakeRun(t, runs, "a")
	if err := os.Symlink(filepath.Join(outside, "photos"), filepath.Join(dir, "photos")); err != nil {
		t.Fatal(err)
	}
	w := newSite(t, Options{Runs: runs})
	for _, query := range []string{"", "?confirm=", "?confirm=b", "?confirm=A"} {
		w.refused(http.StatusBadRequest, "invalid_request_error", "DELETE", "/v1/runs/a"+query, "")
	}
	w.want(http.StatusNoContent, "DELETE", "/v1/runs/a?confirm=a", "", nil)
	w.refused(http.StatusNotFound, "not_found_error", "GET", "/v1/runs/a", "")
	entries, err := os.ReadDir(runs)
	if err != nil || len(entries) > 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(outside, "photos", "a.png")); err != nil {
		t.Error(err)
	}
}

// A server that starts removes what another one had begun to delete.
func TestFinishDeleting(t *testing.T) {
	runs := t.TempDir()
	fakeRun(t, runs, deletedPrefix+"X-a")
	fakeRun(t, runs, "b")
	newSite(t, Options{Runs: runs})
	entries, err := os.ReadDir(runs)
	if err != nil || len(entries) != 1 || entries[0].Name() != "b" {
		t.Errorf("there is %v, %v", entries, err)
	}
}

// A run whose lock another process holds is elsewhere: it is shown, and left alone.
func TestElsewhere(t *testing.T) {
	runs := t.TempDir()
	dir := fakeRun(t, runs, "a")
	w := newSite(t, Options{Runs: runs})
	lock := flock.New(filepath.Join(dir, ".lock"))
	if ok, err := lock.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	d := w.run("a")
	if d.Status != Elsewhere || d.Can.Stop || d.Can.Resume || d.Can.Delete {
		t.Errorf("status %s, can %+v", d.Status, d.Can)
	}
	if d.Left == nil || math.Abs(*d.Left-7) > 1e-6 { // 70 steps of 0.1 s
		t.Errorf("it will end in %v", d.Left)
	}
	for _, request := range []string{"POST /v1/runs/a/stop", "POST /v1/runs/a/resume", "DELETE /v1/runs/a?confirm=a"} {
		method, path, _ := strings.Cut(request, " ")
		f := w.refused(http.StatusConflict, "conflict_error", method, path, "")
		if !strings.Contains(f.Error.Message, "another process") {
			t.Errorf("%s: %s", request, f.Error.Message)
		}
	}
	events, cancel := w.watch("a", "?from=28")
	defer cancel()
	next(t, events, "run")
	var p Points
	if err := json.Unmarshal(next(t, events, "points").data, &p); err != nil || len(p.Loss) != 2 {
		t.Errorf("points %+v, %v", p, err)
	}
	next(t, events, "preview")
	write(t, filepath.Join(dir, "samples", "step-000030.png"), "third")
	if got := string(next(t, events, "preview").data); got != `{"step":30}` {
		t.Errorf("the preview %s", got)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	var r Run
	if err := json.Unmarshal(next(t, events, "run").data, &r); err != nil || (r.Status != Stopped && r.Status != Elsewhere) {
		t.Errorf("status %s, %v", r.Status, err)
	}
	w.until("a", Stopped)
	w.want(http.StatusNoContent, "DELETE", "/v1/runs/a?confirm=a", "", nil)
	next(t, events, "end")
}

// A watcher gets what comes, and all of it anew where the run does steps again. One that comes back
// names the last step that it has.
func TestWatch(t *testing.T) {
	runs := t.TempDir()
	dir := fakeRun(t, runs, "a")
	log := filepath.Join(dir, "metrics.jsonl")
	w := newSite(t, Options{Runs: runs})
	events, cancel := w.watch("a", "")
	next(t, events, "run")
	points := func() (p Points, id string) {
		e := next(t, events, "points")
		if err := json.Unmarshal(e.data, &p); err != nil {
			t.Fatal(err)
		}
		return p, e.id
	}
	write(t, log, metricLines(1, 32)+`{"ste`)
	p, id := points()
	for len(p.Loss) > 0 && p.Loss[len(p.Loss)-1].step() < 32 { // the file was seen half written
		p, id = points()
	}
	if id != "32" || p.From < 30 {
		t.Errorf("id %s, points %+v", id, p)
	}
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	write(t, log, strings.ReplaceAll(metricLines(1, 25), `"loss":1,`, `"loss":2,`))
	if p, id = points(); p.From != 0 || id != "25" || p.Loss[0] != (point{1, 2}) || len(p.Loss) != 25 {
		t.Errorf("after a restart: id %s, points %+v", id, p)
	}
	cancel()
	for range events { // until the stream has ended
	}
	for range 100 {
		if len(w.service.looks) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := len(w.service.looks); n != 0 {
		t.Errorf("%d watchers are left", n)
	}
}

// A writerFunc is the response to a watcher that sees each text that is written.
type writerFunc struct {
	*httptest.ResponseRecorder
	see func(text string)
}

func (w writerFunc) Write(b []byte) (int, error) {
	w.see(string(b))
	return w.ResponseRecorder.Write(b)
}

// Points that come after the first event are sent, however early they are: the step of now is taken
// before that event.
func TestPointsBehindFirstEvent(t *testing.T) {
	runs := t.TempDir()
	dir := fakeRun(t, runs, "a")
	w := newSite(t, Options{Runs: runs})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/runs/a/events", nil)
	r.SetPathValue("name", "a")
	first, came := true, false
	w.service.events(writerFunc{httptest.NewRecorder(), func(text string) {
		if first {
			first = false
			write(t, filepath.Join(dir, "metrics.jsonl"), metricLines(1, 32))
		}
		if strings.HasPrefix(text, "event: points\nid: 32\n") {
			came = true
			cancel()
		}
	}}, r)
	if !came {
		t.Error("the points behind the first event did not come")
	}
}

// The number of watchers is bounded.
func TestTooManyWatchers(t *testing.T) {
	runs := t.TempDir()
	fakeRun(t, runs, "a")
	w := newSite(t, Options{Runs: runs})
	for range maxWatchers {
		w.service.looks <- struct{}{}
	}
	w.refused(http.StatusTooManyRequests, "rate_limit_error", "GET", "/v1/runs/a/events", "")
}

// What can be trained on is known, or lies in the folder: no link, no hidden file, nothing else.
func TestData(t *testing.T) {
	outside := t.TempDir()
	data := filepath.Join(outside, "data")
	write(t, filepath.Join(data, "photos", "a.png"), "x")
	write(t, filepath.Join(data, "set.npz"), "x")
	write(t, filepath.Join(data, "mnist", "a.png"), "x")
	write(t, filepath.Join(data, ".hidden", "a.png"), "x")
	write(t, filepath.Join(outside, "secret", "a.png"), "x")
	if runtime.GOOS != "windows" {
		if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(data, "linked")); err != nil {
			t.Fatal(err)
		}
	}
	w := newSite(t, Options{Runs: filepath.Join(outside, "runs"), Data: data})
	var all struct{ Data []Data }
	w.want(http.StatusOK, "GET", "/v1/data", "", &all)
	var names []string
	for _, d := range all.Data {
		names = append(names, d.Name)
		if d.About == "" {
			t.Errorf("nothing is said about %s", d.Name)
		}
	}
	for _, want := range []string{"mnist", "./mnist", "photos", "set.npz"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in %q", want, names)
		}
	}
	for _, name := range []string{
		"linked", ".hidden", "../secret", "photos/..", "photos/", "./photos", data, "/etc", "", "cifar-1000", "photos\x00",
	} {
		text, err := json.Marshal(map[string]string{"data": name})
		if err != nil {
			t.Fatal(err)
		}
		f := w.refused(http.StatusBadRequest, "invalid_request_error", "POST", "/v1/runs", string(text))
		if f.Error.Param != "data" || slices.Contains(names, name) {
			t.Errorf("%q: %+v of %q", name, f.Error, names)
		}
	}
}

// A folder of runs that is not there has no runs, and one that is a file is an error.
func TestNoFolder(t *testing.T) {
	w := newSite(t, Options{Runs: filepath.Join(t.TempDir(), "runs")})
	if all := w.list(); len(all) != 0 {
		t.Errorf("there are %v", all)
	}
	w.refused(http.StatusNotFound, "not_found_error", "GET", "/v1/runs/a", "")
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for _, o := range []Options{{Runs: file}, {Data: file}, {Data: file + "s"}} {
		if o.Runs == "" {
			o.Runs = t.TempDir()
		}
		if _, err := New(o); err == nil {
			t.Errorf("%+v is no error", o)
		}
	}
}
