package serve

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A document is what the tests read of an OpenAPI document.
type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Responses map[string]any
	}
}

// whole returns a handler of all rooms, and the document that it serves.
func whole(t *testing.T) (http.Handler, document, []byte) {
	t.Helper()
	o := Options{Runs: t.TempDir()}.WithDefaults()
	s, err := o.build("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.draw(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	h := s.handler()
	text := answer(h, "GET", "/openapi.json", "").Body.Bytes()
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return h, d, text
}

// answer asks a handler.
func answer(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// route matches the patterns of routes in the sources.
var route = regexp.MustCompile(`"(GET|POST|PUT|PATCH|DELETE) (/[^"]*)"`)

// The document has each route of the rooms, and no other.
func TestDocumentHasAllRoutes(t *testing.T) {
	_, d, _ := whole(t)
	want := []string{"POST /login"} // of the guard
	for _, room := range []string{"api", "runs"} {
		files, err := filepath.Glob(filepath.Join(room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, m := range route.FindAllStringSubmatch(string(text), -1) {
				want = append(want, m[1]+" "+strings.Replace(m[2], "...}", "}", 1))
			}
		}
	}
	var got []string
	for path, methods := range d.Paths {
		for method := range methods {
			got = append(got, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(want) < 20 || d.OpenAPI != "3.1.0" {
		t.Errorf("the document has\n%s\nand the rooms have\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A checker compares responses with the schemas of the document.
type checker struct {
	t        *testing.T
	h        http.Handler
	d        document
	compiler *jsonschema.Compiler
	checked  map[string]bool
}

// check sends a request to a route and checks its response.
func (c *checker) check(route, target, body string, status string) []byte {
	c.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	w := answer(c.h, method, target, body)
	text, _ := io.ReadAll(w.Body)
	if got := http.StatusText(w.Code); got == "" || !strings.HasPrefix(status, string(rune('0'+w.Code/100))) {
		c.t.Errorf("%s %s: status %d, want %s: %s", method, target, w.Code, status, text)
		return text
	}
	responses := c.d.Paths[path][strings.ToLower(method)].Responses
	if _, listed := responses[status]; !listed {
		c.t.Errorf("%s lists no response %s, only %v", route, status, slices.Collect(maps.Keys(responses)))
		return text
	}
	escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path)
	where := "openapi.json#/paths/" + escaped + "/" + strings.ToLower(method) + "/responses/" + status + "/content/application~1json/schema"
	schema, err := c.compiler.Compile(where)
	if err != nil {
		c.t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		c.t.Fatalf("%s: %s: %v", route, text, err)
	}
	if err := schema.Validate(value); err != nil {
		c.t.Errorf("%s: %v\n%s", route, err, text)
	}
	c.checked[route] = true
	return text
}

// What the rooms answer is what the document says.
func TestResponsesConform(t *testing.T) {
	h, d, text := whole(t)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", value); err != nil {
		t.Fatal(err)
	}
	c := &checker{t, h, d, compiler, map[string]bool{}}
	c.check("GET /v1/models", "/v1/models", "", "200")
	c.check("GET /v1/models/{id}", "/v1/models/mnist-fast", "", "200")
	c.check("GET /v1/models/{id}", "/v1/models/nothing", "", "404")
	c.check("POST /v1/images/generations", "/v1/images/generations", `{"model": "mnist-fast", "steps": 1, "prompt": "7"}`, "200")
	c.check("POST /v1/images/generations", "/v1/images/generations", `{"n": 0}`, "400")
	var job struct{ ID, Status string }
	if err := json.Unmarshal(c.check("POST /v1/jobs", "/v1/jobs", `{"model": "mnist-fast", "steps": 1, "count": 2}`, "202"), &job); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); job.Status != "done" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := json.Unmarshal(answer(h, "GET", "/v1/jobs/"+job.ID, "").Body.Bytes(), &job); err != nil {
			t.Fatal(err)
		}
	}
	c.check("POST /v1/jobs", "/v1/jobs", `{"model": "mnist-fast", "stepz": 1}`, "400")
	c.check("GET /v1/jobs", "/v1/jobs", "", "200")
	c.check("GET /v1/jobs/{id}", "/v1/jobs/"+job.ID, "", "200")
	c.check("GET /v1/jobs/{id}", "/v1/jobs/x", "", "404")
	c.check("DELETE /v1/jobs/{id}", "/v1/jobs/"+job.ID, "", "200")
	c.check("GET /v1/jobs/{id}/images/{file}", "/v1/jobs/"+job.ID+"/images/9.png", "", "404")
	c.check("GET /v1/runs", "/v1/runs", "", "200")
	c.check("GET /v1/runs/{name}", "/v1/runs/nothing", "", "404")
	c.check("POST /v1/runs", "/v1/runs", `{"data": 7}`, "400")
	c.check("GET /v1/data", "/v1/data", "", "200")
	c.check("GET /openapi.json", "/openapi.json", "", "200")
	c.check("POST /login", "/login", `{"token": 1}`, "400")
	if len(c.checked) < 12 {
		t.Errorf("only %d routes were checked", len(c.checked))
	}
}
