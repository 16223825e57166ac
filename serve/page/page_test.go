package page_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/serve/page"
)

func TestHandler(t *testing.T) {
	server := httptest.NewServer(page.Handler())
	defer server.Close()
	for _, c := range []struct {
		path        string
		status      int
		contentType string
		begins      string
	}{
		{"/", 200, "text/html; charset=utf-8", "<!doctype html>"},
		{"/page/main.js", 200, "text/javascript; charset=utf-8", "//"},
		{"/page/base.css", 200, "text/css; charset=utf-8", "/*"},
		{"/page/icon.svg", 200, "image/svg+xml", "<svg"},
		{"/index.html", 404, "", ""},
		{"/page/", 404, "", ""},
		{"/page/index.html", 404, "", ""},
		{"/page/none.js", 404, "", ""},
		{"/page/../doc.go", 404, "", ""},
		{"/page/%2e%2e/page.go", 404, "", ""},
	} {
		t.Run(c.path, func(t *testing.T) {
			answer := get(t, server.URL+c.path, "")
			if answer.StatusCode != c.status {
				t.Fatalf("status %d, want %d", answer.StatusCode, c.status)
			}
			if c.status != http.StatusOK {
				return
			}
			text, err := io.ReadAll(answer.Body)
			if err != nil || !strings.HasPrefix(string(text), c.begins) {
				t.Errorf("it begins with %.20q, %v; want %q", text, err, c.begins)
			}
			if got := answer.Header.Get("Content-Type"); got != c.contentType {
				t.Errorf("content type %q, want %q", got, c.contentType)
			}
			again := get(t, server.URL+c.path, answer.Header.Get("ETag"))
			if again.StatusCode != http.StatusNotModified {
				t.Errorf("with its ETag: status %d, want 304", again.StatusCode)
			}
			other := get(t, server.URL+c.path, `"other"`)
			if other.StatusCode != http.StatusOK {
				t.Errorf("with another ETag: status %d, want 200", other.StatusCode)
			}
		})
	}
}

// get asks for a page; with an ETag, only where it is another one.
func get(t *testing.T, url, tag string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tag != "" {
		request.Header.Set("If-None-Match", tag)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// Files are read; nothing else is done to them.
func TestHandlerMethods(t *testing.T) {
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		answer := httptest.NewRecorder()
		page.Handler().ServeHTTP(answer, httptest.NewRequest(method, "/", nil))
		if answer.Code != want {
			t.Errorf("%s /: status %d, want %d", method, answer.Code, want)
		}
	}
}
