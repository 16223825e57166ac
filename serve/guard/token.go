package guard

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/serve/problem"
)

// Bounds on a token: shorter ones can be guessed, longer ones do not fit a header.
const (
	minToken = 16
	maxToken = 1024
)

// ReadToken reads a token from a file, without the white space around it. A mistake is an
// [*pipeline.OptionError].
func ReadToken(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 2*maxToken))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if err := CheckToken(token); err != nil {
		return "", option.Errorf("token-file", path, "%v", err)
	}
	return token, nil
}

// CheckToken returns an error for a token that could be guessed, or that a header cannot hold.
func CheckToken(token string) error {
	if len(token) < minToken || len(token) > maxToken {
		return fmt.Errorf("a token has %d to %d characters, and this one %d: make one with openssl rand -hex 32",
			minToken, maxToken, len(token))
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("a token has letters, digits and signs of ASCII alone, without spaces")
		}
	}
	return nil
}

// A token is kept as its hash, which has the same length for all that it is compared with.
type token struct {
	hash   [sha256.Size]byte
	cookie string // the value of the cookie, from which nobody finds the token
}

// cookieName is the name of the cookie of a browser that has logged in.
const cookieName = "fmimg"

// cookieAge is how long a browser stays logged in, in seconds.
const cookieAge = 30 * 24 * 3600

func newToken(text string) *token {
	mac := hmac.New(sha256.New, []byte(text))
	mac.Write([]byte("fmimg cookie 1"))
	return &token{hash: sha256.Sum256([]byte(text)), cookie: base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}
}

// is reports whether a text is the token, in a time that does not depend on where they differ.
func (t *token) is(text string) bool {
	hash := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1
}

// knows reports whether a request has the token or the cookie. A header that is wrong is not made
// up for by a cookie.
func (t *token) knows(r *http.Request) bool {
	if text := r.Header.Get("Authorization"); text != "" {
		given, ok := bearer(text)
		return ok && t.is(given)
	}
	for _, c := range r.CookiesNamed(cookieName) {
		if subtle.ConstantTimeCompare([]byte(c.Value), []byte(t.cookie)) == 1 {
			return true
		}
	}
	return false
}

// bearer returns the token of an Authorization header.
func bearer(header string) (token string, ok bool) {
	scheme, token, ok := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= maxToken
}

// maxLogin is how long the body of a login may be.
const maxLogin = 4096

// login answers POST /login, whose body is {"token": "…"} or a form with a field token. The cookie
// goes with every later request of the page. No script reads it, and no other site sends it.
func (g *Guard) login(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		problem.Write(w, http.StatusMethodNotAllowed, problem.Invalid, "", "log in by POST")
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogin))
	if err != nil && problem.Of(err).Status >= http.StatusInternalServerError {
		err = refusal(http.StatusBadRequest, problem.Invalid, "the body did not arrive")
	}
	if err != nil {
		problem.Send(w, err)
		return
	}
	given, isForm, err := loginToken(r.Header.Get("Content-Type"), text)
	if err != nil {
		problem.Write(w, http.StatusBadRequest, problem.Invalid, "token", err.Error())
		return
	}
	if g.token != nil && !g.token.is(given) {
		problem.Write(w, http.StatusUnauthorized, problem.Unknown, "token", "this is not the server's token")
		return
	}
	if g.token != nil {
		http.SetCookie(w, &http.Cookie{
			Name: cookieName, Value: g.token.cookie, Path: "/", MaxAge: cookieAge,
			HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
		})
	}
	w.Header().Set("Cache-Control", "no-store")
	if isForm {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// loginToken returns the token in the body of a login.
func loginToken(contentType string, body []byte) (token string, isForm bool, err error) {
	kind, _, _ := mime.ParseMediaType(contentType)
	if kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form["token"]) != 1 {
			return "", true, fmt.Errorf("the form must have one field token")
		}
		return form.Get("token"), true, nil
	}
	var message struct {
		Token *string `json:"token"`
	}
	if err := json.Unmarshal(body, &message); err != nil || message.Token == nil {
		return "", false, fmt.Errorf(`the body must be {"token": "…"}`)
	}
	return *message.Token, false, nil
}
