package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/serve/api"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/guard"
)

// A quick drawer draws black images of 4x4 at once, or when it is told to.
type quick struct {
	hold  chan struct{} // nil: at once
	under atomic.Int64
}

var small = draw.Model{Name: "small", Path: "small", Kind: "velocity", Shape: pipeline.Shape{Height: 4, Width: 4, Channels: 1},
	Solvers: []string{"euler"}, Solver: "euler", Steps: 2, Trajectory: true, Edits: true, Likelihood: true}

// large is a model whose states fill the buffers of a connection.
var large = draw.Model{Name: "large", Path: "large", Kind: "velocity", Shape: pipeline.Shape{Height: 64, Width: 64, Channels: 1},
	Solvers: []string{"euler"}, Solver: "euler", Steps: 2, Trajectory: true}

func (q *quick) Models() []draw.Model { return []draw.Model{small, large} }
func (q *quick) Stats() draw.Stats    { return draw.Stats{} }

func (q *quick) Model(name string) (draw.Model, error) {
	for _, m := range q.Models() {
		if m.Name == name {
			return m, nil
		}
	}
	return draw.Model{}, draw.ErrNoModel
}

func (q *quick) Do(ctx context.Context, r draw.Request) (*draw.Result, error) {
	q.under.Add(1)
	defer q.under.Add(-1)
	if q.hold != nil {
		select {
		case <-q.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m, err := q.Model(r.Model)
	if err != nil {
		return nil, err
	}
	x := make([]float32, m.Shape.Len())
	for i := range x {
		x[i] = float32(uint32(i)*2654435761>>24)/127.5 - 1
	}
	out := &draw.Result{Model: m, Sample: r.Sample, Images: picture.Blank(m.Shape, max(r.Sample.Count, 1))}
	for i := range out.Images.Len() {
		for step := range 3 {
			if r.Watch != nil {
				r.Watch(draw.State{Image: i, Step: step, Steps: 2, X: x})
			}
		}
	}
	return out, ctx.Err()
}

// A running server, and how to end it.
type running struct {
	addr string
	end  func() error
}

// start runs a server over a drawer.
func start(t *testing.T, q *quick, token string, rooms ...room) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front, err := guard.New(guard.Options{Addr: l.Addr().String(), Token: token})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &server{guard: front, api: api.New(q, api.Options{}), rooms: rooms}
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, l) }()
	end := sync.OnceValue(func() error { stop(); return <-done })
	t.Cleanup(func() { _ = end() })
	return &running{l.Addr().String(), end}
}

// say writes a request as it is and returns the status of the response; 0: none.
func (r *running) say(t *testing.T, text string) int { return r.write(t, text, false) }

// write is say, and says that nothing follows where it is told to. To the server, such a client has
// gone.
func (r *running) write(t *testing.T, text string, nothingFollows bool) int {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, text)
	if nothingFollows {
		_ = c.(*net.TCPConn).CloseWrite()
	}
	w, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer w.Body.Close()
	_, _ = io.Copy(io.Discard, w.Body)
	return w.StatusCode
}

// Clients that are slow hold neither a worker nor the server: others are served beside them, and
// they are sent away.
func TestSlowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the limits of time")
	}
	q := &quick{}
	r := start(t, q, "")
	var slow sync.WaitGroup
	gone := func(name string, within time.Duration, client func(c net.Conn)) {
		slow.Go(func() {
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			begin := time.Now()
			go client(c)
			_ = c.SetReadDeadline(begin.Add(within + 10*time.Second))
			_, err = io.Copy(io.Discard, c)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() || time.Since(begin) > within {
				t.Errorf("%s: it was still there after %v", name, time.Since(begin))
			}
		})
	}
	for range 20 {
		gone("a header of a byte each second", guard.HeaderTime+2*time.Second, func(c net.Conn) {
			for _, b := range []byte("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n") {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		gone("a body that stalls", guard.BodyTime+4*time.Second, func(c net.Conn) {
			_, _ = io.WriteString(c, "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		})
	}
	begin := time.Now()
	for range 20 {
		if status := r.say(t, valid()[0]); status != http.StatusOK {
			t.Errorf("beside slow clients: status %d", status)
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("20 requests beside slow clients took %v", took)
	}
	slow.Wait()
}

// A flood of connections that say nothing holds up others only until the server closes them.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the limits of time")
	}
	r := start(t, &quick{}, "")
	for range guard.MaxConnections {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Skipf("this machine has no room for the flood: %v", err)
		}
		t.Cleanup(func() { c.Close() })
	}
	begin := time.Now()
	if status := r.say(t, valid()[0]); status != http.StatusOK {
		t.Errorf("behind a flood: status %d", status)
	}
	if time.Since(begin) < guard.HeaderTime/2 {
		t.Errorf("it was served after %v, so more connections than %d are open", time.Since(begin), guard.MaxConnections)
	}
}

// A reader that never reads is sent away, and the job that it follows ends all the same.
func TestReaderThatNeverReads(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the limits of time")
	}
	r := start(t, &quick{}, "")
	w, err := http.Post("http://"+r.addr+"/v1/jobs", "application/json", strings.NewReader(`{"model": "large", "count": 1024}`))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(c, "GET %s/events HTTP/1.1\r\nHost: localhost\r\n\r\n", w.Header.Get("Location"))
	begin := time.Now()
	for !strings.Contains(r.get(t, "/metrics"), `route="GET /v1/jobs/{id}/events"`) {
		if time.Since(begin) > guard.WriteTime+20*time.Second {
			t.Fatal("it was not sent away")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if took := time.Since(begin); took < guard.WriteTime/2 {
		t.Errorf("the system took all of it within %v, so that nothing was shown", took)
	}
	if text := r.get(t, w.Header.Get("Location")); !strings.Contains(text, `"done"`) {
		t.Errorf("the job that it followed is %s", text)
	}
}

// get returns what is at a path.
func (r *running) get(t *testing.T, path string) string {
	t.Helper()
	w, err := http.Get("http://" + r.addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A room counts how it is closed.
type closedRoom struct {
	after time.Duration
	done  atomic.Bool
}

func (c *closedRoom) Register(*http.ServeMux) {}

func (c *closedRoom) Close(ctx context.Context) error {
	select {
	case <-time.After(c.after):
		c.done.Store(true)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a training was not saved: %w", ctx.Err())
	}
}

// The end waits for what is being drawn and for rooms, and refuses what is new.
func TestEnd(t *testing.T) {
	q := &quick{hold: make(chan struct{})}
	saving := &closedRoom{after: 300 * time.Millisecond}
	r := start(t, q, "", saving)
	got := make(chan int, 1)
	go func() { got <- r.say(t, valid()[0]) }()
	w, err := http.Post("http://"+r.addr+"/v1/jobs", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	follow, err := http.Get("http://" + r.addr + w.Header.Get("Location") + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Body.Close()
	for q.under.Load() != 2 {
		time.Sleep(time.Millisecond)
	}
	begin, ended := time.Now(), make(chan error, 1)
	go func() { ended <- r.end() }()
	time.Sleep(100 * time.Millisecond)
	if c, err := net.DialTimeout("tcp", r.addr, time.Second); err == nil {
		c.Close()
		t.Error("it still accepts")
	}
	close(q.hold)
	if status := <-got; status != http.StatusOK {
		t.Errorf("what was being drawn has status %d", status)
	}
	if text, err := io.ReadAll(follow.Body); err != nil || !strings.Contains(string(text), "event: end") {
		t.Errorf("the job that was followed ended with %q, %v", text, err)
	}
	if err := <-ended; err != nil || !saving.done.Load() || time.Since(begin) > 5*time.Second {
		t.Errorf("it ended after %v, saved %v: %v", time.Since(begin), saving.done.Load(), err)
	}
}

// What does not end is cancelled, within the ten seconds.
func TestEndInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the limits of time")
	}
	q := &quick{hold: make(chan struct{})}
	r := start(t, q, "")
	got := make(chan int, 1)
	go func() { got <- r.say(t, valid()[0]) }()
	w, err := http.Post("http://"+r.addr+"/v1/jobs", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	for q.under.Load() != 2 {
		time.Sleep(time.Millisecond)
	}
	begin := time.Now()
	err = r.end()
	if took := time.Since(begin); took > endTime || took < finishTime || q.under.Load() != 0 {
		t.Errorf("it ended after %v with %d requests: %v", took, q.under.Load(), err)
	}
	if status := <-got; status != http.StatusServiceUnavailable && status != 0 {
		t.Errorf("the request that was cancelled has status %d", status)
	}
}

// An evaluation that takes longer than the end may is left behind without a word.
func TestEndLeavesEvaluations(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the limits of time")
	}
	front, err := guard.New(guard.Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{guard: front, api: api.New(&quick{}, api.Options{}), draw: func(context.Context) error {
		<-t.Context().Done()
		return nil
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	begin := time.Now()
	if err := s.run(ended, l); err != nil || time.Since(begin) > endTime {
		t.Errorf("it ended after %v: %v", time.Since(begin), err)
	}
}

// Every route keeps a browser safe, and leads to no file of the machine.
func TestRoutes(t *testing.T) {
	r := start(t, &quick{}, "")
	for _, target := range []string{"/v1/models", "/healthz", "/nothing", "/v1/jobs/x", "/metrics", "/openapi.json", "/v1/jobs/x/events"} {
		w, err := http.Get("http://" + r.addr + target)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
		if !strings.Contains(w.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s has no policy", target)
		}
	}
	for _, route := range []string{"/", "/page/", "/v1/models/", "/v1/jobs/", "/v1/jobs/x/images/", "/v1/runs/", "/v1/runs/x/previews/"} {
		for _, out := range []string{"../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%2fetc%2fpasswd",
			"..%5c..%5cetc%5cpasswd", "....//etc/passwd", "%00/etc/passwd", "/etc/passwd"} {
			if status := r.say(t, request("GET", route+out, "application/json", "")); status != 404 && status != 400 {
				t.Errorf("%s%s: status %d", route, out, status)
			}
		}
	}
	if status := r.say(t, request("PUT", "/v1/jobs", "application/json", "{}")); status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: status %d", status)
	}
}

// A handler that panics is an error of the server. Where its response has begun, the connection
// ends, so that nobody takes the response for whole.
func TestPanics(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	for name, c := range map[string]struct {
		before func(w http.ResponseWriter)
		whole  bool
	}{
		"before the response": {func(http.ResponseWriter) {}, true},
		"after a header":      {func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }, false},
		"within a stream":     {func(w http.ResponseWriter) { _, _ = w.Write([]byte("data")); _ = http.NewResponseController(w).Flush() }, false},
	} {
		s := httptest.NewServer(survive(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.before(w); panic("a bug") })))
		w, err := http.Get(s.URL)
		whole := err == nil
		if err == nil {
			var text []byte
			text, err = io.ReadAll(w.Body)
			w.Body.Close()
			whole = err == nil && w.StatusCode == http.StatusInternalServerError && strings.Contains(string(text), `"server_error"`)
		}
		if whole != c.whole {
			t.Errorf("%s: an answer that is whole: %t, %v", name, whole, err)
		}
		s.Close()
	}
}

// A port that is taken, an address that is none and one that others reach are mistakes in options.
func TestListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		opt  Options
		want string
	}{
		"busy":      {Options{Addr: l.Addr().String()}, "another program listens there: choose another port, or addr 127.0.0.1:0, which takes a free one"},
		"no port":   {Options{Addr: "localhost"}, "an address and a port are needed"},
		"port":      {Options{Addr: "127.0.0.1:99999"}, "it cannot be listened on"},
		"reachable": {Options{Addr: "0.0.0.0:0"}, "add token-file"},
		"no name":   {Options{Addr: "127.0.0.1:0", Hosts: []string{"a/b"}}, "a name without a port is needed"},
		"no model":  {Options{Addr: "127.0.0.1:0", Models: []string{"mnist", "nowhere/x"}}, "model nowhere/x: it cannot be read: no such file or directory"},
		"not one":   {Options{Addr: "127.0.0.1:0", Models: []string{token}}, "token"},
		"a gap":     {Options{Addr: "127.0.0.1:0", Models: []string{"mnist", ""}}, "a run folder or a checkpoint file is needed"},
		"token":     {Options{Addr: "127.0.0.1:0", TokenFile: token}, "a token has 16 to 1024 characters"},
	} {
		var wrong *pipeline.OptionError
		err := Serve(t.Context(), c.opt)
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
