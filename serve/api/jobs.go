package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// jobs are the jobs that are kept. They live in memory: a server that starts again has none.
type jobs struct {
	opt  Options
	live budget // of what came with, and is kept of, those that have not ended

	mu     sync.Mutex
	byID   map[string]*job
	order  []*job // the oldest first
	closed bool
	under  sync.WaitGroup // of those that have not ended
}

func newJobs(o Options) *jobs {
	return &jobs{opt: o, byID: map[string]*job{}, live: budget{bound: o.JobBytes}}
}

// A budget counts bytes up to a bound.
type budget struct {
	bound int64
	used  atomic.Int64
}

// take counts n bytes, and reports whether there was room for them. Where there was not, it counts
// nothing.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.bound {
		return true
	}
	b.give(n)
	return false
}

// give gives n bytes back.
func (b *budget) give(n int64) { b.used.Add(-n) }

// add keeps a job and starts it. It lets go of the oldest finished ones where there are too many.
func (s *jobs) add(j *job, run func(*job)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return draw.ErrClosing
	}
	if !s.makeRoom(nil) {
		return noRoom("%d jobs are under way: try again when one has ended", len(s.order))
	}
	if !s.live.take(j.sent) {
		return noRoom("the jobs under way hold as many pictures as there is memory for: try again when one has ended")
	}
	s.byID[j.id] = j
	s.order = append(s.order, j)
	s.under.Go(func() {
		run(j)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.makeRoom(j)
	})
	return nil
}

// noRoom is the problem of a job for which there is no room.
func noRoom(format string, args ...any) error {
	return &problem.Problem{Status: http.StatusTooManyRequests, Type: problem.TooMany, Code: "jobs_full",
		Message: fmt.Sprintf(format, args...), RetryAfter: time.Second}
}

// makeRoom lets go of finished jobs, the oldest first, until there is room for another one. It
// reports whether there is. It leaves the job that ended just now, if any. s.mu is held.
func (s *jobs) makeRoom(last *job) bool {
	var bytes int64
	for _, j := range s.order {
		if j.ended() {
			bytes += j.size()
		}
	}
	s.order = slices.DeleteFunc(s.order, func(j *job) bool {
		full := len(s.byID) >= s.opt.Jobs || bytes > s.opt.JobBytes
		if !full || j == last || !j.ended() {
			return false
		}
		bytes -= j.size()
		delete(s.byID, j.id)
		return true
	})
	return len(s.byID) < s.opt.Jobs
}

// remove forgets a job.
func (s *jobs) remove(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, j.id)
	s.order = slices.DeleteFunc(s.order, func(other *job) bool { return other == j })
}

// get returns a job, or a problem.
func (s *jobs) get(id string) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.byID[id]; j != nil {
		return j, nil
	}
	return nil, &problem.Problem{Status: http.StatusNotFound, Type: problem.NotFound, Code: "job_not_found",
		Message: "there is no such job: it was let go for newer ones, or the server has started again"}
}

// newest returns up to n jobs, the newest first.
func (s *jobs) newest(n int) []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.order[max(0, len(s.order)-n):])
	slices.Reverse(list)
	return list
}

// close refuses new jobs and waits for the others; when ctx ends, it cancels them.
func (s *jobs) close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	all := slices.Collect(maps.Values(s.byID))
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.under.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	for _, j := range all {
		j.cancel()
	}
	<-done
}

// newID returns a name for a job that nobody guesses.
func newID() string { return "job_" + rand.Text() }

// A jobJSON is a job as clients see it.
type jobJSON struct {
	ID               string          `json:"id"`
	Kind             draw.Kind       `json:"kind"`
	Model            string          `json:"model"`
	Status           status          `json:"status"`
	Created          time.Time       `json:"created"`
	Finished         *time.Time      `json:"finished"`
	DoneImages       int             `json:"done_images"`
	Count            int             `json:"count"` // images of the whole job
	Error            *problem.Fields `json:"error"`
	Request          requestJSON     `json:"request"`
	Evaluations      *float64        `json:"evaluations"`
	BitsPerDimension []float64       `json:"bits_per_dimension"`
	Command          *string         `json:"command"`
	Notes            []string        `json:"notes"`
}

// A requestJSON is what a job was asked for, with the defaults filled in that are known.
type requestJSON struct {
	Classes   string  `json:"classes"`
	NoClass   bool    `json:"no_class"`
	Count     int     `json:"count"`
	Seed      uint64  `json:"seed"`
	Solver    string  `json:"solver"`
	Steps     int     `json:"steps"`
	Guidance  float64 `json:"guidance"`
	TimeShift float64 `json:"time_shift,omitempty"`
	Every     int     `json:"guidance_every,omitempty"`
	Tol       float64 `json:"tol"`
	Noise     float64 `json:"noise_level"`
	Level     float64 `json:"level"`
	Times     int     `json:"times"`
	Inputs    int     `json:"images"` // pictures that came with the request
	Mask      bool    `json:"mask"`   // whether a mask did
	States    bool    `json:"states"`
}

// A status says how far a job is.
type status string

// The statuses. A job never leaves the last three.
const (
	waiting   status = "waiting"
	running   status = "running"
	done      status = "done"
	failed    status = "failed"
	cancelled status = "cancelled"
)

// snapshot returns the job as it is now.
func (j *job) snapshot() jobJSON {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.snapshotLocked()
}

func (j *job) snapshotLocked() jobJSON {
	o := j.shown()
	out := jobJSON{
		ID: j.id, Kind: j.request.Kind, Model: j.model.Name, Status: j.status, Created: j.created,
		DoneImages: j.drawn, Count: j.images, Notes: append([]string{}, j.notes...),
		Request: requestJSON{
			Classes: o.Class, NoClass: o.NoClass, Count: o.Count, Seed: o.Seed, Solver: o.Solver,
			Steps: o.Steps, Guidance: o.Guidance, TimeShift: o.TimeShift, Every: o.GuidanceEvery, Tol: o.Tol, Noise: o.NoiseLevel, Level: j.request.Level,
			Times: j.request.Times, Inputs: j.inputs, Mask: j.mask, States: j.states,
		},
	}
	if j.command != "" {
		out.Command = new(j.command) // the end of the job may write another one
	}
	if j.status.final() {
		at := j.finished
		out.Finished = &at
	}
	if j.err != nil {
		fields := j.err.Fields()
		out.Error = &fields
	}
	if r := j.result; r != nil {
		out.Evaluations, out.BitsPerDimension = &r.Evaluations, r.BitsPerDimension
	}
	return out
}

// shown returns how images are drawn, with defaults where the drawer has not filled them in yet.
// j.mu is held.
func (j *job) shown() sample.Options {
	o, m := j.request.Sample, j.model
	if j.request.Kind == draw.Likelihood {
		return o
	}
	if j.request.Kind != draw.Generate {
		usual := edit.VaryOptions{}.WithDefaults()
		option.SetDefault(&o.Solver, usual.Solver)
		option.SetDefault(&o.Guidance, usual.Guidance)
		return o
	}
	option.SetDefault(&o.Solver, m.Solver)
	option.SetDefault(&o.Guidance, m.Guidance)
	if o.Solver == m.Solver {
		option.SetDefault(&o.Steps, m.Steps)
	} else if o.Solver != adaptive {
		o.Steps = o.Method.WithDefaults().Steps
	}
	if o.Solver == adaptive { // which has none
		o.TimeShift = 0
	}
	return o
}

// final reports whether a job of the status has ended.
func (s status) final() bool { return s == done || s == failed || s == cancelled }
