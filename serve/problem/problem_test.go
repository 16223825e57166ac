package problem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// Each error has its status, its type, its field, its code and its text.
func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		want   problem.Problem
	}{
		"option": {option.Errorf("noise-level", 0, "choose %v", option.Setting{Option: "size", Value: 28}), 400,
			problem.Problem{Type: problem.Invalid, Param: "noise_level", Message: "noise_level 0: choose size 28"}},
		"wrapped option": {fmt.Errorf("input 2: %w", option.Errorf("steps", 0, "too few")), 400,
			problem.Problem{Type: problem.Invalid, Param: "steps", Message: "input 2: steps 0: too few"}},
		"no model": {fmt.Errorf("x: %w", draw.ErrNoModel), 404,
			problem.Problem{Type: problem.NotFound, Param: "model", Code: "model_not_found", Message: "x: there is no such model"}},
		"closing": {draw.ErrClosing, 503,
			problem.Problem{Type: problem.ServerSide, Code: "shutting_down", Message: "the server is shutting down"}},
		"gone": {context.Canceled, 503,
			problem.Problem{Type: problem.ServerSide, Code: "cancelled", Message: "the request was cancelled"}},
		"late": {context.DeadlineExceeded, 504,
			problem.Problem{Type: problem.ServerSide, Message: "it took too long: ask for less at once"}},
		"large": {&http.MaxBytesError{Limit: 7}, 413,
			problem.Problem{Type: problem.Invalid, Message: "the request is too large: at most 7 bytes are read"}},
		"other": {errors.New("disk on fire"), 500, problem.Problem{Type: problem.ServerSide, Message: "disk on fire"}},
		"field": {problem.BadField("n", " %d: too many", 9), 400,
			problem.Problem{Type: problem.Invalid, Param: "n", Message: "n 9: too many"}},
	} {
		c.want.Status = c.status
		if got := problem.Of(c.err); *got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, *got, c.want)
		}
	}
}

// The body is OpenAI's, with null for what is not there, and a busy server says when to come back
// in whole seconds.
func TestSend(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "1", 1100 * time.Millisecond: "2", 5 * time.Second: "5"} {
		w := httptest.NewRecorder()
		problem.Send(w, &draw.BusyError{RetryAfter: wait})
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != want {
			t.Errorf("%v: status %d, Retry-After %q, want %q", wait, w.Code, w.Header().Get("Retry-After"), want)
		}
	}
	w := httptest.NewRecorder()
	problem.Write(w, http.StatusNotFound, problem.NotFound, "", "nothing here")
	var got map[string]map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"message": "nothing here", "type": "not_found_error", "param": nil, "code": nil}
	if fmt.Sprint(got["error"]) != fmt.Sprint(want) || len(got) != 1 || w.Code != http.StatusNotFound {
		t.Errorf("status %d, body %v, want %v", w.Code, got, want)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type %q", kind)
	}
}
