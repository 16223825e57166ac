package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/fmimg/fmimg/cluster"
)

func main() {
	ignoreBrokenPipes()
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	// The first signal asks for an orderly end. A second one ends the process at once.
	context.AfterFunc(ctx, stop)
	a := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.LookupEnv, join: cluster.Join}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// An app is the command with its surroundings. Tests replace the surroundings.
type app struct {
	stdout, stderr io.Writer
	environ        func(name string) (value string, ok bool)
	join           func() (cluster.Comm, error)

	ranks cluster.Comm // the processes that share the work of the command; nil: this one alone
}

// The exit status.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run executes a command line and returns the exit status. An error is one line on stderr.
func (a *app) run(ctx context.Context, args []string) int {
	a = &app{stdout: a.stdout, stderr: a.stderr, environ: a.environ, join: a.join}
	a.silence()
	out := &checkedWriter{Writer: a.stdout}
	a.stdout = out
	root := a.newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("write to stdout: %w", reason(out.err))
	}
	if err == nil || (errors.Is(err, syscall.EPIPE) && out.err != nil) {
		return a.leave(nil, exitOK) // a reader that has seen enough, such as head, may go away
	}
	line, status := explain(root, cmd, err)
	_, _ = io.WriteString(a.stderr, line+"\n") // without stderr there is nobody to tell
	return a.leave(err, status)
}

// A checkedWriter remembers the first error. So the command fails when results do not arrive,
// whatever writes them.
type checkedWriter struct {
	io.Writer
	err error
}

func (w *checkedWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// reason returns an error of a file without the operation and the path.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
