package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/option"
)

// ClusterOptions say which training over ranks to measure.
type ClusterOptions struct {
	// Batch is that of a whole step; Threads are those of each rank.
	TrainOptions
	// Comm has the ranks that a launcher started; nil: this one alone. One rank measures ranks in
	// this process.
	Comm cluster.Comm
	// Ranks is the number of ranks in this process; 0: 2.
	Ranks int
}

const (
	defaultClusterTime  = time.Minute
	defaultClusterRanks = 2
	mostClusterRanks    = 64 // in one process
)

// WithDefaults fills in everything. Ranks in one process share its threads.
func (o ClusterOptions) WithDefaults() ClusterOptions {
	option.SetDefault(&o.Time, defaultClusterTime)
	option.SetDefault(&o.Ranks, defaultClusterRanks)
	if o.Comm == nil {
		o.Comm = cluster.Alone()
	}
	given := o.Threads
	o.TrainOptions = o.TrainOptions.WithDefaults()
	if given == 0 && !o.launched() {
		o.Threads = max(1, o.Threads/o.Ranks)
	}
	return o
}

// launched reports whether the ranks are processes.
func (o ClusterOptions) launched() bool { return o.Comm.Size() > 1 }

// Validate reports the first option that cannot be used, as a [*pipeline.OptionError].
func (o ClusterOptions) Validate() error {
	d := o.WithDefaults()
	if err := option.Between("ranks", d.Ranks, 1, mostClusterRanks); err != nil {
		return err
	}
	return d.TrainOptions.Validate()
}

// A ClusterResult is how training over ranks scales: what was measured with the ranks that there
// were, and what a model of it says of more ranks.
type ClusterResult struct {
	Stamp
	// Workload has the batch of a whole step, and the threads of each rank.
	Workload
	Optimizer string `json:"optimizer"`
	// Ranks is how many there were. Connection says how they were connected.
	Ranks      int    `json:"ranks"`
	Connection string `json:"connection"`
	OneMachine bool   `json:"one_machine"`
	Link       Link   `json:"link"`
	Costs      Costs  `json:"costs"`
	// Points are the measurements: the same batch on more ranks, then a batch that grows with them.
	Points     []ClusterPoint `json:"points"`
	Projection []Projection   `json:"projection"`
	Seconds    float64        `json:"seconds"` // time of the measurement
}

// A ClusterPoint is the time of a step on some ranks. Times are medians of seconds.
type ClusterPoint struct {
	Ranks int     `json:"ranks"`
	Batch int     `json:"batch"`
	Step  float64 `json:"step_s"`
	// Alone is the same step by one rank with its threads; OneProcess by one process with the
	// threads of all ranks, 0 where a rank may not use so many processors.
	Alone      float64 `json:"alone_s"`
	OneProcess float64 `json:"one_process_s,omitempty"`
	// Model is what the model says of the step, from costs that were measured beside it.
	Model   float64 `json:"model_s"`
	Samples int     `json:"samples"`
}

// Cluster measures training over ranks. Under a launcher all ranks call it, and rank 0 has the
// result; the others have nil. A mistake in the options is a [*pipeline.OptionError]. After a
// [*cluster.Error] the ranks must be aborted.
func Cluster(ctx context.Context, o ClusterOptions) (*ClusterResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	if o.launched() {
		r, err := newClusterBench(o, o.Comm).run(ctx)
		if _, lost := errors.AsType[*cluster.Error](err); err != nil && !lost {
			// The others wait for this one.
			return nil, &cluster.Error{Rank: o.Comm.Rank(), Err: err}
		}
		return r, err
	}
	comms := cluster.InProcess(o.Ranks)
	results, errs := make([]*ClusterResult, len(comms)), make([]error, len(comms))
	var ranks sync.WaitGroup
	for rank, c := range comms {
		ranks.Go(func() {
			if results[rank], errs[rank] = newClusterBench(o, c).run(ctx); errs[rank] != nil {
				c.Abort(1)
			}
		})
	}
	ranks.Wait()
	for _, err := range errs { // the first that is not only that another rank ended
		if _, lost := errors.AsType[*cluster.Error](err); err != nil && !lost {
			return nil, err
		}
	}
	return results[0], errors.Join(errs...)
}

// A clusterBench is the measurement on one rank.
type clusterBench struct {
	options ClusterOptions
	comm    cluster.Comm
	result  *ClusterResult
}

func newClusterBench(o ClusterOptions, c cluster.Comm) *clusterBench {
	return &clusterBench{options: o, comm: c, result: &ClusterResult{Stamp: newStamp()}}
}

// run measures, and returns the result on rank 0.
func (b *clusterBench) run(ctx context.Context) (*ClusterResult, error) {
	begin := time.Now()
	r := b.result
	if err := b.describe(ctx); err != nil {
		return nil, err
	}
	var err error
	if r.Link, err = measureLink(ctx, b.comm, 4*r.Parameters); err != nil {
		return nil, err
	}
	counts := rankCounts(b.comm.Size())
	for _, n := range counts {
		share := b.options.Time / time.Duration(len(counts))
		if err := b.measure(ctx, n, share); err != nil {
			return nil, err
		}
	}
	if b.comm.Rank() > 0 {
		return nil, nil
	}
	r.Projection = r.project()
	r.Seconds = time.Since(begin).Seconds()
	return r, nil
}

// rankCounts returns how many ranks to measure with: the powers of two, and all.
func rankCounts(size int) []int {
	var counts []int
	for n := 1; n < size; n *= 2 {
		counts = append(counts, n)
	}
	return append(counts, size)
}

// describe says what is measured, and where the ranks are.
func (b *clusterBench) describe(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	one, err := b.bench(ctx, nil, b.options.Batch, 0, b.options.Threads)
	if err != nil {
		return err
	}
	defer one.close()
	o, _ := one.options()
	cfg, params := one.session.Model.Config(), one.session.Model.Params()
	r := b.result
	r.Workload, r.Optimizer = newWorkload(o, cfg, params.Len()), string(b.options.Optimizer)
	r.Ranks, r.Connection = b.comm.Size(), cluster.Describe(b.comm)
	for _, p := range params.List {
		r.Costs.Largest = max(r.Costs.Largest, float64(p.Len())/float64(params.Len()))
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	if r.OneMachine, err = cluster.Same(b.comm, []byte(host)); err != nil {
		return err
	}
	if b.comm.Rank() == 0 && b.options.OnStart != nil {
		b.options.OnStart(r.Workload)
	}
	return nil
}

// bench makes a training over ranks; nil: of this one alone.
func (b *clusterBench) bench(ctx context.Context, ranks cluster.Comm, batch, micro, threads int) (*trainBench, error) {
	o := b.options.TrainOptions
	o.Batch, o.Threads = batch, threads
	return newTrainBench(ctx, o, ranks, micro)
}

// measure measures steps on the first n ranks, while the others wait.
func (b *clusterBench) measure(ctx context.Context, n int, budget time.Duration) error {
	if b.comm.Rank() < n {
		batches := slices.Compact([]int{b.options.Batch, n * b.options.Batch})
		for _, batch := range batches {
			p := stepsOver{bench: b, ranks: firstRanks(b.comm, n), batch: batch}
			err := p.run(ctx, budget/time.Duration(len(batches)))
			if p.close(); err != nil {
				return fmt.Errorf("%d ranks, batch %d: %w", n, batch, err)
			}
		}
	}
	return b.comm.Barrier()
}
