package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/pipeline"
)

// ranked are the commands whose work several processes share, that mpirun started together.
var ranked = []string{"train", "distill", "generate", "eval", "likelihood", "bench cluster"}

// harmlessTwice are the commands of which several copies do no harm.
var harmlessTwice = []string{"fmimg", "version", "help", "bench compare"}

// launchers are the variables in which a launcher tells a process how many there are, and its own
// number: Open MPI's mpirun; MPICH's, Intel's and Cray's mpiexec; MVAPICH's; Slurm's srun.
var launchers = []struct{ size, rank string }{
	{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
	{"PMI_SIZE", "PMI_RANK"},
	{"MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"},
	{"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"},
}

// launched returns the number of processes that a launcher started, and that of this one: 0 of 1
// where there was no launcher.
func (a *app) launched() (rank, size int) {
	number := func(name string) int {
		text, _ := a.environ(name)
		n, _ := strconv.Atoi(text) // 0 where there is none
		return n
	}
	for _, l := range launchers {
		if size := number(l.size); size > 1 {
			return number(l.rank), size
		}
	}
	return 0, 1
}

// silence has a process that is not rank 0 say nothing: the command's results and errors are told
// once.
func (a *app) silence() {
	if rank, _ := a.launched(); rank > 0 {
		a.stdout, a.stderr = io.Discard, io.Discard
	}
}

// joinRanks connects the processes that were started together, before a command computes.
func (a *app) joinRanks(cmd *cobra.Command) error {
	_, size := a.launched()
	name := strings.TrimPrefix(cmd.CommandPath(), "fmimg ")
	switch {
	case !slices.Contains(ranked, name):
		if size > 1 && !slices.Contains(harmlessTwice, name) {
			return usagef("it runs in one process, and %d were started: start it without mpirun or srun", size)
		}
		return nil
	case size > 1 && flagOn(cmd, "watch"):
		return usagef("--watch: the page shows a training of one process, and %d were started: leave it out, "+
			"and watch the run with fmimg serve", size)
	case size > 1 && !cmd.Flags().Changed("threads"):
		// Joining adds a thread, for messages.
		if err := cmd.Flags().Set("threads", strconv.Itoa(runtime.GOMAXPROCS(0))); err != nil {
			return err
		}
	}
	var err error
	if a.ranks, err = a.join(); err != nil || a.ranks.Size() == 1 {
		return err
	}
	return a.sameFlags(cmd)
}

// flagOn reports whether a command has a flag and it is on.
func flagOn(cmd *cobra.Command, name string) bool {
	f := cmd.Flags().Lookup(name)
	return f != nil && f.Value.String() == "true"
}

// mayDiffer are the flags that a rank may have for itself. The libraries compare what they settle
// of isa and precision.
var mayDiffer = []string{"threads", "isa", "precision"}

// sameFlags returns an error where a rank has other flags than rank 0.
func (a *app) sameFlags(cmd *cobra.Command) error {
	given := map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(mayDiffer, f.Name) {
			given[f.Name] = f.Value.String()
		}
	})
	all, err := cluster.GatherValues(a.ranks, given)
	if err != nil {
		return err
	}
	for rank, other := range all {
		for _, name := range slices.Sorted(maps.Keys(union(all[0], other))) {
			if all[0][name] != other[name] {
				return usagef("--%s is %s on rank 0 and %s on rank %d: give all ranks the same flags", name,
					cmp.Or(all[0][name], "not given"), cmp.Or(other[name], "not given"), rank)
			}
		}
	}
	return nil
}

// union returns the entries of two maps.
func union(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// leads reports whether this process writes files: it is alone, or rank 0.
func (a *app) leads() bool { return a.ranks == nil || a.ranks.Rank() == 0 }

// lead does work on rank 0 alone. All ranks return its error.
func (a *app) lead(work func() error) error { return pipeline.Lead(a.ranks, work) }

// leave ends the connection after a command, and returns the exit status of this process. Where the
// ranks have lost each other, it ends all of them. Rank 0 alone fails otherwise: a launcher that
// sees another rank fail ends rank 0 before that has told why.
func (a *app) leave(err error, status int) int {
	rank, _ := a.launched()
	if a.ranks == nil {
		_, apart := errors.AsType[*cluster.Error](err)
		switch {
		case rank > 0 && apart && !errors.Is(err, cluster.ErrWithoutMPI):
			// The others wait for this one, and may have their library: the launcher must know.
			fmt.Fprintf(os.Stderr, "fmimg: rank %d: %s\n", rank, oneLine(err.Error()))
		case rank > 0:
			return exitOK
		}
		return status
	}
	if lost, ok := errors.AsType[*cluster.Error](err); ok {
		if lost.Rank == a.ranks.Rank() && !a.leads() { // nobody else knows why
			fmt.Fprintf(os.Stderr, "fmimg: rank %d: %s\n", lost.Rank, oneLine(lost.Err.Error()))
		}
		a.ranks.Abort(status)
		return status
	}
	if closed := a.ranks.Close(); closed != nil && status == exitOK {
		fmt.Fprintln(a.stderr, "fmimg: "+oneLine(closed.Error()))
		return exitFailed
	}
	if !a.leads() {
		return exitOK
	}
	return status
}
