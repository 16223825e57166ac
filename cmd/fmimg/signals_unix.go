//go:build unix

package main

import (
	"os"
	"syscall"
)

// limitSignals are those by which schedulers of clusters announce the end of the time that a job
// may take.
func limitSignals() []os.Signal { return []os.Signal{syscall.SIGUSR1} }
