package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/serve/draw"
)

// submit starts a job and returns it as it was accepted.
func (s *site) submit(body string) jobJSON {
	s.t.Helper()
	w, text := s.post("/v1/jobs", body)
	j := s.parse(text)
	if w.StatusCode != http.StatusAccepted || w.Header.Get("Location") != "/v1/jobs/"+j.ID {
		s.t.Fatalf("%s: status %d, %s", body, w.StatusCode, text)
	}
	return j
}

func (s *site) parse(text string) jobJSON {
	s.t.Helper()
	var j jobJSON
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return j
}

// job returns a job as it is now.
func (s *site) job(id string) jobJSON {
	s.t.Helper()
	_, text := s.get("/v1/jobs/" + id)
	return s.parse(text)
}

// follow returns all events of a job, from those behind an id.
func (s *site) follow(id, last string) []sseEvent {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+"/v1/jobs/"+id+"/events", http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", last)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusOK {
		s.t.Fatalf("status %d, %s, %v", w.StatusCode, text, err)
	}
	return events(string(text))
}

// names returns the names of events, each run of the same once with its length.
func names(list []sseEvent) string {
	var out []string
	for i := 0; i < len(list); {
		n := 1
		for i+n < len(list) && list[i+n].name == list[i].name {
			n++
		}
		out = append(out, fmt.Sprintf("%d %s", n, list[i].name))
		i += n
	}
	return strings.Join(out, ", ")
}

// A job is followed from its beginning, and again from any event, to its end.
func TestJob(t *testing.T) {
	s := newSite(t, Options{Command: func(r draw.Request, m draw.Model) string { return "draw " + m.Path + " " + r.Sample.Class }})
	j := s.submit(`{"kind": "generate", "classes": "zero,one", "count": 3, "seed": 7}`)
	if j.Count != 3 || j.Request.Seed != 7 || j.Request.Solver != "euler" || j.Request.Steps != fakeSteps || *j.Command != "draw digits zero,one" {
		t.Errorf("accepted as %+v", j)
	}
	list := s.follow(j.ID, "")
	if got, want := names(list), "2 job, 15 state, 3 image, 1 end"; got != want {
		t.Fatalf("events %s, want %s", got, want)
	}
	for i, e := range list {
		if e.id != fmt.Sprint(i+1) {
			t.Errorf("event %d has id %s", i, e.id)
		}
	}
	for _, last := range []int{1, 5, 19, 20} {
		if again := s.follow(j.ID, fmt.Sprint(last)); !slices.Equal(again, list[last:]) {
			t.Errorf("behind %d came %s", last, names(again))
		}
	}
	if rest := s.follow(j.ID, "999"); len(rest) != 0 {
		t.Errorf("behind the end came %s", names(rest))
	}
	done := s.job(j.ID)
	if done.Status != "done" || done.DoneImages != 3 || done.Finished == nil || *done.Evaluations != fakeSteps || done.Error != nil {
		t.Errorf("ended as %+v", done)
	}
	s.checkEvents(list)
	if _, text := s.get("/v1/jobs"); !strings.Contains(text, j.ID) {
		t.Errorf("the list lacks it: %s", text)
	}
}

// An event is of its time: its command is the one that the job had then, not the one of its end.
func TestJobCommand(t *testing.T) {
	var written atomic.Int64
	s := newSite(t, Options{Command: func(draw.Request, draw.Model) string { return fmt.Sprint("command ", written.Add(1)) }})
	j := s.submit(`{"kind": "vary", "count": 2, "images": ["` + upload64() + `"]}`)
	list := s.follow(j.ID, "")
	first, last := s.parse(list[0].data), s.job(j.ID)
	if got := value(first.Command); got != "command 1" {
		t.Errorf("the first event has %q, want command 1", got)
	}
	if got := value(last.Command); got != "command 2" {
		t.Errorf("the job has %q at last, want command 2", got)
	}
}

// checkEvents looks into a state and the images of TestJob.
func (s *site) checkEvents(list []sseEvent) {
	s.t.Helper()
	var state stateJSON
	if err := json.Unmarshal([]byte(list[5].data), &state); err != nil || state.Steps != fakeSteps {
		s.t.Fatalf("state %s: %v", list[5].data, err)
	}
	m, _ := picture64(s.t, state.PNG)
	if want := dataset.ToByte(pixel(state.Image, state.Step, 1)); m.(*image.Gray).Pix[1] != want {
		s.t.Errorf("the second pixel of image %d at step %d is %d, not %d", state.Image, state.Step, m.(*image.Gray).Pix[1], want)
	}
	for i, want := range []string{"zero", "one", ""} {
		var d drawnJSON
		if err := json.Unmarshal([]byte(list[17+i].data), &d); err != nil || d.Image != i {
			s.t.Fatalf("image %s: %v", list[17+i].data, err)
		}
		if got := value(d.ClassName); got != want || (d.Class == nil) != (want == "") {
			s.t.Errorf("image %d is of class %q, not %q", i, got, want)
		}
	}
}

// The files of a job are its images, a grid of them, their way and their numbers.
func TestJobFiles(t *testing.T) {
	s := newSite(t, Options{})
	j := s.submit(`{"count": 5}`)
	s.follow(j.ID, "")
	base := "/v1/jobs/" + j.ID
	for path, want := range map[string]string{
		base + "/images/0.png":          "image/png 6x4",
		base + "/images/4.png?scale=3":  "image/png 18x12",
		base + "/grid.png":              "image/png 26x14",
		base + "/grid.png?padding=0":    "image/png 18x8",
		base + "/grid.png?scale=2":      "image/png 44x22",
		base + "/way.gif?padding=0":     "image/gif 18x8",
		base + "/images.npy":            "application/octet-stream",
		base + "/images/5.png":          "404 not_found_error <nil>",
		base + "/images/-1.png":         "404 not_found_error <nil>",
		base + "/images/00.png":         "404 not_found_error <nil>",
		base + "/images/0.jpg":          "404 not_found_error <nil>",
		base + "/images/0.png?scale=33": "400 invalid_request_error scale",
		base + "/grid.png?scale=x":      "400 invalid_request_error scale",
		base + "/grid.png?padding=-1":   "400 invalid_request_error padding",
		"/v1/jobs/job_x/grid.png":       "404 not_found_error <nil>",
		"/v1/jobs/job_x/images/0.png":   "404 not_found_error <nil>",
	} {
		w, text := s.get(path)
		got := mistake(w, text)
		if w.StatusCode == http.StatusOK {
			got = w.Header.Get("Content-Type")
			if m, _, err := image.DecodeConfig(strings.NewReader(text)); err == nil {
				got += fmt.Sprintf(" %dx%d", m.Width, m.Height)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	_, text := s.get(base + "/way.gif")
	if m, err := gif.DecodeAll(strings.NewReader(text)); err != nil || len(m.Image) != fakeSteps+1 {
		t.Errorf("the way has %d frames, %v", len(m.Image), err)
	}
	if w, _ := s.get(base + "/images.npy"); !strings.HasPrefix(w.Header.Get("Content-Disposition"), "attachment") {
		t.Error("the numbers are shown, not saved")
	}
	still := s.submit(`{"states": false}`)
	if got := names(s.follow(still.ID, "")); got != "2 job, 1 image, 1 end" {
		t.Errorf("without states: %s", got)
	}
	if w, text := s.get("/v1/jobs/" + still.ID + "/way.gif"); mistake(w, text) != "404 not_found_error <nil>" {
		t.Errorf("a way without states: %s", text)
	}
}

// upload64 is a small picture in base64.
func upload64() string {
	var out bytes.Buffer
	_ = png.Encode(&out, image.NewGray(image.Rect(0, 0, 6, 4))) // into memory
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

// Each kind takes its own fields; a mistake has its field.
func TestJobFields(t *testing.T) {
	s := newSite(t, Options{})
	p := `"` + upload64() + `"`
	for body, want := range map[string]string{
		`{"kind": "vary", "images": [` + p + `]}`:                                        "202 8",
		`{"kind": "vary", "images": [` + p + `, ` + p + `], "count": 3, "level": 1}`:     "202 6",
		`{"kind": "interpolate", "images": [` + p + `, ` + p + `]}`:                      "202 8",
		`{"kind": "inpaint", "images": [` + p + `], "mask": ` + p + `, "times": 2}`:      "202 6",
		`{"kind": "likelihood", "images": ["data:image/png;base64,` + upload64() + `"]}`: "202 0",
		`{"no_class": true, "guidance": 1}`:                                              "202 1",
		`{"kind": "paint"}`:                                                              "400 invalid_request_error kind",
		`{"clases": "7"}`:                                                                "400 invalid_request_error clases",
		`{"Seed": 7}`:                                                                    "400 invalid_request_error Seed",
		`{"\u017feed": 7}`:                                                               "400 invalid_request_error \u017feed",
		`{"seed": 7, "count": 1, "seed": 8}`:                                             "400 invalid_request_error seed",
		`{"images": null, "mask": null, "classes": "\\", "count" : 1}`:                   "202 1",
		`{"` + strings.Repeat("y", 100) + `": 1}`:                                        "400 invalid_request_error " + strings.Repeat("y", 80) + "…",
		`{"kind": "interpolate", "images": [` + strings.TrimSuffix(strings.Repeat(p+",", 64), ",") + `], "count": 32}`: "202 1024",
		`{"kind": "interpolate", "images": [` + strings.TrimSuffix(strings.Repeat(p+",", 64), ",") + `], "count": 33}`: "400 invalid_request_error count",
		`{"classes": "what?"}`:                  "400 invalid_request_error classes",
		`{"classes": "zero", "no_class": true}`: "400 invalid_request_error no_class",
		`{"count": 0}`:                          "400 invalid_request_error count",
		`{"count": 1025}`:                       "400 invalid_request_error count",
		`{"count": "3"}`:                        "400 invalid_request_error count",
		`{"level": 0.5}`:                        "400 invalid_request_error level",
		`{"times": 3}`:                          "400 invalid_request_error times",
		`{"images": [` + p + `]}`:               "400 invalid_request_error images",
		`{"images": 7}`:                         "400 invalid_request_error images",
		`{"kind": "vary"}`:                      "400 invalid_request_error images",
		`{"kind": "vary", "images": ["#"]}`:     "400 invalid_request_error images",
		`{"kind": "vary", "images": [""]}`:      "400 invalid_request_error images",
		`{"kind": "vary", "images": [` + p + `], "level": 0}`:                       "400 invalid_request_error level",
		`{"kind": "vary", "images": [` + p + `], "level": 1.1}`:                     "400 invalid_request_error level",
		`{"kind": "vary", "images": [` + p + `], "mask": ` + p + `}`:                "400 invalid_request_error mask",
		`{"kind": "vary", "images": [` + p + `, ` + p + `], "count": 600}`:          "400 invalid_request_error count",
		`{"kind": "vary", "model": "fast", "images": [` + p + `]}`:                  "400 invalid_request_error model",
		`{"kind": "likelihood", "model": "runs/sprites", "images": [` + p + `]}`:    "400 invalid_request_error model",
		`{"kind": "likelihood", "images": [` + p + `], "count": 2}`:                 "400 invalid_request_error count",
		`{"kind": "interpolate", "images": [` + p + `]}`:                            "400 invalid_request_error images",
		`{"kind": "inpaint", "images": [` + p + `]}`:                                "400 invalid_request_error mask",
		`{"kind": "inpaint", "images": [` + p + `], "mask": ` + p + `, "times": 0}`: "400 invalid_request_error times",
		`{"model": "nothing"}`:                              "404 not_found_error model",
		`{"classes": "` + strings.Repeat("x", 1<<17) + `"}`: "413 invalid_request_error <nil>",
	} {
		w, text := s.post("/v1/jobs", body)
		got := mistake(w, text)
		if w.StatusCode == http.StatusAccepted {
			got = fmt.Sprintf("202 %d", s.parse(text).Count)
		}
		if got != want {
			t.Errorf("%.80s: %s (%.200s), want %s", body, got, text, want)
		}
	}
	if _, text := s.get("/v1/jobs"); strings.Count(text, `"kind"`) != 8 {
		t.Errorf("jobs that were refused are listed: %s", text)
	}
}

// DELETE ends a job at once, again and again, and one that is done stays done. A job that nobody
// reads goes on.
func TestJobCancel(t *testing.T) {
	s := newSite(t, Options{})
	s.fake.hold = make(chan struct{})
	j := s.submit(`{}`)
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/jobs/"+j.ID+"/events", http.NoBody)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	w.Body.Close()
	time.Sleep(20 * time.Millisecond)
	if got := s.job(j.ID).Status; got != running {
		t.Errorf("when its reader had gone, the job was %s", got)
	}
	begin := time.Now()
	for range 2 {
		w, text := s.send("DELETE", "/v1/jobs/"+j.ID, "", "")
		if got := s.parse(text); w.StatusCode != http.StatusOK || got.Status != cancelled || got.Error != nil {
			t.Errorf("status %d, %s", w.StatusCode, text)
		}
	}
	if took := time.Since(begin); took > 200*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	if list := s.follow(j.ID, ""); list[len(list)-1].name != "end" {
		t.Errorf("a cancelled job has the events %s", names(list))
	}
	if w, text := s.get("/v1/jobs/" + j.ID + "/grid.png"); mistake(w, text) != "409 conflict_error <nil>" {
		t.Errorf("the grid of a cancelled job: %s", text)
	}
	close(s.fake.hold)
	done := s.submit(`{}`)
	s.follow(done.ID, "")
	if _, text := s.send("DELETE", "/v1/jobs/"+done.ID, "", ""); s.parse(text).Status != "done" {
		t.Errorf("a job that was done became %s", text)
	}
	if w, text := s.send("DELETE", "/v1/jobs/job_x", "", ""); mistake(w, text) != "404 not_found_error <nil>" {
		t.Errorf("no job: %s", text)
	}
}

// The oldest jobs that have ended go when there are too many, or when they take too much. Those
// under way stay.
func TestJobsAreBounded(t *testing.T) {
	s := newSite(t, Options{Jobs: 3})
	s.fake.hold = make(chan struct{})
	first := s.submit(`{}`)
	s.fake.mu.Lock()
	hold := s.fake.hold
	s.fake.hold = nil
	s.fake.mu.Unlock()
	var ids []string
	for range 5 {
		j := s.submit(`{}`)
		s.follow(j.ID, "")
		ids = append(ids, j.ID)
	}
	_, text := s.get("/v1/jobs")
	if !strings.Contains(text, first.ID) || strings.Contains(text, ids[0]) || !strings.Contains(text, ids[4]) || strings.Count(text, `"kind"`) > 3 {
		t.Errorf("kept: %s", text)
	}
	s.fake.mu.Lock()
	s.fake.hold = hold
	s.fake.mu.Unlock()
	s.submit(`{}`)
	s.submit(`{}`)
	if w, text := s.post("/v1/jobs", `{}`); mistake(w, text) != "429 rate_limit_error <nil>" {
		t.Errorf("one more: %s", text)
	}
	close(hold)

	small := newSite(t, Options{JobBytes: 1000})
	for range 4 {
		small.follow(small.submit(`{"count": 4}`).ID, "")
	}
	waitFor(t, func() bool { _, text := small.get("/v1/jobs"); return strings.Count(text, `"kind"`) <= 2 })
	if _, text := small.get("/v1/jobs"); !strings.Contains(text, "states of the way were left out") {
		t.Errorf("no note on what was left out: %s", text)
	}
}

// Pictures that came with jobs are counted until the jobs have ended, and so are states of all jobs
// together. A job whose images alone are more than is kept stays until another one has ended.
func TestJobsUnderWayAreBounded(t *testing.T) {
	picture := upload64()
	file, err := base64.StdEncoding.DecodeString(picture)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(file))
	s := newSite(t, Options{JobBytes: 2*size + size/2})
	s.fake.hold = make(chan struct{})
	body := `{"kind": "vary", "states": false, "count": 1, "images": ["` + picture + `"]}`
	s.submit(body)
	second := s.submit(body)
	w, text := s.post("/v1/jobs", body)
	if mistake(w, text) != "429 rate_limit_error <nil>" || w.Header.Get("Retry-After") != "1" {
		t.Errorf("a third: %s", text)
	}
	s.send("DELETE", "/v1/jobs/"+second.ID, "", "")
	s.submit(body)
	close(s.fake.hold)
	waitFor(t, func() bool { return s.api.jobs.live.used.Load() == 0 })

	tight := newSite(t, Options{JobBytes: 10})
	j := tight.submit(`{"count": 4}`)
	tight.follow(j.ID, "")
	if got := tight.job(j.ID); got.Status != done {
		t.Errorf("the only job is %+v", got)
	}
}

// Large pictures are written a few at a time, and a client that goes away waits for none.
func TestPress(t *testing.T) {
	p := newPress()
	var under, most atomic.Int64
	write := func() error {
		most.Store(max(most.Load(), under.Add(1)))
		time.Sleep(5 * time.Millisecond)
		under.Add(-1)
		return nil
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { _ = p.run(t.Context(), largePicture, write) })
	}
	all.Wait()
	if got := most.Load(); got > largeAtOnce {
		t.Errorf("%d at once", got)
	}
	for range largeAtOnce {
		p.large <- struct{}{}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.run(gone, largePicture, write); !errors.Is(err, context.Canceled) {
		t.Errorf("while it is full: %v", err)
	}
	if err := p.run(gone, largePicture-1, write); err != nil {
		t.Errorf("a small one: %v", err)
	}
}

// A job that fails while it is drawn says why, and an id of an event is a number.
func TestJobFails(t *testing.T) {
	s := newSite(t, Options{})
	s.fake.err = fmt.Errorf("the disk is on fire")
	if w, text := s.post("/v1/jobs", `{}`); w.StatusCode != http.StatusInternalServerError || !strings.Contains(text, "on fire") {
		t.Errorf("status %d, %s", w.StatusCode, text)
	}
	s.fake.err = nil
	j := s.submit(`{}`)
	for _, last := range []string{"x", "-1", "1.5", "+1", "99999999999999999999", " "} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/jobs/"+j.ID+"/events", http.NoBody)
		r.Header["Last-Event-Id"] = []string{last}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
		if want := map[bool]int{true: 200, false: 400}[last == " "]; w.StatusCode != want {
			t.Errorf("Last-Event-ID %q: status %d, want %d", last, w.StatusCode, want)
		}
	}
}

// A server that ends refuses new jobs, and waits for those that there are.
func TestClose(t *testing.T) {
	s := newSite(t, Options{})
	s.fake.hold = make(chan struct{})
	j := s.submit(`{}`)
	closed := make(chan struct{})
	go func() {
		s.api.Close(t.Context())
		close(closed)
	}()
	waitFor(t, func() bool { w, _ := s.post("/v1/jobs", `{}`); return w.StatusCode == http.StatusServiceUnavailable })
	select {
	case <-closed:
		t.Error("it did not wait")
	default:
	}
	close(s.fake.hold)
	<-closed
	if got := s.job(j.ID).Status; got != "done" {
		t.Errorf("the job is %s", got)
	}
}

// Requests, images and the queue are counted.
func TestMetrics(t *testing.T) {
	s := newSite(t, Options{})
	s.post("/v1/images/generations", `{"n": 2}`)
	s.post("/v1/images/generations", `{"n": 0}`)
	s.get("/nothing")
	_, text := s.get("/metrics")
	for _, want := range []string{
		`fmimg_requests_total{route="POST /v1/images/generations",code="200"} 1`,
		`fmimg_requests_total{route="POST /v1/images/generations",code="400"} 1`,
		`fmimg_requests_total{route="other",code="404"} 1`,
		`fmimg_image_seconds_count 2`, `fmimg_images_total 3`, `fmimg_models_loaded 1`, `fmimg_queue_images 0`, `go_goroutines `,
		`fmimg_image_seconds_bucket{le="0.001"}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
