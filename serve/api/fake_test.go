package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/serve/draw"
)

// A fake draws at once, or when it is told to. Pixel p of step s of image i is a number of its own.
type fake struct {
	mu      sync.Mutex
	hold    chan struct{} // a request waits for it after its first state; nil: none waits
	err     error         // of every request
	under   int           // requests that have not ended
	seen    []draw.Request
	stopped time.Time // when a request was cancelled
}

const fakeSteps = 4

// models are those of a fake: with classes, in colours with alpha, and one that only draws.
var models = []draw.Model{
	{Name: "digits", Path: "digits", Kind: "velocity", Shape: pipeline.Shape{Height: 4, Width: 6, Channels: 1}, Classes: []string{"zero", "one"},
		NoClass: true, Guidance: 1.5, Solvers: []string{"euler", "midpoint", "dopri5", "sde"}, Solver: "euler", Steps: fakeSteps,
		Trajectory: true, Edits: true, Likelihood: true, Embedded: true, Created: time.Unix(1700000000, 0), Hash: "ab"},
	{Name: "runs/sprites", Path: "runs/sprites", Kind: "velocity", Shape: pipeline.Shape{Height: 4, Width: 4, Channels: 4}, Solvers: []string{"euler"},
		Solver: "euler", Steps: fakeSteps, Trajectory: true, Edits: true},
	{Name: "fast", Path: "fast", Kind: "flow-map", Shape: pipeline.Shape{Height: 2, Width: 2, Channels: 3}, Steps: 1, StepChoices: []int{1}},
}

func (f *fake) Models() []draw.Model { return models }

func (f *fake) Model(name string) (draw.Model, error) {
	for _, m := range models {
		if m.Name == name || name == "" {
			return m, nil
		}
	}
	return draw.Model{}, draw.ErrNoModel
}

func (f *fake) Stats() draw.Stats { return draw.Stats{Waiting: f.running(), Images: 3, Loaded: 1} }

func (f *fake) running() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.under
}

func (f *fake) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.under += n
}

// pixel is what a fake draws.
func pixel(image, step, i int) float32 { return float32((image*37+step*11+i*5)%256)/127.5 - 1 }

func (f *fake) Do(ctx context.Context, r draw.Request) (*draw.Result, error) {
	f.count(1)
	defer f.count(-1)
	f.mu.Lock()
	f.seen = append(f.seen, r)
	err, hold := f.err, f.hold
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	m, err := f.Model(r.Model)
	if err != nil {
		return nil, err
	}
	if strings.Contains(r.Sample.Class, "?") {
		return nil, option.Errorf("class", option.Quoted(r.Sample.Class), "want zero or one")
	}
	out := &draw.Result{Model: m, Sample: r.Sample, Evaluations: fakeSteps}
	if r.Began != nil {
		r.Began()
	}
	if r.Kind == draw.Likelihood {
		out.BitsPerDimension = make([]float64, len(r.Inputs))
		return out, ctx.Err()
	}
	n := max(r.Sample.Count, 1) * max(len(r.Inputs), 1)
	if r.Kind == draw.Interpolate {
		n /= 2
	}
	for step := range fakeSteps + 1 {
		for i := range n {
			x := make([]float32, m.Shape.Len())
			for p := range x {
				x[p] = pixel(i, step, p)
			}
			if r.Watch != nil {
				r.Watch(draw.State{Image: i, Step: step, Steps: fakeSteps, X: x})
			}
		}
		if hold != nil && step == 1 {
			select {
			case <-hold:
			case <-ctx.Done():
				f.mu.Lock()
				f.stopped = time.Now()
				f.mu.Unlock()
				return nil, ctx.Err()
			}
		}
	}
	out.Images = picture.Blank(m.Shape, n)
	for i := range out.Images.Pixels {
		out.Images.Pixels[i] = pixel(i/m.Shape.Len(), fakeSteps, i%m.Shape.Len())
	}
	if m.Classes != nil {
		out.Images.Labels = make([]int32, n)
		for i := range out.Images.Labels {
			out.Images.Labels[i] = int32(i % 3) // the last is no class
		}
	}
	return out, ctx.Err()
}

// A site is a server over a fake.
type site struct {
	*httptest.Server
	t    *testing.T
	fake *fake
	api  *API
}

func newSite(t *testing.T, o Options) *site {
	f := &fake{}
	a := New(f, o)
	mux := http.NewServeMux()
	a.Register(mux)
	s := &site{httptest.NewServer(a.Count(mux)), t, f, a}
	t.Cleanup(func() {
		s.Close()
		a.Close(t.Context()) // which has ended
		if n := f.running(); n != 0 {
			t.Errorf("%d requests are still drawn", n)
		}
	})
	return s
}

// send sends a request and returns its response with the body read.
func (s *site) send(method, path, contentType, body string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return w, string(text)
}

func (s *site) get(path string) (*http.Response, string) { return s.send("GET", path, "", "") }

func (s *site) post(path, body string) (*http.Response, string) {
	return s.send("POST", path, "application/json", body)
}
