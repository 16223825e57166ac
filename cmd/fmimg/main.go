package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader that went away does not stop the training
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; after it a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	a := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.LookupEnv}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// An app is the command with its surroundings, which tests replace.
type app struct {
	stdout, stderr io.Writer
	environ        func(name string) (value string, ok bool)
}

// The exit status.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run executes a command line and returns the exit status. An error is one line on stderr.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	line, status := explain(root, cmd, err)
	_, _ = io.WriteString(a.stderr, line+"\n") // with stderr gone nobody is left to tell
	return status
}
