package run

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// validateWhenDue measures the validation loss of the averaged weights when it is due, and returns
// 0 when it is not. It changes no number of the training.
func (r *Run) validateWhenDue() (float64, error) {
	if !r.orders.Validate {
		return 0, nil
	}
	begin := time.Now()
	if err := r.Trainer.Average(); err != nil {
		return 0, err
	}
	r.swapAverage()
	loss, err := r.Validate()
	r.swapAverage()
	r.pace.validated(r.Progress.Step, r.Progress.Seconds, time.Since(begin))
	if err != nil {
		return 0, fmt.Errorf("validation: %w", err)
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		note := fmt.Sprintf("step %d: the validation loss is %g", r.Progress.Step, loss)
		r.emit(pipeline.Event{Kind: pipeline.Noted, Text: note})
		return 0, nil
	}
	return loss, nil
}

// Validate returns the mean loss over [feed.HeldDraws] draws of held-out data. Noise and times are
// the same each time, so two losses differ by the weights alone. The loss does not depend on the
// number of workers and ranks.
func (r *Run) Validate() (float64, error) {
	micro := r.Settings.MicroBatch
	losses := make([]float64, (feed.HeldDraws+micro-1)/micro)
	from, to := cluster.Share(r.ranks(), len(losses), r.ranks().Rank())
	err := r.Crew.Each(context.Background(), len(r.Tasks), to-from, func(worker, i int) {
		first := (from + i) * micro
		losses[from+i] = r.Tasks[worker].Validate(first, min(micro, feed.HeldDraws-first))
	})
	if err = r.agree(err); err == nil {
		err = cluster.AllGather(r.ranks(), cluster.NumberBytes(losses), cluster.Shares(r.ranks(), len(losses), 8))
	}
	return inorder.Sum(losses) / feed.HeldDraws, err
}
