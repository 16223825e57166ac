package cluster

import "errors"

// ErrWithoutMPI says that this program cannot be one rank of several. All processes that a launcher
// started have it, as they are the same program.
var ErrWithoutMPI = errors.New("a launcher started several processes, and this fmimg has no MPI: " +
	"build the one that has by \"make mpi\", and start fmimg-mpi")

// Join returns the connection of the run that this program was started in. Started by mpirun,
// mpiexec or srun, a program with the build tag mpi is one rank of several; otherwise it is alone.
//
// Where there are several ranks, Join adds one to GOMAXPROCS, so that a goroutine that waits for
// another rank finds a processor as soon as the message is there, though workers compute on all.
// Who makes as many workers as there are processors asks for their number before.
func Join() (Comm, error) { return join() }
