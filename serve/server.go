package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/serve/api"
	"github.com/fmimg/fmimg/serve/guard"
	"github.com/fmimg/fmimg/serve/problem"
)

// How long the end takes: what is being drawn, and trainings that are saved, have finishTime, and
// what is cancelled then has the rest of endTime.
const (
	endTime    = 10 * time.Second
	finishTime = 8 * time.Second
)

// A room is a part of the server that has routes and something under way.
type room interface {
	Register(mux *http.ServeMux)
	// Close refuses what is new and waits for what is under way, or ends it when ctx ends.
	Close(ctx context.Context) error
}

// A server is made of rooms.
type server struct {
	guard *guard.Guard
	api   *api.API
	rooms []room       // besides the API
	page  http.Handler // nil: none
	draw  func(ctx context.Context) error
}

// handler returns all routes, behind the guard.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	s.api.Register(mux)
	for _, r := range s.rooms {
		r.Register(mux)
	}
	if s.page != nil {
		mux.Handle("GET /{$}", s.page)
		mux.Handle("GET /page/{file}", s.page)
	}
	return s.guard.Handler(s.api.Count(survive(explained(mux))))
}

// explained answers requests that no route takes with a problem, as the routes do.
func explained(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		silent := &silentWriter{header: http.Header{}}
		mux.ServeHTTP(silent, r)
		if allowed := silent.header.Get("Allow"); silent.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", allowed)
			problem.Write(w, silent.status, problem.Invalid, "", fmt.Sprintf("%.20s does nothing here: take %s", r.Method, allowed))
			return
		}
		problem.Write(w, http.StatusNotFound, problem.NotFound, "", "there is nothing at this address")
	})
}

// A silentWriter keeps the status and the header of a response, and drops the rest.
type silentWriter struct {
	header http.Header
	status int
}

// Header implements [http.ResponseWriter].
func (s *silentWriter) Header() http.Header { return s.header }

// Write implements [http.ResponseWriter].
func (s *silentWriter) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (s *silentWriter) WriteHeader(status int) { s.status = cmp.Or(s.status, status) }

// survive turns a panic of a handler into an error of the server. A handler that wrote already ends
// its connection.
func survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &sentWriter{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			log.Printf("a handler of %s panicked: %v", r.Pattern, v)
			if out.sent {
				panic(http.ErrAbortHandler)
			}
			problem.Write(w, http.StatusInternalServerError, problem.ServerSide, "", "the server made a mistake")
		}()
		next.ServeHTTP(out, r)
	})
}

// A sentWriter knows whether a response has begun.
type sentWriter struct {
	http.ResponseWriter
	sent bool
}

// WriteHeader implements [http.ResponseWriter].
func (s *sentWriter) WriteHeader(status int) {
	s.sent = true
	s.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (s *sentWriter) Write(b []byte) (int, error) {
	s.sent = true
	return s.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (s *sentWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// checkForm checks that an address to listen on has a host and a port.
func checkForm(addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return option.Errorf("addr", addr, "an address and a port are needed, such as %s", DefaultAddr)
	}
	return nil
}

// listen listens on an address. Where another program does, the error says what to do.
func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(addr)
		return nil, option.Errorf("addr", addr, "another program listens there").Cured("choose another port, or %v, which takes a free one",
			option.Setting{Option: "addr", Value: net.JoinHostPort(host, "0")})
	}
	if err != nil {
		reason := err
		if wrong, ok := errors.AsType[*net.OpError](err); ok {
			reason = wrong.Err
		}
		return nil, option.Errorf("addr", addr, "it cannot be listened on: %v", reason)
	}
	return l, nil
}

// run serves until ctx ends. Then it ends within endTime: it accepts nothing new, finishes what is
// under way, and cancels what is not finished by then.
func (s *server) run(ctx context.Context, l net.Listener) error {
	requests, cancelRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRequests()
	h := &http.Server{
		Handler:     s.handler(),
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    log.New(io.Discard, "", 0), // what clients do wrong is no news
	}
	guard.Configure(h)
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(guard.Listen(l)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return s.end(h, cancelRequests)
}

// end ends the server.
func (s *server) end(h *http.Server, cancelRequests func()) error {
	finish, stop := context.WithTimeout(context.Background(), finishTime)
	defer stop()
	context.AfterFunc(finish, cancelRequests)
	errs := make([]error, len(s.rooms)+2)
	var all sync.WaitGroup
	all.Go(func() { s.api.Close(finish) })
	for i, r := range s.rooms {
		all.Go(func() { errs[i] = r.Close(finish) })
	}
	all.Go(func() { errs[len(s.rooms)] = h.Shutdown(finish) })
	saved, done := make(chan struct{}), make(chan struct{})
	go func() {
		all.Wait()
		close(saved)
		if s.draw != nil {
			errs[len(s.rooms)+1] = s.draw(finish)
		}
		close(done)
	}()
	known := errs
	select {
	case <-done:
	case <-time.After(endTime - time.Second):
		select {
		case <-saved: // an evaluation of a large network loses nothing
			known = errs[:len(s.rooms)+1]
		default:
			return errors.New("something did not end in time and was left as it was")
		}
	}
	_ = h.Close() // of clients that did not go
	var wrong []error
	for _, err := range known {
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}
