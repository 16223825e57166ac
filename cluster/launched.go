package cluster

import "strconv"

// sizes are the environment variables in which launchers tell a process how many there are: Open
// MPI's mpirun; the mpiexec of MPICH, Intel and Cray; MVAPICH's; srun.
var sizes = []string{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"}

// launched returns the variable that says that a launcher started more than one process, and its
// value; an empty name when there is none. env is os.Getenv.
func launched(env func(string) string) (name, value string) {
	for _, name := range sizes {
		if n, err := strconv.Atoi(env(name)); err == nil && n > 1 {
			return name, env(name)
		}
	}
	return "", ""
}
