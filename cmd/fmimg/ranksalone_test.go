//go:build !mpi

package main

import (
	"fmt"
	"strings"
	"testing"
)

// A program without MPI that a launcher started several times says once which one to start.
func TestRanksWithoutMPI(t *testing.T) {
	s := newShell(t)
	for rank := range 2 {
		for name, value := range map[string]string{"PMI_SIZE": "2", "PMI_RANK": fmt.Sprint(rank)} {
			s.env[name] = value
			t.Setenv(name, value)
		}
		status := s.run("train --data mnist --steps 1")
		if rank == 0 && (status != exitFailed || !strings.Contains(s.stderr, "make mpi") || strings.Count(s.stderr, "\n") != 1) {
			t.Errorf("%d, %q", status, s.stderr)
		}
		if rank == 1 && (status != exitOK || s.stderr != "") {
			t.Errorf("rank 1: %d, %q", status, s.stderr)
		}
	}
}
