package api

import (
	"net/http"
	"time"

	"github.com/fmimg/fmimg/serve/problem"
)

// A stateJSON is the data of an event state.
type stateJSON struct {
	Image int    `json:"image"`
	Step  int    `json:"step"`
	Steps int    `json:"steps"`
	PNG   string `json:"png"`
}

// A drawnJSON is the data of an event image.
type drawnJSON struct {
	Image     int     `json:"image"`
	Class     *int32  `json:"class"` // null: none
	ClassName *string `json:"class_name"`
	PNG       string  `json:"png"`
}

// jobEvents answers GET /v1/jobs/{id}/events: what happened so far and what happens, up to the end.
// A reader that is slow, or stops reading, holds up nothing but itself.
func (a *API) jobEvents(w http.ResponseWriter, r *http.Request) {
	j, err := a.jobs.get(r.PathValue("id"))
	if err != nil {
		problem.Send(w, err)
		return
	}
	last, err := lastEventID(r)
	if err != nil {
		problem.Send(w, err)
		return
	}
	s := newEventStream(w)
	beat := time.NewTicker(a.opt.Heartbeat)
	defer beat.Stop()
	for {
		events, news := j.since(last)
		for _, e := range events {
			last++
			if err := j.send(s, last, e); err != nil || e.kind == "end" {
				return
			}
		}
		if news == nil { // it ended before the last event that the reader has
			s.begin()
			return
		}
		select {
		case <-news:
		case <-beat.C:
			if s.comment("alive") != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// since returns the events after one, and a channel that is closed when there are more; nil where
// there will be none.
func (j *job) since(last int) ([]event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	events := j.log[min(last, len(j.log)):]
	if j.status.final() {
		return events, nil
	}
	return events, j.news
}

// send sends an event.
func (j *job) send(s *eventStream, id int, e event) error {
	switch e.kind {
	case "state":
		x := make([]float32, len(e.bytes))
		fromBytes(x, e.bytes)
		file, err := format{name: "png", scale: 1}.encode(single(j.model.Shape, x), 0, nil)
		if err != nil {
			return err
		}
		return s.send(id, e.kind, stateJSON{e.image, e.step, e.steps, text64(file)})
	case "image":
		result, err := j.drawing()
		if err != nil {
			return err
		}
		file, err := format{name: "png", scale: 1}.encode(result.Images, e.image, nil)
		if err != nil {
			return err
		}
		out := drawnJSON{Image: e.image, PNG: text64(file)}
		out.Class, out.ClassName = j.class(result.Images.Labels, e.image)
		return s.send(id, e.kind, out)
	case "end":
		return s.send(id, e.kind, map[string]any{"job": e.job})
	default:
		return s.send(id, e.kind, e.job)
	}
}

// class returns the class of an image and its name; nil for one of no class.
func (j *job) class(labels []int32, image int) (*int32, *string) {
	if image >= len(labels) {
		return nil, nil
	}
	class := labels[image]
	if class < 0 || int(class) >= len(j.model.Classes) {
		return nil, nil
	}
	return &class, &j.model.Classes[class]
}
