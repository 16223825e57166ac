package guard_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/serve/guard"
)

const secret = "a-token-that-nobody-guesses"

// A call is a request to a guarded server, with headers as "Name: value".
type call struct {
	method, target, host string
	headers              []string
	body                 string
}

// do answers a call by a guard of the options. What passes is answered with 200 and "in".
func (c call) do(t *testing.T, o guard.Options) *http.Response {
	t.Helper()
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	in := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "in")
	})
	r := httptest.NewRequest(c.method, "http://x/", strings.NewReader(c.body))
	if c.target != "" {
		u, err := url.ParseRequestURI(c.target)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
	}
	r.Host = c.host
	for _, line := range c.headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	g.Handler(in).ServeHTTP(w, r)
	return w.Result()
}

// The names of a server on the loopback are those of this machine. Other names may be those of a
// site that was made to lead here.
func TestHosts(t *testing.T) {
	local := guard.Options{Addr: "127.0.0.1:8080"}
	everywhere := guard.Options{Addr: "0.0.0.0:8080", Hosts: []string{"Images.example.org"}}
	one := guard.Options{Addr: "192.168.1.5:8080"}
	for _, c := range []struct {
		opt  guard.Options
		host string
		ok   bool
	}{
		{local, "127.0.0.1:8080", true}, {local, "localhost:8080", true}, {local, "LOCALHOST:8080", true},
		{local, "[::1]:8080", true}, {local, "127.0.0.1", true}, {local, "localhost.:8080", true},
		{local, "127.9.9.9:9000", true}, {local, "[::ffff:127.0.0.1]:8080", true},
		{local, "evil.example:8080", false}, {local, "", false}, {local, "192.168.1.5:8080", false},
		{local, "localhost.evil.example", false}, {local, "127.0.0.1.nip.io:8080", false},
		{local, "evil.example#localhost", false}, {local, "localhost:8080:1", false}, {local, "[::1", false},
		{everywhere, "192.168.1.5:8080", true}, {everywhere, "images.EXAMPLE.org", true},
		{everywhere, "images.example.org:443", true}, {everywhere, "evil.example:8080", false},
		{everywhere, "localhost", true}, {one, "192.168.1.5:8080", true}, {one, "localhost:8080", false},
		{one, "192.168.1.6:8080", false},
		{guard.Options{Addr: "[fe80::1%eth0]:8080"}, "[fe80::1]:8080", true},
		{guard.Options{Addr: "[2001:db8:0::1]:8080"}, "[2001:DB8::1]:8080", true},
		{guard.Options{Addr: "[2001:db8::1]:8080"}, "[2001:db8::2]:8080", false},
		{guard.Options{Addr: "127.0.0.1:1", Hosts: []string{"0:0::5"}}, "[::5]", true},
	} {
		status := call{method: "GET", target: "/v1/models", host: c.host}.do(t, c.opt).StatusCode
		if want := map[bool]int{true: 200, false: 421}[c.ok]; status != want {
			t.Errorf("listening on %s, Host %q: status %d, want %d", c.opt.Addr, c.host, status, want)
		}
	}
	if _, err := guard.New(guard.Options{Addr: "127.0.0.1:1", Hosts: []string{"a.example:80"}}); err == nil {
		t.Error("a name with a port was taken")
	}
}

// What a page of another site may have sent is refused, but for links to the page itself.
func TestOrigins(t *testing.T) {
	const host = "localhost:8080"
	for _, c := range []struct {
		method, target string
		headers        []string
		want           int
	}{
		{"POST", "/v1/jobs", []string{"Origin: http://localhost:8080", "Content-Type: application/json"}, 200},
		{"POST", "/v1/jobs", []string{"Content-Type: application/json"}, 200},
		{"POST", "/v1/jobs", []string{"Origin: http://evil.example", "Content-Type: application/json"}, 403},
		{"POST", "/v1/jobs", []string{"Origin: null", "Content-Type: application/json"}, 403},
		{"POST", "/v1/jobs", []string{"Origin: http://localhost:3000", "Content-Type: application/json"}, 403},
		{"POST", "/v1/jobs", []string{"Origin: file://localhost:8080", "Content-Type: application/json"}, 403},
		{"GET", "/v1/models", []string{"Origin: http://evil.example"}, 403},
		{"GET", "/v1/models", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"GET", "/v1/models", []string{"Sec-Fetch-Site: same-site"}, 403},
		{"GET", "/v1/models", []string{"Sec-Fetch-Site: same-origin"}, 200},
		{"GET", "/v1/models", []string{"Sec-Fetch-Site: none"}, 200},
		{"GET", "/", []string{"Sec-Fetch-Site: cross-site"}, 200},
		{"POST", "/", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"GET", "/page/page.js", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"DELETE", "/v1/jobs/a", []string{"Sec-Fetch-Site: cross-site"}, 403},
	} {
		got := call{method: c.method, target: c.target, host: host, headers: c.headers}.do(t, guard.Options{Addr: "127.0.0.1:8080"})
		if got.StatusCode != c.want {
			t.Errorf("%s %s %q: status %d, want %d", c.method, c.target, c.headers, got.StatusCode, c.want)
		}
	}
}

// Bodies are of types that a form of another site cannot send without asking first.
func TestBodies(t *testing.T) {
	for _, c := range []struct {
		target, kind, body string
		want               int
	}{
		{"/v1/jobs", "application/json", "{}", 200}, {"/v1/jobs", "application/json; charset=utf-8", "{}", 200},
		{"/v1/jobs", "text/plain", "{}", 415}, {"/v1/jobs", "", "{}", 415}, {"/v1/jobs", "", "", 200},
		{"/v1/jobs", "multipart/form-data; boundary=x", "--x--", 415},
		{"/v1/images/edits", "multipart/form-data; boundary=x", "--x--", 200},
		{"/v1/jobs", "application/x-www-form-urlencoded", "a=b", 415}, {"/v1/jobs", ";;", "{}", 415},
	} {
		headers := []string{"Content-Type: " + c.kind}
		if c.kind == "" {
			headers = nil
		}
		got := call{method: "POST", target: c.target, host: "localhost", headers: headers, body: c.body}.do(t, guard.Options{Addr: "127.0.0.1:8080"})
		if got.StatusCode != c.want {
			t.Errorf("%s %q %q: status %d, want %d", c.target, c.kind, c.body, got.StatusCode, c.want)
		}
	}
}

// A body that is too large by its header is refused before it comes.
func TestLargeBody(t *testing.T) {
	g, err := guard.New(guard.Options{Addr: "127.0.0.1:8080"})
	if err != nil {
		t.Fatal(err)
	}
	for length, want := range map[int64]int{guard.MaxBody: 200, guard.MaxBody + 1: 413, 1 << 62: 413} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/jobs", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = length
		w := httptest.NewRecorder()
		g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Content-Length %d: status %d, want %d", length, w.Code, want)
		}
	}
}

// A token is needed for all but the page and its health, in the header or as the cookie.
func TestToken(t *testing.T) {
	o := guard.Options{Addr: "127.0.0.1:8080", Token: secret}
	login := call{method: "POST", target: "/login", host: "localhost", headers: []string{"Content-Type: application/json"},
		body: fmt.Sprintf(`{"token": %q}`, secret)}.do(t, o)
	cookies := login.Cookies()
	if login.StatusCode != http.StatusNoContent || len(cookies) != 1 {
		t.Fatalf("login: status %d, cookies %v", login.StatusCode, cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || strings.Contains(c.Value, secret) || c.Name != "fmimg" {
		t.Errorf("the cookie is %v", c)
	}
	cookie := "Cookie: fmimg=" + c.Value
	for _, c := range []struct {
		target  string
		headers []string
		want    int
	}{
		{"/v1/models", []string{"Authorization: Bearer " + secret}, 200},
		{"/v1/models", []string{"Authorization: bearer  " + secret}, 200},
		{"/v1/models", []string{cookie}, 200},
		{"/v1/models", []string{"Cookie: fmimg=old", cookie}, 200},
		{"/v1/models", nil, 401},
		{"/v1/models", []string{"Authorization: Bearer " + secret + "x"}, 401},
		{"/v1/models", []string{"Authorization: Bearer"}, 401},
		{"/v1/models", []string{"Authorization: Basic " + secret}, 401},
		{"/v1/models", []string{"Authorization: " + secret}, 401},
		{"/v1/models", []string{"Authorization: Bearer x", cookie}, 401},
		{"/v1/models", []string{"Cookie: fmimg=" + secret}, 401},
		{"/v1/models", []string{"Cookie: fmimg="}, 401},
		{"/metrics", nil, 401}, {"/openapi.json", nil, 401}, {"/pages", nil, 401},
		{"/healthz", nil, 200}, {"/", nil, 200}, {"/page/page.js", nil, 200},
	} {
		got := call{method: "GET", target: c.target, host: "localhost", headers: c.headers}.do(t, o)
		if got.StatusCode != c.want {
			t.Errorf("%s %q: status %d, want %d", c.target, c.headers, got.StatusCode, c.want)
		}
		if scheme := got.Header.Get("WWW-Authenticate"); (scheme == "Bearer") != (c.want == 401) {
			t.Errorf("%s: status %d with WWW-Authenticate %q", c.target, c.want, scheme)
		}
	}
	if got := (call{method: "POST", target: "/", host: "localhost"}).do(t, o).StatusCode; got != 401 {
		t.Errorf("POST / without a token: status %d", got)
	}
}

// A login with something else than the token gives no cookie. A form comes back to the page.
func TestLogin(t *testing.T) {
	o := guard.Options{Addr: "127.0.0.1:8080", Token: secret}
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		method, kind, body string
		want, cookies      int
	}{
		{"POST", form, "token=" + secret, 303, 1},
		{"POST", form, "token=wrong", 401, 0},
		{"POST", form, "token=" + secret + "&token=x", 400, 0},
		{"POST", form, "%zz", 400, 0},
		{"POST", "application/json", `{"token": "wrong"}`, 401, 0},
		{"POST", "application/json", `{"token": 7}`, 400, 0},
		{"POST", "application/json", `{}`, 400, 0},
		{"POST", "application/json", `{"token": "` + strings.Repeat("x", 5000) + `"}`, 413, 0},
		{"GET", "", "", 405, 0},
	} {
		got := call{method: c.method, target: "/login", host: "localhost", headers: []string{"Content-Type: " + c.kind}, body: c.body}.do(t, o)
		if got.StatusCode != c.want || len(got.Cookies()) != c.cookies {
			t.Errorf("%s %.40q: status %d, cookies %v, want %d, %d", c.method, c.body, got.StatusCode, got.Cookies(), c.want, c.cookies)
		}
	}
}

// Every response has the headers that keep a browser safe, a refusal too.
func TestHeaders(t *testing.T) {
	for _, c := range []call{
		{method: "GET", target: "/", host: "localhost"}, {method: "GET", target: "/", host: "evil.example"},
		{method: "POST", target: "/login", host: "localhost"}, {method: "GET", target: "/../x", host: "localhost"},
	} {
		h := c.do(t, guard.Options{Addr: "127.0.0.1:8080"}).Header
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%v: the policy %q lacks %s", c, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%v: headers %v", c, h)
		}
	}
}

// A path that leads to another folder is nowhere.
func TestPaths(t *testing.T) {
	for _, target := range []string{
		"/../etc/passwd", "/page/../../etc/passwd", "/page/..%2f..%2fetc%2fpasswd", "/page/%2e%2e/x", "/v1/models/..",
		"/v1/models/.%2e/x", "//etc/passwd", "/v1/runs/..%5c..%5cx", "/page/x%00.js", "/./x", "/v1/jobs/%2f%2fx",
	} {
		if got := (call{method: "GET", target: target, host: "localhost"}).do(t, guard.Options{Addr: "127.0.0.1:8080"}).StatusCode; got != 404 {
			t.Errorf("%s: status %d, want 404", target, got)
		}
	}
}

// An address that other machines reach needs a token.
func TestCheckAddr(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:8080": true, "[::1]:8080": true, "127.1.2.3:0": true, "LocalHost.:1": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.168.1.5:8080": false, "example.org:80": false,
	} {
		if err := guard.CheckAddr(addr, ""); (err == nil) != ok {
			t.Errorf("%s without a token: %v", addr, err)
		}
		if err := guard.CheckAddr(addr, secret); err != nil {
			t.Errorf("%s with a token: %v", addr, err)
		}
	}
}

// A token is read without the white space around it. One that can be guessed is refused.
func TestReadToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for text, ok := range map[string]bool{
		secret + "\n": true, "  " + secret + "\r\n": true, "short": false, "": false, strings.Repeat("x", 2000): false,
		"two words that are long": false, "umlauts-sind-zeichen-ä": false,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := guard.ReadToken(path)
		if (err == nil) != ok || (ok && got != secret) {
			t.Errorf("%.40q: token %q, error %v", text, got, err)
		}
	}
	if _, err := guard.ReadToken(path + "x"); err == nil {
		t.Error("a file that is not there was read")
	}
}

// Any header may come: the guard lets in those who know the token alone.
func FuzzAuthorization(f *testing.F) {
	for _, header := range []string{"Bearer " + secret, "Bearer", "bearer x", "", " ", "Basic eA==", "Bearer " + secret + " x"} {
		f.Add(header, "x")
	}
	f.Fuzz(func(t *testing.T, header, cookie string) {
		g, err := guard.New(guard.Options{Addr: "127.0.0.1:1", Token: secret})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "http://localhost/v1/models", http.NoBody)
		r.Header.Set("Authorization", header)
		r.Header.Set("Cookie", "fmimg="+cookie)
		w := httptest.NewRecorder()
		g.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
		fields := strings.Fields(header)
		knows := len(fields) == 2 && strings.EqualFold(fields[0], "bearer") && fields[1] == secret
		if in := w.Code == http.StatusNotFound; in && !knows {
			t.Errorf("%q and cookie %q: status %d", header, cookie, w.Code)
		}
	})
}
