package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/serve/problem"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 64 << 10

// Register adds the routes of the runs, below /v1/.
func (s *Service) Register(mux *http.ServeMux) {
	for pattern, handle := range map[string]handler{
		"GET /v1/runs":                        s.list,
		"POST /v1/runs":                       s.create,
		"GET /v1/runs/{name}":                 s.get,
		"DELETE /v1/runs/{name}":              s.remove,
		"GET /v1/runs/{name}/curve":           s.curve,
		"GET /v1/runs/{name}/previews/{file}": s.previewFile,
		"POST /v1/runs/{name}/stop":           s.stopRun,
		"POST /v1/runs/{name}/resume":         s.resumeRun,
		"POST /v1/runs/{name}/distil":         s.distilRun,
		"GET /v1/data":                        s.listData,
	} {
		mux.Handle(pattern, handle)
	}
	mux.HandleFunc("GET /v1/runs/{name}/events", s.events)
}

// Handler returns a handler of the routes alone.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	s.Register(mux)
	return mux
}

// A handler answers a request, or returns why it does not.
type handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements [http.Handler].
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		problem.Send(w, err)
	}
}

// answer sends a value as JSON.
func answer(w http.ResponseWriter, status int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that has gone needs no answer
	return nil
}

// accept answers that a training was begun or is being stopped.
func accept(w http.ResponseWriter, r Run) error {
	w.Header().Set("Location", "/v1/runs/"+url.PathEscape(r.Name))
	return answer(w, http.StatusAccepted, r)
}

// read reads the body of a request into a value: a JSON object, whose fields are all known. No body
// is an empty object.
func read(w http.ResponseWriter, r *http.Request, value any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(value)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.Join(err, errors.New("something stands behind the JSON object"))
	}
	return badBody(err)
}

// badBody returns the problem of a body that cannot be read.
func badBody(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && kind.Field != "" {
		// Without the Go fields around it.
		field := kind.Field[strings.LastIndexByte(kind.Field, '.')+1:]
		return problem.BadField(field, " is of the wrong kind: a JSON %s", kind.Value)
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if quoted, unknown := strings.CutPrefix(text, "unknown field "); unknown {
		if field, err := strconv.Unquote(quoted); err == nil {
			return problem.BadField(field, " is not a field of this request")
		}
	}
	return &problem.Problem{
		Status: http.StatusBadRequest, Type: problem.Invalid,
		Message: "the body is not the JSON object that is needed: " + strings.ReplaceAll(text, "\n", " "),
	}
}

// readField reads a field of a body that has more than one form, such as those of a text. A field
// that is not there leaves the value as it is.
func readField(name string, text json.RawMessage, value any, such string) error {
	if text == nil || json.Unmarshal(text, value) == nil {
		return nil
	}
	return problem.BadField(name, " %s: something such as %s is needed", text, such)
}

// intIn reads a whole number within bounds.
func intIn(field, text string, low, high int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, problem.BadField(field, " %q: a whole number from %d to %d is needed", text, low, high)
	}
	return n, nil
}

// list answers with all runs.
func (s *Service) list(w http.ResponseWriter, _ *http.Request) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	if all == nil {
		all = []Run{}
	}
	return answer(w, http.StatusOK, map[string][]Run{"data": all})
}

// Details describe a run as far as its folder does.
type Details struct {
	Run
	Config   json.RawMessage `json:"config"` // the options of config.json; null: it cannot be read
	Card     string          `json:"card"`   // README.md, in Markdown
	Previews []int           `json:"previews"`
}

// Details describes a run. An unknown name is a [problem.NotFound].
func (s *Service) Details(name string) (Details, error) {
	d := Details{Previews: []int{}}
	v, err := s.view(name)
	if err != nil {
		d.Run, err = s.Describe(name) // of a run without a folder
		return d, err
	}
	defer v.Close()
	d.Run, d.Card = s.describe(name, v), v.Card()
	if steps := v.Previews(); steps != nil {
		d.Previews = steps
	}
	if c, err := v.Config(); err == nil {
		if d.Config = c.Options; c.Distill != nil {
			d.Config = c.Distill
		}
	}
	return d, nil
}

// get answers with the details of a run.
func (s *Service) get(w http.ResponseWriter, r *http.Request) error {
	d, err := s.Details(r.PathValue("name"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, d)
}

// The numbers of points of a curve.
const (
	usualPoints = 500
	maxPoints   = 10000
)

// Curve returns the points of a run behind a step, at most n of each kind. n is 4 or more.
func (s *Service) Curve(name string, from, n int) (Points, error) {
	empty := Points{From: from, Loss: []point{}, Validation: []point{}, Rate: []point{}}
	v, err := s.view(name)
	if err != nil {
		_, err = s.Describe(name) // a run without a folder has no points
		return empty, err
	}
	defer v.Close()
	p, _, err := s.curves.of(name).since(v, from, n)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	return p, err
}

// curve answers with the curve of a run.
func (s *Service) curve(w http.ResponseWriter, r *http.Request) (err error) {
	from, n := 0, usualPoints
	query := r.URL.Query()
	if text := query.Get("from"); text != "" {
		if from, err = intIn("from", text, 0, engine.MaxSteps); err != nil {
			return err
		}
	}
	if text := query.Get("points"); text != "" {
		if n, err = intIn("points", text, 4, maxPoints); err != nil {
			return err
		}
	}
	p, err := s.Curve(r.PathValue("name"), from, n)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, p)
}

// previewFile sends a preview.
func (s *Service) previewFile(w http.ResponseWriter, r *http.Request) error {
	name, file := r.PathValue("name"), r.PathValue("file")
	v, err := s.view(name)
	if err != nil {
		return err
	}
	defer v.Close()
	digits, isPNG := strings.CutSuffix(file, ".png")
	step, err := strconv.Atoi(digits)
	if err != nil || !isPNG || step < 0 || strconv.Itoa(step) != digits {
		return noPreview(name, file)
	}
	png, err := v.OpenPreview(step)
	if err != nil {
		return noPreview(name, file)
	}
	defer png.Close()
	info, err := png.Stat()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", "no-cache") // a run that does steps again draws them again
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, "", time.Time{}, png)
	return nil
}

// noPreview returns the problem of a preview that is not there.
func noPreview(name, file string) error {
	return &problem.Problem{Status: http.StatusNotFound, Type: problem.NotFound,
		Message: fmt.Sprintf("run %s has no preview %q", name, file)}
}

// listData answers with what can be trained on.
func (s *Service) listData(w http.ResponseWriter, _ *http.Request) error {
	all, err := s.Data()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string][]Data{"data": all})
}

// create starts a training.
func (s *Service) create(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		StartRequest
		Size json.RawMessage `json:"size"` // in the place of that of StartRequest
	}
	if err := read(w, r, &q); err != nil {
		return err
	}
	if err := readField("size", q.Size, &q.StartRequest.Size, `64 or "64x48"`); err != nil {
		return err
	}
	made, err := s.Start(r.Context(), q.StartRequest)
	if err != nil {
		return err
	}
	return accept(w, made)
}

// stopRun stops the training of a run.
func (s *Service) stopRun(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if err := read(w, r, &struct{}{}); err != nil {
		return err
	}
	if err := s.Stop(name); err != nil {
		return err
	}
	is, err := s.Describe(name)
	if err != nil {
		return err
	}
	return accept(w, is)
}

// resumeRun goes on with a run.
func (s *Service) resumeRun(w http.ResponseWriter, r *http.Request) error {
	var b Budget
	if err := read(w, r, &b); err != nil {
		return err
	}
	is, err := s.Resume(r.Context(), r.PathValue("name"), b)
	if err != nil {
		return err
	}
	return accept(w, is)
}

// distilRun distils a run into a new one.
func (s *Service) distilRun(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		DistilRequest
		Guidance json.RawMessage `json:"guidance"` // in the place of that of DistilRequest
	}
	if err := read(w, r, &q); err != nil {
		return err
	}
	if err := readField("guidance", q.Guidance, &q.DistilRequest.Guidance, `2 or "1-3"`); err != nil {
		return err
	}
	made, err := s.Distil(r.Context(), r.PathValue("name"), q.DistilRequest)
	if err != nil {
		return err
	}
	return accept(w, made)
}

// remove deletes a run whose name stands in confirm too.
func (s *Service) remove(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if confirm := r.URL.Query().Get("confirm"); confirm != name {
		return problem.BadField("confirm", " %q: deleting run %q cannot be undone: repeat its name here", confirm, name)
	}
	if err := s.Delete(name); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
