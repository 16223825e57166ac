package runs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A site is a service behind a server of a test.
type site struct {
	t       *testing.T
	service *Service
	server  *httptest.Server
	runs    string // the folder
}

// newSite serves the runs of a folder. Watchers look ten times a second.
func newSite(t *testing.T, o Options) *site {
	t.Helper()
	o.Threads = 2
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.poll = 100 * time.Millisecond
	w := &site{t: t, service: s, server: httptest.NewServer(s.Handler()), runs: o.Runs}
	t.Cleanup(w.close)
	return w
}

// close ends the service, which saves what trains, and the server.
func (w *site) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.service.Close(ctx); err != nil {
		w.t.Error(err)
	}
	w.server.Close()
}

// do sends a request, and returns the status and the body.
func (w *site) do(method, path, body string) (int, []byte) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, text
}

// want sends a request that should have a status, and reads the body into value unless that is nil.
func (w *site) want(status int, method, path, body string, value any) {
	w.t.Helper()
	got, text := w.do(method, path, body)
	if got != status {
		w.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, got, status, text)
	}
	if value == nil {
		return
	}
	if err := json.Unmarshal(text, value); err != nil {
		w.t.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
}

// A fault is the body of an error.
type fault struct {
	Error struct{ Message, Type, Param string }
}

// refused sends a request that should be refused with a status and a type. It returns the error.
func (w *site) refused(status int, kind, method, path, body string) fault {
	w.t.Helper()
	var f fault
	w.want(status, method, path, body, &f)
	if f.Error.Type != kind || f.Error.Message == "" || strings.Contains(f.Error.Message, "\n") {
		w.t.Errorf("%s %s %s: %+v, want one line of type %s", method, path, body, f.Error, kind)
	}
	return f
}

// run describes a run.
func (w *site) run(name string) (d Details) {
	w.t.Helper()
	w.want(http.StatusOK, "GET", "/v1/runs/"+name, "", &d)
	return d
}

// list describes all runs.
func (w *site) list() []Run {
	w.t.Helper()
	var all struct{ Data []Run }
	w.want(http.StatusOK, "GET", "/v1/runs", "", &all)
	return all.Data
}

// until waits until a run has a status.
func (w *site) until(name string, status Status) Details {
	w.t.Helper()
	return w.untilTrue(name, string(status), func(d Details) bool { return d.Status == status })
}

// untilTrue waits until what is described in words holds for a run.
func (w *site) untilTrue(name, what string, holds func(Details) bool) (d Details) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if d = w.run(name); holds(d) {
			return d
		}
	}
	text, _ := json.Marshal(d)
	w.t.Fatalf("run %s is not %s: %s", name, what, text)
	return d
}

// An event is one of server-sent events.
type event struct {
	name, id string
	data     []byte
}

// watch follows a run. The channel is closed at the end of the stream, which the test ends by
// cancel.
func (w *site) watch(name, query string) (events <-chan event, cancel func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+"/v1/runs/"+name+"/events"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("status %d, %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	sent := make(chan event, 1000)
	go func() {
		defer close(sent)
		defer resp.Body.Close()
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = bytes.Clone([]byte(value))
			case "":
				sent <- e
				e = event{}
			}
		}
	}()
	return sent, cancel
}

// next waits for an event of a name.
func next(t *testing.T, events <-chan event, name string) event {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before an event %s", name)
			}
			if e.name == name {
				return e
			}
		case <-late:
			t.Fatalf("no event %s came", name)
		}
	}
}

// write writes a file below a folder, and makes the folders that it needs.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// metricLines returns the lines of metrics.jsonl of some steps, 32 images and 0.1 s each.
func metricLines(from, to int) string {
	var b strings.Builder
	for step := from; step <= to; step++ {
		fmt.Fprintf(&b, `{"step":%d,"images":%d,"loss":%g,"grad_norm":1,"lr":0.004,"seconds":%.3f`,
			step, 32*step, 1/float64(step), float64(step)/10)
		if step%10 == 0 {
			fmt.Fprintf(&b, `,"validation_loss":%g`, 2/float64(step))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// config is the config.json of a run that has not finished.
const config = `{"fmimg": "v1", "options": {"steps": 100, "batch": 32, "preset": "tiny", "objective": "velocity", "data": "digits"},
"data": {"name": "digits", "images": 9, "height": 8, "width": 8, "channels": 1, "classes": ["a", "b"]},
"steps_done": 20, "images_done": 640, "finished": false}`

// fakeRun writes a folder that looks like a stopped run of 30 steps.
func fakeRun(t *testing.T, runs, name string) string {
	t.Helper()
	dir := filepath.Join(runs, name)
	for file, text := range map[string]string{
		"config.json": config, "metrics.jsonl": metricLines(1, 30), "state.safetensors": "s", "model.safetensors": "m",
		".lock": "", "README.md": "# " + name + "\n", "samples/step-000010.png": "first", "samples/step-000020.png": "second",
	} {
		write(t, filepath.Join(dir, file), text)
	}
	return dir
}
