package guard

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/fmimg/fmimg/serve/problem"
)

// How long the server waits for a client that is slow, and how much it takes from all of them.
const (
	HeaderTime = 5 * time.Second  // for the header of a request
	BodyTime   = 30 * time.Second // for its body
	IdleTime   = 60 * time.Second // between requests
	WriteTime  = 10 * time.Second // for each piece of a response
	// MaxHeader and MaxBody are the most bytes of a header and of a body. Routes have lower bounds
	// of their own.
	MaxHeader = 64 << 10
	MaxBody   = 32 << 20
	// MaxConnections is the most connections that are open at once. Further ones wait until others
	// close, so that a flood of them takes bounded memory, and no file from a training.
	MaxConnections = 512
	// MaxHeld is the most bytes of bodies that all requests together hold.
	MaxHeld = 256 << 20
)

// Configure sets the limits of a server.
func Configure(s *http.Server) {
	s.ReadHeaderTimeout = HeaderTime
	s.IdleTimeout = IdleTime
	s.MaxHeaderBytes = MaxHeader
}

// Listen returns a listener that accepts at most MaxConnections at once.
func Listen(l net.Listener) net.Listener { return netutil.LimitListener(l, MaxConnections) }

// A body is that of a request. It must arrive within BodyTime, and is counted while the request is
// answered.
type body struct {
	io.ReadCloser
	guard   *Guard
	control *http.ResponseController
	read    int64
}

// bound bounds the body of a request.
func (g *Guard) bound(w http.ResponseWriter, r *http.Request) *body {
	b := &body{ReadCloser: r.Body, guard: g, control: http.NewResponseController(w)}
	if r.Body == nil || r.Body == http.NoBody {
		return b
	}
	_ = b.control.SetReadDeadline(time.Now().Add(BodyTime)) // tests have writers without one
	b.ReadCloser = http.MaxBytesReader(w, r.Body, MaxBody)
	r.Body = b
	return b
}

// Read implements [io.Reader]. At the end of the body it lifts the deadline: from there on, the
// connection is read to learn that the client has gone.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if b.guard.holding.Add(int64(n)) > MaxHeld {
		return n, &problem.Problem{Status: http.StatusTooManyRequests, Type: problem.TooMany, Code: "uploads_full",
			Message: "the server holds too many uploads: try again in a second", RetryAfter: time.Second}
	}
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// release gives back what the body took.
func (b *body) release() { b.guard.holding.Add(-b.read) }

// A deadlineWriter gives each piece of a response a time of its own. So a long stream may last as
// long as its reader reads.
type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// piece is how many bytes have WriteTime to go out.
const piece = 64 << 10

func newDeadlineWriter(w http.ResponseWriter) *deadlineWriter {
	d := &deadlineWriter{w, http.NewResponseController(w)}
	d.extend() // a request before this one may have left another
	return d
}

// extend sets the deadline anew.
func (d *deadlineWriter) extend() {
	_ = d.control.SetWriteDeadline(time.Now().Add(WriteTime)) // tests have writers without one
}

// WriteHeader implements [http.ResponseWriter].
func (d *deadlineWriter) WriteHeader(status int) {
	d.extend()
	d.ResponseWriter.WriteHeader(status)
}

// Write implements [io.Writer].
func (d *deadlineWriter) Write(p []byte) (n int, err error) {
	for {
		d.extend()
		k, err := d.ResponseWriter.Write(p[:min(piece, len(p))])
		n += k
		if p = p[k:]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// FlushError implements what [http.ResponseController] flushes by.
func (d *deadlineWriter) FlushError() error {
	d.extend()
	return d.control.Flush()
}

// Unwrap is for [http.ResponseController].
func (d *deadlineWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
