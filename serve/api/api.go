package api

import (
	"context"
	"net/http"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// Options say how an [API] answers. The zero value of each option is its default.
type Options struct {
	// Command returns the command line that makes the images of a request by a model, in the words
	// of the program; nil, or an empty one: there is none.
	Command func(draw.Request, draw.Model) string
	// Jobs is how many jobs are kept, and JobBytes how much of what they drew; 0: 256, and 256 MB.
	// Those that are finished go first, the oldest of them.
	Jobs     int
	JobBytes int64
	// Heartbeat is how often a stream without events says that it is alive; 0: 15 s.
	Heartbeat time.Duration
}

// The defaults of options.
const (
	defaultJobs      = 256
	defaultJobBytes  = 256 << 20
	defaultHeartbeat = 15 * time.Second
)

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Jobs, defaultJobs)
	option.SetDefault(&o.JobBytes, defaultJobBytes)
	option.SetDefault(&o.Heartbeat, defaultHeartbeat)
	if o.Command == nil {
		o.Command = func(draw.Request, draw.Model) string { return "" }
	}
	return o
}

// An API answers requests for images.
type API struct {
	drawer  draw.Drawer
	opt     Options
	jobs    *jobs
	metrics *metrics
	press   *press
}

// New returns an API over a drawer. Close ends it.
func New(d draw.Drawer, o Options) *API {
	o = o.WithDefaults()
	return &API{drawer: d, opt: o, jobs: newJobs(o), metrics: newMetrics(d), press: newPress()}
}

// Register adds the routes to a mux.
func (a *API) Register(mux *http.ServeMux) {
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /v1/models":                  a.listModels,
		"GET /v1/models/{id...}":          a.getModel,
		"POST /v1/images/generations":     a.generations,
		"POST /v1/images/edits":           a.edits,
		"POST /v1/jobs":                   a.postJob,
		"GET /v1/jobs":                    a.listJobs,
		"GET /v1/jobs/{id}":               a.getJob,
		"DELETE /v1/jobs/{id}":            a.deleteJob,
		"GET /v1/jobs/{id}/events":        a.jobEvents,
		"GET /v1/jobs/{id}/images/{file}": a.jobImage,
		"GET /v1/jobs/{id}/images.npy":    a.jobNPY,
		"GET /v1/jobs/{id}/grid.png":      a.jobGrid,
		"GET /v1/jobs/{id}/way.gif":       a.jobWay,
		"GET /healthz":                    healthz,
		"GET /metrics":                    a.metrics.serve,
		"GET /openapi.json":               openAPI,
	} {
		mux.HandleFunc(pattern, handle)
	}
}

// Close refuses new jobs, and returns when those that there are have ended. When ctx ends it
// cancels them. Requests that wait for their images end by their own contexts.
func (a *API) Close(ctx context.Context) { a.jobs.close(ctx) }

// healthz says that the server answers.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// do draws for a request that waits for it, and counts what was drawn.
func (a *API) do(ctx context.Context, r draw.Request) (*draw.Result, error) {
	begin := time.Now()
	result, err := a.drawer.Do(ctx, r)
	if err == nil && result.Images != nil {
		a.metrics.drawn(result.Images.Len(), time.Since(begin))
	}
	return result, err
}

// settle fills in what does not depend on what the drawer finds: the model's name and the method
// that it takes unless told another. It returns a problem where no model has the name.
func (a *API) settle(r *draw.Request) (draw.Model, error) {
	if r.Model == "" {
		all := a.drawer.Models()
		if len(all) == 0 {
			return draw.Model{}, &problem.Problem{Status: http.StatusNotFound, Type: problem.NotFound, Param: "model",
				Code: "model_not_found", Message: "there are no models"}
		}
		r.Model = all[0].Name
	}
	m, err := a.drawer.Model(r.Model)
	if err != nil {
		return m, err
	}
	r.Model = m.Name
	return m, checkMethod(m, &r.Sample)
}

// checkMethod reports the first option of a method that the model cannot take.
func checkMethod(m draw.Model, o *sample.Options) error {
	if o.Solver != "" {
		if len(m.Solvers) == 0 {
			return option.Errorf("solver", o.Solver, "%s has one way to draw: leave it out", m.Name)
		}
		if err := option.OneOf("solver", o.Solver, m.Solvers...); err != nil {
			return err
		}
	}
	return nil
}
