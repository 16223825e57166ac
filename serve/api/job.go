package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// A job is a request that is drawn whether or not anyone looks. It keeps what happened, in order,
// for those who follow it now or later.
type job struct {
	id      string
	model   draw.Model
	states  bool // states of the way are kept
	mask    bool
	inputs  int
	images  int // that the whole job draws
	room    int64
	live    *budget // of all jobs that have not ended
	sent    int64   // bytes of the pictures that came with it
	created time.Time
	cancel  context.CancelFunc
	begun   chan struct{} // closed when the first image begins
	over    chan struct{} // closed at the end

	mu       sync.Mutex
	request  draw.Request // without its pictures, once it has ended
	status   status
	finished time.Time
	drawn    int // images so far
	err      *problem.Problem
	result   *draw.Result
	command  string
	notes    []string
	log      []event
	bytes    int64         // that the states, and the images, take
	news     chan struct{} // closed, and made anew, when the log grows
}

// An event is an entry of a job's log. Its id is its position, from 1.
type event struct {
	kind  string   // job, state, image or end
	job   *jobJSON // of job and end
	image int
	step  int
	steps int
	bytes []byte // of a state: [H, W, C], as in a PNG
}

// newJob returns a job that waits.
func (a *API) newJob(r draw.Request, m draw.Model, states bool) *job {
	count := max(r.Sample.Count, 1)
	j := &job{
		id: newID(), model: m, states: states, mask: r.Mask != nil, inputs: len(r.Inputs), room: a.opt.JobBytes / 4,
		live: &a.jobs.live, sent: int64(len(r.Mask)), created: time.Now().UTC().Round(0), begun: make(chan struct{}), over: make(chan struct{}),
		request: r, status: waiting, command: a.opt.Command(r, m), news: make(chan struct{}),
	}
	for _, file := range r.Inputs {
		j.sent += int64(len(file))
	}
	switch r.Kind {
	case draw.Likelihood:
	case draw.Generate:
		j.images = count
	case draw.Interpolate:
		j.images = count * (len(r.Inputs) / 2)
	default:
		j.images = count * len(r.Inputs)
	}
	return j
}

// longestJob is how long a job may take.
const longestJob = 2 * time.Hour

// start keeps a job and draws it.
func (a *API) start(j *job) error {
	ctx, stop := context.WithTimeout(context.Background(), longestJob)
	j.cancel = stop
	j.mu.Lock()
	j.tell("job")
	j.mu.Unlock()
	return a.jobs.add(j, func(j *job) {
		defer stop()
		r := j.request
		r.Began, r.Watch = j.begin, j.watch
		result, err := a.do(ctx, r)
		j.end(result, err, a.opt.Command)
	})
}

// tell adds an event about the whole job. j.mu is held.
func (j *job) tell(kind string) {
	snapshot := j.snapshotLocked()
	j.add(event{kind: kind, job: &snapshot})
}

// add adds an event. j.mu is held.
func (j *job) add(e event) {
	j.log = append(j.log, e)
	close(j.news)
	j.news = make(chan struct{})
}

// begin says that the job does not wait any more. It is what the drawer calls.
func (j *job) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.status == waiting {
		j.status = running
		close(j.begun)
		j.tell("job")
	}
}

// stateSize is how many bytes a state takes beside its pixels.
const stateSize = 96

// watch keeps a state. It is what the drawer calls.
func (j *job) watch(s draw.State) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.Step == s.Steps {
		j.drawn = min(j.drawn+1, j.images)
	}
	if !j.states || len(s.X) != j.model.Shape.Len() { // as when the model's file was replaced
		return
	}
	size := int64(len(s.X) + stateSize)
	if j.bytes+size > j.room || !j.live.take(size) {
		j.note("states of the way were left out where they would have taken too much memory")
		return
	}
	j.bytes += size
	j.add(event{kind: "state", image: s.Image, step: s.Step, steps: s.Steps, bytes: toBytes(s.X)})
}

// note adds a note, once. j.mu is held.
func (j *job) note(text string) {
	if !slices.Contains(j.notes, text) {
		j.notes = append(j.notes, text)
	}
}

// end takes over what the drawer returned.
func (j *job) end(r *draw.Result, err error, command func(draw.Request, draw.Model) string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.finished = time.Now().UTC().Round(0)
	j.live.give(j.bytes + j.sent)
	switch {
	case errors.Is(err, context.Canceled):
		j.status = cancelled
	case err != nil:
		j.status, j.err = failed, problem.Of(jobError(err))
	default:
		j.status, j.result = done, r
		j.settle(r, command)
	}
	j.request.Inputs, j.request.Mask = nil, nil
	j.tell("end")
	close(j.over)
}

// settle takes over a result. j.mu is held.
func (j *job) settle(r *draw.Result, command func(draw.Request, draw.Model) string) {
	for _, text := range notesOf(r) {
		j.note(text)
	}
	settled := r.Sample
	settled.OnEvent = nil
	settled.Class, settled.NoClass, settled.Count = j.request.Sample.Class, j.request.Sample.NoClass, j.request.Sample.Count
	if j.request.Kind != draw.Generate {
		edited := j.request
		edited.Sample = settled
		j.command = command(edited, j.model)
	}
	j.request.Sample = settled
	if r.Images == nil {
		return
	}
	j.images, j.drawn = r.Images.Len(), r.Images.Len()
	j.bytes += int64(4 * len(r.Images.Pixels))
	for i := range r.Images.Len() {
		j.add(event{kind: "image", image: i})
	}
}

// ended reports whether a job has ended.
func (j *job) ended() bool {
	select {
	case <-j.over:
		return true
	default:
		return false
	}
}

// size returns how many bytes a job takes.
func (j *job) size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// drawing returns what a job drew, or a problem where it has not.
func (j *job) drawing() (*draw.Result, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.result != nil && j.result.Images != nil {
		return j.result, nil
	}
	if j.result != nil {
		return nil, &problem.Problem{Status: http.StatusNotFound, Type: problem.NotFound,
			Message: "the job draws no images: it measures likelihoods"}
	}
	return nil, &problem.Problem{Status: http.StatusConflict, Type: problem.Conflict, Code: "job_" + string(j.status),
		Message: "the job is " + string(j.status) + ", not done: there are no images"}
}

// jobError returns an error about classes as one about the field that has them.
func jobError(err error) error { return option.Rename(err, "class", "classes") }

// A jobRequest is the body of POST /v1/jobs.
type jobRequest struct {
	Kind    string  `json:"kind"`
	Model   *string `json:"model"`
	Classes *string `json:"classes"`
	NoClass *bool   `json:"no_class"`
	Count   *int    `json:"count"`
	methodJSON
	Level  *float64 `json:"level"`
	Times  *int     `json:"times"`
	Images []string `json:"images"`
	Mask   *string  `json:"mask"`
	States *bool    `json:"states"`
}

// readJob reads the body of POST /v1/jobs and checks it.
func (a *API) readJob(text []byte) (*job, error) {
	var in jobRequest
	if err := decodeJSON(text, &in, true); err != nil {
		return nil, err
	}
	if in.Images == nil && in.Mask == nil && len(text) > maxJSON {
		return nil, &http.MaxBytesError{Limit: maxJSON}
	}
	kind := draw.Kind(cmp.Or(in.Kind, string(draw.Generate)))
	if err := option.OneOf("kind", kind, draw.Generate, draw.Vary, draw.Interpolate, draw.Inpaint, draw.Likelihood); err != nil {
		return nil, err
	}
	r := draw.Request{Model: value(in.Model), Kind: kind}
	if err := option.First(in.sample(kind, &r.Sample), in.fits(kind)); err != nil {
		return nil, err
	}
	m, err := a.settle(&r)
	if err != nil {
		return nil, err
	}
	switch {
	case kind == draw.Likelihood && !m.Likelihood:
		return nil, cannot(m, "find likelihoods")
	case kind != draw.Generate && kind != draw.Likelihood && !m.Edits:
		return nil, cannot(m, "edit images")
	}
	if r.Level, r.Times, err = editFields(kind, in.Level, in.Times); err != nil {
		return nil, err
	}
	if r.Inputs, r.Mask, err = in.pictures(); err != nil {
		return nil, err
	}
	return a.newJob(r, m, in.States == nil || *in.States), nil
}

// sample takes over what says which images are drawn, and how.
func (in *jobRequest) sample(kind draw.Kind, o *sample.Options) error {
	if err := option.First(given("count", in.Count, 1, maxImages), in.methodJSON.into(o)); err != nil {
		return err
	}
	o.Class, o.Count = value(in.Classes), value(in.Count)
	option.SetDefault(&o.Count, usualCount(kind))
	if value(in.NoClass) && o.Class != "" {
		return option.Errorf("no-class", true, "classes are asked for: leave one of the two out")
	}
	o.NoClass = o.NoClass || value(in.NoClass)
	if o.NoClass { // as by --guidance 0: no guide takes part
		option.SetDefault(&o.Guidance, 1)
	}
	return o.Validate()
}
