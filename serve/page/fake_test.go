package page_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/serve/page"
)

// policy is the Content-Security-Policy of the server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

type object = map[string]any

// A fake speaks as the server does, with pixels of the embedded model.
type fake struct {
	*http.ServeMux
	checkpoint *model.Checkpoint

	mu    sync.Mutex
	jobs  map[string]*fakeJob
	runs  []*fakeRun
	token string // the token that it asks for; empty: none
}

type fakeJob struct {
	state  object
	images *picture.Images
	events []string
	cancel context.CancelFunc
	news   chan struct{}
}

type fakeRun struct {
	name    string
	begun   time.Time
	status  string
	steps   int
	stopped int // step
}

func newFake(t *testing.T) (*fake, *httptest.Server) {
	t.Helper()
	checkpoint, err := model.Open("mnist", pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{ServeMux: http.NewServeMux(), checkpoint: checkpoint, jobs: map[string]*fakeJob{}}
	f.runs = []*fakeRun{
		{name: "digits", status: "stopped", steps: 4000, stopped: 4000},
		{name: "smaller", status: "stopped", steps: 4000, stopped: 2600},
	}
	f.Handle("GET /", page.Handler())
	f.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	f.HandleFunc("GET /v1/models", f.models)
	f.HandleFunc("POST /v1/jobs", f.submit)
	f.HandleFunc("GET /v1/jobs/{id}", f.job)
	f.HandleFunc("DELETE /v1/jobs/{id}", f.cancel)
	f.HandleFunc("GET /v1/jobs/{id}/events", f.follow)
	f.HandleFunc("GET /v1/data", f.data)
	f.HandleFunc("GET /v1/runs", f.list)
	f.HandleFunc("POST /v1/runs", f.start)
	f.HandleFunc("GET /v1/runs/{name}", f.run)
	f.HandleFunc("DELETE /v1/runs/{name}", f.remove)
	f.HandleFunc("POST /v1/runs/{name}/stop", f.stop)
	f.HandleFunc("GET /v1/runs/{name}/curve", f.curve)
	f.HandleFunc("GET /v1/runs/{name}/events", f.watch)
	f.HandleFunc("GET /v1/runs/{name}/previews/{file}", f.preview)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return f, server
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, param, message string) {
	answer(w, status, object{"error": object{"message": message, "type": "invalid_request_error", "param": param}})
}

func (f *fake) models(w http.ResponseWriter, _ *http.Request) {
	digits := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
	answer(w, 200, object{"object": "list", "data": []object{
		{
			"id": "mnist", "about": "digits as people write them", "width": 28, "height": 28, "classes": digits, "no_class": true,
			"guidance": 1.15, "solvers": []string{"euler", "heun", "adams2"}, "solver": "adams2", "steps": 8,
			"step_choices": nil, "trajectory": true, "edits": true, "likelihood": true,
		},
		{
			"id": "mnist-fast", "about": "the same in four evaluations", "width": 28, "height": 28, "classes": digits,
			"no_class": false, "guidance": nil, "solvers": []string{}, "solver": "", "steps": 4,
			"step_choices": []int{1, 2, 4}, "trajectory": false, "edits": false, "likelihood": false,
		},
	}})
}

func (f *fake) submit(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Kind, Model, Classes, Solver string
		Count, Steps                 int
		Seed                         uint64
		Guidance                     float64
		Images                       []string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, 400, "", err.Error())
		return
	}
	if in.Steps > 1000 {
		refuse(w, 400, "steps", fmt.Sprintf("steps %d: want 1 to 1000", in.Steps))
		return
	}
	if in.Steps == 0 {
		in.Steps = 8
	}
	f.mu.Lock()
	id := strconv.Itoa(len(f.jobs) + 1)
	ctx, cancel := context.WithCancel(context.Background())
	j := &fakeJob{cancel: cancel, news: make(chan struct{}), state: object{
		"id": id, "kind": in.Kind, "model": in.Model, "status": "waiting", "count": in.Count, "done_images": 0,
		"error": nil, "request": object{"seed": in.Seed, "steps": in.Steps, "solver": "adams2", "guidance": 1.15},
		"bits_per_dimension": nil, "notes": []string{},
		"command": fmt.Sprintf("fm"+"img generate -%s %d", "-seed", in.Seed),
	}}
	f.jobs[id] = j
	f.mu.Unlock()
	o := sample.Options{Count: max(in.Count, 1), Seed: in.Seed, Class: in.Classes}
	o.Steps = in.Steps
	go f.draw(ctx, j, in.Kind, o)
	f.mu.Lock()
	defer f.mu.Unlock()
	answer(w, 202, j.state)
}

func (f *fake) draw(ctx context.Context, j *fakeJob, kind string, o sample.Options) {
	f.event(j, "job", func() any { j.state["status"] = "running"; return j.state })
	if kind == "likelihood" {
		f.event(j, "end", func() any {
			j.state["status"], j.state["bits_per_dimension"] = "done", []float64{1.2345}
			return object{"job": j.state}
		})
		return
	}
	s, err := sample.NewSampler(f.checkpoint, o)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	shape := f.checkpoint.Shape()
	images, err := s.DrawFrames(ctx, 0, o.Count, func(from, step int, x []float32) {
		for i := range len(x) / shape.Len() {
			state := picture.Blank(shape, 1)
			copy(state.Pixels, x[i*shape.Len():])
			f.event(j, "state", func() any {
				return object{"image": from + i, "step": step, "steps": o.Steps, "png": encoded(state, 1)}
			})
		}
	})
	if err != nil {
		f.event(j, "end", func() any { j.state["status"] = "cancelled"; return object{"job": j.state} })
		return
	}
	j.images = images
	for i := range images.Len() {
		f.event(j, "image", func() any {
			class := strconv.Itoa(int(images.Labels[i]))
			return object{"image": i, "class": images.Labels[i], "class_name": class, "png": encoded(images.Slice(i, i+1), 1)}
		})
	}
	f.event(j, "end", func() any {
		j.state["status"], j.state["done_images"] = "done", images.Len()
		return object{"job": j.state}
	})
}

// encoded returns images as a PNG in base64.
func encoded(images *picture.Images, columns int) string {
	m, err := picture.Grid(images, picture.GridOptions{Rows: images.Len() / columns, Cols: columns, Padding: -1})
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	if err := picture.WritePNG(&out, m, nil); err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

func (f *fake) event(j *fakeJob, name string, data func() any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := json.Marshal(data())
	if err != nil {
		panic(err)
	}
	j.events = append(j.events, fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", len(j.events)+1, name, text))
	close(j.news)
	j.news = make(chan struct{})
}

func (f *fake) found(w http.ResponseWriter, r *http.Request) *fakeJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.jobs[r.PathValue("id")]
	if j == nil {
		refuse(w, 404, "", "there is no such job")
	}
	return j
}

func (f *fake) job(w http.ResponseWriter, r *http.Request) {
	if j := f.found(w, r); j != nil {
		answer(w, 200, j.state)
	}
}

func (f *fake) cancel(w http.ResponseWriter, r *http.Request) {
	if j := f.found(w, r); j != nil {
		j.cancel()
		answer(w, 200, j.state)
	}
}

func (f *fake) follow(w http.ResponseWriter, r *http.Request) {
	j := f.found(w, r)
	if j == nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	last, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	for {
		f.mu.Lock()
		events, news := j.events[last:], j.news
		f.mu.Unlock()
		for _, e := range events {
			fmt.Fprint(w, e)
		}
		last += len(events)
		w.(http.Flusher).Flush()
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

func (f *fake) data(w http.ResponseWriter, _ *http.Request) {
	answer(w, 200, object{"data": []object{{"name": "mnist", "about": "handwritten digits"}, {"name": "photos", "about": "folder"}}})
}

func (r *fakeRun) step() int {
	if r.status != "training" {
		return r.stopped
	}
	return min(r.steps, int(20*time.Since(r.begun).Seconds())+1)
}

func (r *fakeRun) object() object {
	training := r.status == "training"
	o := object{
		"name": r.name, "status": r.status, "job": "train", "step": r.step(), "steps": r.steps,
		"seconds": float64(r.step()) / 20, "loss": loss(r.step()), "validation": loss(r.step()) + 0.01,
		"images_per_second": 1280.5, "eta": float64(r.steps-r.step()) / 20, "data": "mnist",
		"classes": []string{"0", "1", "2"}, "preset": "base", "created": time.Now(), "changed": time.Now(),
		"can":   object{"stop": training, "resume": !training, "extend": false, "distil": !training, "delete": !training},
		"error": nil, "model": "runs/" + r.name,
	}
	return o
}

func loss(step int) float64 { return 0.12 + 0.9*math.Exp(-float64(step)/300) + 0.01*math.Sin(float64(step)) }

func (f *fake) list(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []object{}
	for _, r := range f.runs {
		all = append(all, r.object())
	}
	answer(w, 200, object{"data": all})
}

func (f *fake) named(w http.ResponseWriter, r *http.Request) *fakeRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, run := range f.runs {
		if run.name == r.PathValue("name") {
			return run
		}
	}
	refuse(w, 404, "", "there is no such run")
	return nil
}

func (f *fake) start(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	run := &fakeRun{name: in.Name, begun: time.Now(), status: "training", steps: 1000}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs = append([]*fakeRun{run}, f.runs...)
	answer(w, 202, run.object())
}

func (f *fake) run(w http.ResponseWriter, r *http.Request) {
	if run := f.named(w, r); run != nil {
		o := run.object()
		o["config"] = object{"batch": 64, "rate": 0.002, "matching": object{"path": "linear"}}
		o["card"] = "# " + run.name + "\n\nA model of handwritten digits."
		o["previews"] = []int{100, 200}
		answer(w, 200, o)
	}
}

func (f *fake) stop(w http.ResponseWriter, r *http.Request) {
	if run := f.named(w, r); run != nil {
		run.stopped, run.status = run.step(), "stopped"
		answer(w, 202, run.object())
	}
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, run := range f.runs {
		if run.name == r.URL.Query().Get("confirm") {
			f.runs = append(f.runs[:i], f.runs[i+1:]...)
			break
		}
	}
	w.WriteHeader(204)
}

func points(from, to int) object {
	l, v := [][2]float64{}, [][2]float64{}
	for s := from + 1; s <= to; s += 1 + (to-from)/400 {
		l = append(l, [2]float64{float64(s), loss(s)})
		if s%50 == 0 {
			v = append(v, [2]float64{float64(s), loss(s) + 0.01})
		}
	}
	return object{"from": from, "loss": l, "validation": v, "images_per_second": [][2]float64{}}
}

func (f *fake) curve(w http.ResponseWriter, r *http.Request) {
	if run := f.named(w, r); run != nil {
		answer(w, 200, points(0, run.step()))
	}
}

func (f *fake) watch(w http.ResponseWriter, r *http.Request) {
	run := f.named(w, r)
	if run == nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	for {
		text, _ := json.Marshal(run.object())
		more, _ := json.Marshal(points(from, run.step()))
		from = run.step()
		fmt.Fprintf(w, "event: run\ndata: %s\n\nevent: points\ndata: %s\n\n", text, more)
		w.(http.Flusher).Flush()
		select {
		case <-time.After(500 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

func (f *fake) preview(w http.ResponseWriter, _ *http.Request) {
	images, err := sample.Draw(context.Background(), f.checkpoint, sample.Options{Count: 40, Class: "0-9"})
	if err != nil {
		panic(err)
	}
	file, _ := base64.StdEncoding.DecodeString(encoded(images, 10))
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(file)
}

// serveAll returns the address of a server.
func serveAll(t *testing.T) string {
	_, server := newFake(t)
	return server.URL
}
