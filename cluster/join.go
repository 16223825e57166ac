package cluster

// Join returns the connection of the run that this program was started in. Started by mpirun,
// mpiexec or srun, a program with the build tag mpi is one rank of several; otherwise it is alone.
func Join() (Comm, error) { return join() }
