package serve

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// request writes a request in HTTP.
func request(method, target, kind, body string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		method, target, kind, len(body), body)
}

// valid are requests that the server takes, and where their bodies begin.
func valid() []string {
	form := "--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\nabc\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--x--\r\n"
	return []string{
		request("POST", "/v1/images/generations", "application/json", `{"prompt": "", "n": 2, "size": "8x8", "seed": 5, "output_format": "png"}`),
		request("POST", "/v1/jobs", "application/json", `{"kind": "generate", "count": 2, "seed": 7, "steps": 4, "states": true}`),
		request("POST", "/v1/jobs", "application/json", `{"kind": "vary", "images": ["aGVsbG8="], "level": 0.5, "count": 1}`),
		request("POST", "/v1/images/edits", "multipart/form-data; boundary=x", form),
		request("POST", "/login", "application/x-www-form-urlencoded", "token=abc"),
		request("GET", "/v1/jobs/job_abc/images/0.png?scale=2", "application/json", ""),
		request("GET", "/v1/models/small", "application/json", ""),
	}
}

// mutate changes some bytes of a request: it drops, doubles, swaps or replaces parts of it.
func mutate(text string, rng *rand.Rand) string {
	b := []byte(text)
	for range 1 + rng.IntN(4) {
		if len(b) < 4 {
			break
		}
		i := rng.IntN(len(b) - 1)
		j := i + 1 + rng.IntN(min(16, len(b)-i-1))
		switch rng.IntN(5) {
		case 0:
			b[i] = byte(rng.IntN(256))
		case 1:
			b = append(b[:i:i], b[j:]...)
		case 2:
			b = append(b[:j:j], b[i:]...)
		case 3:
			b[i], b[j-1] = b[j-1], b[i]
		case 4:
			words := []string{"null", "-1", "1e999", "[", "{", "\"", "\x00", "../", "%2e%2e", "999999999999999999999", "\r\n", "true", "\xff\xfe"}
			b = append(append(b[:i:i], words[rng.IntN(len(words))]...), b[j:]...)
		}
	}
	return string(b)
}

// Requests that were spoilt are refused or taken, none breaks the server, and nothing of them
// stays.
func TestMalformed(t *testing.T) {
	count := 10000
	if testing.Short() {
		count = 1000
	}
	q := &quick{}
	r := start(t, q, "")
	for _, text := range valid()[:3] {
		if status := r.say(t, text); status/100 != 2 {
			t.Fatalf("%q: status %d", text, status)
		}
	}
	before := runtime.NumGoroutine()
	rng := rand.New(rand.NewPCG(1, 2))
	statuses := map[int]int{}
	for range count {
		text := mutate(valid()[rng.IntN(len(valid()))], rng)
		status := r.write(t, text, true)
		statuses[status]++
		switch status {
		case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported: // of HTTP itself
		case http.StatusServiceUnavailable: // a good request, whose client had gone
		default:
			if status >= 500 {
				t.Errorf("%q: status %d", text, status)
			}
		}
	}
	t.Logf("statuses: %v", statuses)
	if refused := statuses[400] + statuses[404] + statuses[415]; refused < count/3 {
		t.Errorf("only %d of %d requests were refused: %v", refused, count, statuses)
	}
	if status := r.say(t, valid()[0]); status != http.StatusOK {
		t.Errorf("then a good request has status %d", status)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+3; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines were left, %d before", runtime.NumGoroutine(), before)
		}
	}
	if n := q.under.Load(); n != 0 {
		t.Errorf("%d requests are still drawn", n)
	}
}
