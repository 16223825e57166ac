package main

import (
	"os"
	"syscall"
)

// ignoreBrokenPipes does nothing: js has no signal for broken pipes.
func ignoreBrokenPipes() {}

// endSignals are the signals that ask for an orderly end.
func endSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }
