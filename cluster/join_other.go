//go:build !mpi || !linux || (!amd64 && !arm64)

package cluster

import (
	"fmt"
	"os"
)

// join returns Alone. Where the surroundings show that a launcher started several processes, that
// is an error: each of them would do the whole work, and write the same files.
func join() (Comm, error) {
	if name, value := launched(os.Getenv); name != "" {
		return nil, &Error{Rank: Unknown, Err: fmt.Errorf("%s=%s: %w", name, value, ErrWithoutMPI)}
	}
	return Alone(), nil
}
