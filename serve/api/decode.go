package api

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/serve/problem"
)

// Bounds on what a request holds.
const (
	maxJSON     = 64 << 10 // bytes of a body without pictures
	maxPictures = 32 << 20 // bytes of a body with pictures
	maxImages   = 1024     // images of one request
	maxInputs   = 64       // pictures of one request
	maxSteps    = 100000
)

// readBody reads a body to its end, so that a client that goes away is noticed from there on.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		return text, nil
	}
	tooLarge, own := (*http.MaxBytesError)(nil), (*problem.Problem)(nil)
	if errors.As(err, &tooLarge) || errors.As(err, &own) {
		return nil, err
	}
	return nil, invalid("", "the body did not arrive: %v", err)
}

// invalid returns the problem of a request; param may be empty.
func invalid(param, format string, args ...any) *problem.Problem {
	return &problem.Problem{Status: http.StatusBadRequest, Type: problem.Invalid, Param: param,
		Message: fmt.Sprintf(format, args...)}
}

// decodeJSON reads one JSON object into a struct. Where strict says so, fields that the struct
// lacks are refused.
func decodeJSON(text []byte, into any, strict bool) error {
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return invalid("", "the body must be a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return jsonProblem(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "the body must be one JSON object: something follows it")
	}
	return checkKeys(text, strict)
}

// checkKeys refuses a field that is there twice, of which readers of JSON take one or the other,
// and one that package json takes for a field of ours though it is written otherwise. text is an
// object.
func checkKeys(text []byte, strict bool) error {
	seen := map[string]bool{}
	for key := range objectKeys(text) {
		name := ""
		if err := json.Unmarshal(key, &name); err != nil {
			return jsonProblem(err)
		}
		other := strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
		switch {
		case strict && other:
			return unknownField(name)
		case seen[name]:
			return invalid(short(name), "%s: it is there twice", option.Quoted(short(name)))
		}
		seen[name] = true
	}
	return nil
}

// objectKeys goes through the keys of a JSON object, quoted as they are, but for those of objects
// inside.
func objectKeys(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		depth := 0
		for i := 0; i < len(text); i++ {
			switch text[i] {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			case '"':
				from := i
				for i++; text[i] != '"'; i++ {
					if text[i] == '\\' {
						i++
					}
				}
				rest := bytes.TrimLeft(text[i+1:], " \t\r\n")
				if depth == 1 && len(rest) > 0 && rest[0] == ':' && !yield(text[from:i+1]) {
					return
				}
			}
		}
	}
}

// unknownField is the problem of a field that a request does not have.
func unknownField(name string) *problem.Problem {
	name = short(name)
	return invalid(name, "%s: there is no such field", option.Quoted(name))
}

// short cuts a text of a client that an error repeats.
func short(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// jsonProblem says what package json found, by the field where it names one.
func jsonProblem(err error) *problem.Problem {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		// A field of a struct inside has the names of both.
		field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
		return invalid(field, "%s: %s is not %s", field, short(wrong.Value), wanted(wrong.Type.Kind().String()))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if text, err := strconv.Unquote(name); err == nil {
			name = text
		}
		return unknownField(name)
	}
	return invalid("", "the body is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// wanted says what a field of a kind of Go takes.
func wanted(kind string) string {
	switch kind {
	case "string":
		return "a text"
	case "int":
		return "a whole number"
	case "uint64":
		return "a whole number of 0 or more"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	case "slice":
		return "a list"
	}
	return "what is needed"
}

// A methodJSON is how images are drawn. Fields that are absent or null have their defaults.
type methodJSON struct {
	Seed       *uint64  `json:"seed"`
	Steps      *int     `json:"steps"`
	Solver     *string  `json:"solver"`
	Guidance   *float64 `json:"guidance"`
	TimeShift  *float64 `json:"time_shift"`
	Every      *int     `json:"guidance_every"`
	Tol        *float64 `json:"tol"`
	NoiseLevel *float64 `json:"noise_level"`
}

// adaptive and noisy are the solvers that options of their own belong to.
const (
	adaptive = "dopri5"
	noisy    = "sde"
)

// into writes the method into options, and reports the first field that none could mean. Without a
// seed it takes a random one.
func (m methodJSON) into(o *sample.Options) error {
	o.Solver = value(m.Solver)
	if err := option.First(
		given("steps", m.Steps, 1, maxSteps), given("time-shift", m.TimeShift, model.LeastShift, model.MostShift), given("guidance-every", m.Every, 1, model.MostGuidanceEvery), given("tol", m.Tol, 1e-12, 1), given("noise-level", m.NoiseLevel, 1e-6, 1e6),
		m.belongs(),
	); err != nil {
		return err
	}
	o.Steps, o.TimeShift, o.GuidanceEvery, o.Tol = value(m.Steps), value(m.TimeShift), value(m.Every), value(m.Tol)
	o.NoiseLevel, o.Guidance = value(m.NoiseLevel), value(m.Guidance)
	if m.Guidance != nil && *m.Guidance == 0 {
		o.Guidance, o.NoClass = 1, true // v_none + 0·(v_class − v_none) is v_none
	}
	if m.Seed != nil {
		o.Seed = *m.Seed
		return nil
	}
	o.Seed = randomSeed()
	return nil
}

// belongs refuses fields that do nothing for the solver.
func (m methodJSON) belongs() error {
	solver := value(m.Solver)
	switch {
	case m.Tol != nil && solver != adaptive:
		return option.Errorf("tol", *m.Tol, "only solver %s has a tolerance: take it, or use steps", adaptive)
	case m.Steps != nil && solver == adaptive:
		return option.Errorf("steps", *m.Steps, "solver %s chooses its own: use tol", adaptive)
	case m.TimeShift != nil && solver == adaptive:
		return option.Errorf("time-shift", *m.TimeShift, "solver %s chooses its steps itself: leave it out", adaptive)
	case value(m.Every) > 1 && solver == adaptive:
		return option.Errorf("guidance-every", *m.Every, "solver %s chooses its steps itself: leave it out", adaptive)
	case m.NoiseLevel != nil && solver != noisy:
		return option.Errorf("noise-level", *m.NoiseLevel, "only solver %s has one: take it, or leave it out", noisy)
	}
	return nil
}

// given is [option.Between] for a field that may be absent.
func given[T int | float64](name string, p *T, low, high T) error {
	if p == nil {
		return nil
	}
	return option.Between(name, *p, low, high)
}

// value returns what a field holds, zero for one that is absent.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// randomSeed returns a seed that is short to write down, and that JavaScript's numbers hold.
func randomSeed() uint64 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return uint64(binary.LittleEndian.Uint32(b[:]))
}

// decodePicture reads a file of a picture from base64, or from a data: URL that holds it.
func decodePicture(param, text string) ([]byte, error) {
	if rest, ok := strings.CutPrefix(text, "data:"); ok {
		head, data, comma := strings.Cut(rest, ",")
		if !comma || !strings.HasSuffix(head, ";base64") {
			return nil, problem.BadField(param, ": a data: URL of a picture must be in base64")
		}
		text = data
	}
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(file) == 0 {
		return nil, problem.BadField(param, ": the file of a picture in base64 is needed")
	}
	return file, nil
}
