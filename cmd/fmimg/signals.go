//go:build !js

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// ignoreBrokenPipes makes a write to a reader that went away an error, which does not stop a
// training.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// endSignals are the signals that ask for an orderly end: Ctrl-C, kill, and a terminal that was
// closed, unless nohup said to ignore the last one; and the end of a job's time on a cluster.
func endSignals() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return append(list, limitSignals()...)
}
