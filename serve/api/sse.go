package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// An eventStream writes server-sent events (WHATWG HTML, 9.2). Each is flushed, so that the client
// has it at once. The first one sends the header.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
}

func newEventStream(w http.ResponseWriter) *eventStream {
	return &eventStream{w: w, control: http.NewResponseController(w)}
}

// begin sends the header.
func (s *eventStream) begin() {
	if s.began {
		return
	}
	s.began = true
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events until there are many
	s.w.WriteHeader(http.StatusOK)
}

// send sends an event whose data is JSON; id 0: without an id.
func (s *eventStream) send(id int, event string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	s.begin()
	head := ""
	if id > 0 {
		head = "id: " + strconv.Itoa(id) + "\n"
	}
	// JSON has no line breaks outside of strings, where they are escaped.
	if _, err := fmt.Fprintf(s.w, "%sevent: %s\ndata: %s\n\n", head, event, text); err != nil {
		return err
	}
	return s.control.Flush()
}

// comment sends a line that clients ignore, which shows both sides that the other one is there.
func (s *eventStream) comment(text string) error {
	s.begin()
	if _, err := fmt.Fprintf(s.w, ": %s\n\n", text); err != nil {
		return err
	}
	return s.control.Flush()
}

// lastEventID returns the id after which a client goes on: that of its header Last-Event-ID; 0 for
// the beginning.
func lastEventID(r *http.Request) (int, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return 0, nil
	}
	id, err := strconv.Atoi(text)
	if err != nil || id < 0 || text[0] == '+' || text[0] == '-' {
		return 0, invalid("Last-Event-ID", "Last-Event-ID %.40q: the id of an event is needed", text)
	}
	return id, nil
}
