package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/serve/draw"
)

// A Type says what kind of mistake it is. Clients choose by it, and by the status.
type Type string

// The types, each with the statuses that it goes with.
const (
	Invalid    Type = "invalid_request_error" // 400, 405, 413, 415, 421
	NotFound   Type = "not_found_error"       // 404
	Unknown    Type = "authentication_error"  // 401
	Forbidden  Type = "permission_error"      // 403
	TooMany    Type = "rate_limit_error"      // 429
	Conflict   Type = "conflict_error"        // 409
	ServerSide Type = "server_error"          // 500, 503, 504
)

// A Problem is an error with what HTTP says about it.
type Problem struct { //nolint:errname // its users say problem.Problem
	Status  int
	Type    Type
	Param   string // the field of the request that is wrong; empty: none
	Code    string // a word for programs; empty: none
	Message string // one line
	// RetryAfter is when to try again; 0: nothing is said. It is sent in whole seconds, rounded up.
	RetryAfter time.Duration
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// BadField returns the problem of a field of a request, whose name begins the message.
func BadField(param, format string, args ...any) *Problem {
	return &Problem{Status: http.StatusBadRequest, Type: Invalid, Param: param,
		Message: param + fmt.Sprintf(format, args...)}
}

// Of returns what HTTP says about an error. One that is known for nothing else is a fault of the
// server.
func Of(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	p := &Problem{Status: http.StatusInternalServerError, Type: ServerSide,
		Message: pipeline.ErrorIn(err, Words)}
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); ok {
		p.Status, p.Type, p.Param = http.StatusBadRequest, Invalid, Param(wrong.Option)
		return p
	}
	if busy, ok := errors.AsType[*draw.BusyError](err); ok {
		p.Status, p.Type, p.Code = http.StatusTooManyRequests, TooMany, "queue_full"
		p.RetryAfter = max(busy.RetryAfter, time.Second)
		return p
	}
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case errors.Is(err, draw.ErrNoModel):
		p.Status, p.Type, p.Param, p.Code = http.StatusNotFound, NotFound, "model", "model_not_found"
	case errors.Is(err, draw.ErrClosing):
		p.Status, p.Code = http.StatusServiceUnavailable, "shutting_down"
	case errors.Is(err, context.DeadlineExceeded):
		p.Status, p.Message = http.StatusGatewayTimeout, "it took too long: ask for less at once"
	case errors.Is(err, context.Canceled):
		p.Status, p.Code, p.Message = http.StatusServiceUnavailable, "cancelled", "the request was cancelled"
	case errors.As(err, &tooLarge):
		p.Status, p.Type = http.StatusRequestEntityTooLarge, Invalid
		p.Message = fmt.Sprintf("the request is too large: at most %d bytes are read", tooLarge.Limit)
	}
	return p
}

// Param returns the name of an option as a field of a request.
func Param(option string) string { return strings.ReplaceAll(option, "-", "_") }

// Words name options as the fields of a request, in errors and notes that clients read.
var Words pipeline.Words = fieldWords{pipeline.Plain}

// fieldWords are the type of [Words]. Actions go by their plain names: no field does them.
type fieldWords struct{ pipeline.Words }

// Setting implements [pipeline.Words].
func (w fieldWords) Setting(s pipeline.Setting) string {
	s.Option = Param(s.Option)
	return w.Words.Setting(s)
}

// Write sends a problem. param may be empty.
func Write(w http.ResponseWriter, status int, kind Type, param, message string) {
	(&Problem{Status: status, Type: kind, Param: param, Message: message}).Send(w)
}

// Send sends what [Of] says about an error.
func Send(w http.ResponseWriter, err error) { Of(err).Send(w) }

// A body is the JSON form of a problem.
type body struct {
	Error Fields `json:"error"`
}

// Fields are what a body tells, for responses that hold an error among other things.
type Fields struct {
	Message string  `json:"message"`
	Type    Type    `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// Fields returns what clients are told.
func (p *Problem) Fields() Fields { return Fields{p.Message, p.Type, orNull(p.Param), orNull(p.Code)} }

// JSON returns the body of the response.
func (p *Problem) JSON() []byte {
	text, err := json.Marshal(body{p.Fields()})
	if err != nil {
		panic(err) // strings alone
	}
	return text
}

// Send sends the problem.
func (p *Problem) Send(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Disposition") // of what would have been sent
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(p.JSON(), '\n')) // a client that went away needs no answer
}

// orNull returns nil, which is null in JSON, for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
