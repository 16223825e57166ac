package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/bench"
)

const benchClusterHelp = `Measure how training scales over ranks, and say how it scales over more.

Started by mpirun or srun, fmimg-mpi measures the ranks that there are, fmimg alone ranks in this process. It
measures what an exchange between two ranks costs, steps of a batch on 1, 2, 4, … ranks, steps of a batch that
grows with them, and beside each the same step by one rank, and by one process with as many threads.

"model" is what a step should take by the costs of one rank that were measured beside it: bytes over
bandwidth, exchanges times latency, and what of them goes on while a rank computes. The same model says how
steps scale to 64 machines like a rank, on networks of 10 and 100 Gbit/s.`

const benchClusterExample = `  fmimg bench cluster                                          2 ranks in this process
  mpirun -n 2 --bind-to none fmimg-mpi bench cluster --threads 1
  srun -n 8 fmimg-mpi bench cluster --batch 256 --out cluster.json`

func (a *app) newBenchCluster() *cobra.Command {
	var o bench.ClusterOptions
	usual := o.WithDefaults()
	var d destination
	cmd := &cobra.Command{
		Use: "cluster [flags]", Short: "Measure how training scales over ranks, and predict more", Long: benchClusterHelp,
		Example: benchClusterExample, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(checkBench(cmd), positive(cmd, "ranks")); err != nil {
				return err
			}
			return a.benchCluster(cmd, o, d)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	workloadFlags(f, &o.Options, usual.Options, "`images` of a step, over all ranks")
	f.Lookup("threads").Usage = "worker `threads` of each rank (default all that it may use; ranks in one process share them)"
	f.IntVar(&o.Ranks, "ranks", usual.Ranks, "`number` of ranks in this process, where no launcher started several")
	nameVar(f, &o.Optimizer, "optimizer", usual.Optimizer, "`name`: adamw, muon or normuon")
	f.DurationVar(&o.Time, "time", usual.Time, "`time` to measure for, exceeded where a few steps take longer")
	d.flags(f)
	return cmd
}

func (a *app) benchCluster(cmd *cobra.Command, o bench.ClusterOptions, d destination) error {
	if err := a.lead(d.check); err != nil {
		return err
	}
	o.Comm, o.OnStart = a.ranks, a.tellStart(o.Time)
	result, err := bench.Cluster(cmd.Context(), o)
	if err != nil || result == nil {
		return err
	}
	return a.writeBench(d, result, result.WriteText)
}
