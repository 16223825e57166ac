package runs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/serve/problem"
)

// The times of a stream of events: how long the client may take to read one, and after what silence
// a comment says that the connection stands.
const (
	eventDeadline = 10 * time.Second
	silence       = 15 * time.Second
	retryAfter    = 5 * time.Second
)

// watchPoints is the largest number of points of each kind in an event.
const watchPoints = 400

// A stream sends server-sent events.
type stream struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	sent time.Time // when the last one was
}

// newStream begins a stream.
func newStream(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies pass events on at once
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, c: http.NewResponseController(w)}
}

// send sends an event. id is what a client that comes back names; below 0: none.
func (s *stream) send(event string, id int, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	head := "event: " + event + "\n"
	if id >= 0 {
		head += "id: " + strconv.Itoa(id) + "\n"
	}
	return s.write(fmt.Sprintf("%sdata: %s\n\n", head, text))
}

// write writes a text within the deadline.
func (s *stream) write(text string) error {
	_ = s.c.SetWriteDeadline(time.Now().Add(eventDeadline)) // a test's writer has none
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	s.sent = time.Now()
	return s.c.Flush()
}

// keep sends a comment after a silence.
func (s *stream) keep() error {
	if time.Since(s.sent) < silence {
		return nil
	}
	return s.write(": here\n\n")
}

// A watcher follows a run for a client.
type watcher struct {
	service  *Service
	stream   *stream
	name     string
	curve    *keptCurve
	from     int // the step of the last point that was sent
	restarts int // of the curve when that was
	run      []byte
	preview  int
	training *training // whose notes are sent
	notes    int       // how many of them were
}

// events is the handler that watches a run until the client goes.
func (s *Service) events(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if _, err := s.Describe(name); err != nil {
		problem.Send(w, err)
		return
	}
	from, err := watchFrom(r)
	if err != nil {
		problem.Send(w, err)
		return
	}
	select {
	case s.looks <- struct{}{}:
		defer func() { <-s.looks }()
	default:
		(&problem.Problem{Status: http.StatusTooManyRequests, Type: problem.TooMany, RetryAfter: retryAfter,
			Message: fmt.Sprintf("%d clients watch runs already: close another page", maxWatchers)}).Send(w)
		return
	}
	watch := &watcher{
		service: s, stream: newStream(w), name: name, curve: s.curves.of(name), from: from, restarts: -1, preview: -1,
	}
	ticks := time.NewTicker(s.poll)
	defer ticks.Stop()
	for watch.look() {
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-s.closing:
			s.lastLook(watch)
			return
		}
	}
}

// lastLook shows how the training ended that the service saves when it closes.
func (s *Service) lastLook(watch *watcher) {
	if t, _, _ := s.state(watch.name); t != nil {
		select {
		case <-t.done:
		case <-time.After(eventDeadline):
		}
	}
	watch.look()
}

// present stands for the step that a run has done when a client comes.
const present = -1

// watchFrom returns the step behind which a client wants points: what it says it has, or present.
func watchFrom(r *http.Request) (int, error) {
	if text := r.Header.Get("Last-Event-ID"); text != "" {
		if step, err := strconv.Atoi(text); err == nil && step >= 0 {
			return step, nil
		}
	}
	if text := r.URL.Query().Get("from"); text != "" {
		return intIn("from", text, 0, engine.MaxSteps)
	}
	return present, nil
}

// look sends what is new. It returns false at the end of the stream.
func (w *watcher) look() bool {
	v, err := w.service.view(w.name)
	if err != nil {
		return w.lookAtNothing()
	}
	defer v.Close()
	if w.from == present {
		w.settlePresent(v)
	}
	r := w.service.describe(w.name, v)
	for _, send := range []func() error{
		func() error { return w.sendRun(&r) },
		func() error { return w.sendNotes() },
		func() error { return w.sendPoints(v) },
		func() error { return w.sendPreview(r.Preview) },
		w.stream.keep,
	} {
		if send() != nil {
			return false // the client has gone
		}
	}
	return true
}

// lookAtNothing is look for a run without a folder: one that reads its data, has failed, or is
// deleted.
func (w *watcher) lookAtNothing() bool {
	w.from = max(w.from, 0) // all points are still to come
	r, err := w.service.Describe(w.name)
	if err != nil {
		_ = w.stream.send("end", -1, map[string]string{"name": w.name}) // it ends in any case
		return false
	}
	return w.sendRun(&r) == nil && w.sendNotes() == nil && w.stream.keep() == nil
}

// sendRun sends the run where it differs from what was sent last.
func (w *watcher) sendRun(r *Run) error {
	text, err := json.Marshal(r)
	if err != nil || string(text) == string(w.run) {
		return err
	}
	w.run = text
	return w.stream.send("run", -1, json.RawMessage(text))
}

// sendNotes sends the notes of a training of this server.
func (w *watcher) sendNotes() error {
	t, _, _ := w.service.state(w.name)
	if t == nil {
		return nil
	}
	if t != w.training {
		w.training, w.notes = t, 0
	}
	for _, note := range t.notesFrom(w.notes) {
		if err := w.stream.send("note", -1, map[string]string{"text": note}); err != nil {
			return err
		}
		w.notes++
	}
	return nil
}

// settlePresent sets the step of now before the first event, so that a client misses no point that
// came after that event.
func (w *watcher) settlePresent(v *run.View) {
	p, restarts, _ := w.curve.since(v, 0, watchPoints) // what cannot be read has no points
	w.from, w.restarts = p.last, restarts
}

// sendPoints sends the points behind the last one, or all where the client has steps that the run
// does again.
func (w *watcher) sendPoints(v *run.View) error {
	// What cannot be read has no points.
	p, restarts, _ := w.curve.since(v, w.from, watchPoints)
	if w.from > p.last || w.restarts >= 0 && restarts != w.restarts {
		p, restarts, _ = w.curve.since(v, 0, watchPoints)
	}
	w.restarts = restarts
	if len(p.Loss)+len(p.Validation)+len(p.Rate) == 0 {
		return nil
	}
	w.from = p.last
	return w.stream.send("points", w.from, p)
}

// sendPreview sends the step of a preview that is new.
func (w *watcher) sendPreview(step *int) error {
	if step == nil || *step == w.preview {
		return nil
	}
	w.preview = *step
	return w.stream.send("preview", -1, map[string]int{"step": *step})
}
