package guard

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/fmimg/fmimg/serve/problem"
)

// Options say who may come in. The zero value lets in this machine alone, without a token.
type Options struct {
	// Addr is the address that is listened on, host:port. Its host is a name of the server; where
	// it stands for all addresses, every address of the machine is.
	Addr string
	// Hosts are further names of the server, those by which a proxy or another machine calls it.
	Hosts []string
	// Token is what clients must know; empty: nothing.
	Token string
}

// A Guard stands in front of a server.
type Guard struct {
	names   names
	token   *token // nil: none
	holding atomic.Int64
}

// New returns a guard. A name of a host that cannot be one is an [*pipeline.OptionError].
func New(o Options) (*Guard, error) {
	known, err := newNames(o.Addr, o.Hosts)
	if err != nil {
		return nil, err
	}
	g := &Guard{names: known}
	if o.Token != "" {
		g.token = newToken(o.Token)
	}
	return g, nil
}

// headers are those of every response. No page may be framed, run what is not a file of the server,
// or speak with another server.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// Handler returns next behind the guard. The guard itself answers POST /login.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := newDeadlineWriter(w)
		defer out.extend() // the server flushes after this
		for name, value := range headers {
			out.Header().Set(name, value)
		}
		if wrong := g.check(r); wrong != nil {
			out.Header().Set("Connection", "close") // its body is not read
			if wrong.Status == http.StatusUnauthorized {
				out.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, 11.6.1
			}
			wrong.Send(out)
			return
		}
		body := g.bound(out, r)
		defer body.release()
		if r.URL.Path == "/login" {
			g.login(out, r)
			return
		}
		next.ServeHTTP(out, r)
	})
}

// check returns what is wrong with a request; nil: nothing.
func (g *Guard) check(r *http.Request) *problem.Problem {
	if !plainPath(r.URL) {
		return refusal(http.StatusNotFound, problem.NotFound, "there is nothing at this address")
	}
	if !g.names.know(r.Host) {
		return refusal(http.StatusMisdirectedRequest, problem.Forbidden,
			"the server does not go by the name of this address: a name must be given when it is started")
	}
	if !sameOrigin(r) {
		return refusal(http.StatusForbidden, problem.Forbidden, "a page of another site sent this")
	}
	if !knownBody(r) {
		return refusal(http.StatusUnsupportedMediaType, problem.Invalid,
			"Content-Type must be application/json, or multipart/form-data for images/edits")
	}
	if r.ContentLength > MaxBody {
		return refusal(http.StatusRequestEntityTooLarge, problem.Invalid,
			fmt.Sprintf("the request is too large: at most %d bytes are read", MaxBody))
	}
	if g.token != nil && !open(r) && !g.token.knows(r) {
		return refusal(http.StatusUnauthorized, problem.Unknown,
			"the server's token is needed: send it as Authorization: Bearer TOKEN, or log in on the page")
	}
	return nil
}

// refusal returns a problem without a field.
func refusal(status int, kind problem.Type, message string) *problem.Problem {
	return &problem.Problem{Status: status, Type: kind, Message: message}
}

// plainPath reports whether a path names what it says: no part of it means another folder. Without
// this, the mux would send the client elsewhere.
func plainPath(u *url.URL) bool {
	path := u.Path
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\\x00") || strings.Contains(path, "//") {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	return true
}

// sameOrigin reports whether a request comes from a page of the server, or from no page at all.
// Links of other sites to the page itself are let through.
func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return r.URL.Path == "/" && reads(r)
}

// reads reports whether a request changes nothing.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// knownBody reports whether the body of a request is of a type that a form of another site cannot
// send without asking, or is that of a form that the server has: uploads and the login, which check
// the Origin.
func knownBody(r *http.Request) bool {
	text := r.Header.Get("Content-Type")
	if text == "" {
		return r.ContentLength == 0 || reads(r)
	}
	kind, _, err := mime.ParseMediaType(text)
	if err != nil {
		return reads(r)
	}
	switch kind {
	case "application/json":
		return true
	case "multipart/form-data":
		return r.URL.Path == "/v1/images/edits" || reads(r)
	case "application/x-www-form-urlencoded":
		return r.URL.Path == "/login" || r.ContentLength == 0 || reads(r)
	}
	return reads(r)
}

// open reports whether anyone may ask: for the page, which has the form of the login, and whether
// the server is well.
func open(r *http.Request) bool {
	switch path := r.URL.Path; {
	case path == "/login":
		return true
	case !reads(r):
		return false
	default:
		return path == "/" || path == "/healthz" || path == "/favicon.ico" || strings.HasPrefix(path, "/page/")
	}
}
