package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
)

// TrainResults are the results of measurements of training, one after another.
type TrainResults []TrainResult

// TrainEach measures training on images of each size, by each optimiser. An empty list is the size
// or the optimiser of o alone. The first mistake in the options is a [*pipeline.OptionError].
//
// The peak memory is that of each measurement on Linux. Other systems know only the largest of the
// process, so there it does not fall from one result to the next.
func TrainEach(ctx context.Context, o TrainOptions, sizes []pipeline.Size, optimizers []engine.Optimizer) (TrainResults, error) {
	if len(sizes) == 0 {
		sizes = []pipeline.Size{o.Size}
	}
	if len(optimizers) == 0 {
		optimizers = []engine.Optimizer{o.Optimizer}
	}
	var all []TrainOptions
	for _, size := range sizes {
		for _, optimizer := range optimizers {
			one := o
			one.Size, one.Optimizer = size, optimizer
			if err := one.Validate(); err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	var results TrainResults
	for i, one := range all {
		if i > 0 {
			forgetPeakMemory()
		}
		r, err := Train(ctx, one)
		if err != nil {
			return nil, err
		}
		results = append(results, *r)
	}
	return results, nil
}

// forgetPeakMemory frees what is unused and lets the peak of memory begin anew, where the system
// can do that: Linux can.
func forgetPeakMemory() {
	debug.FreeOSMemory()
	// 5 resets the high-water mark, see proc_pid_clear_refs(5). Without it the old peak stays.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

func (all TrainResults) addTo(r *Report) {
	for i := range all {
		all[i].addTo(r)
	}
}

// MarshalJSON writes a single result as itself, and several as the list train of an object, as in a
// report.
func (all TrainResults) MarshalJSON() ([]byte, error) {
	if len(all) == 1 {
		return json.Marshal(all[0])
	}
	return json.Marshal(struct {
		Train []TrainResult `json:"train"`
	}{all})
}

// WriteText writes each result as lines. A table at the end of several shows what an image costs:
// milliseconds, and nanoseconds for each of its pixels.
func (all TrainResults) WriteText(w io.Writer) error {
	for i := range all {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := all[i].WriteText(w); err != nil {
			return err
		}
	}
	if len(all) < 2 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-14s %-9s %12s %12s %10s %12s %11s\n", "images", "optimizer", "train/s", "forward/s",
		"ms/image", "ns/pixel", "memory, MB")
	for i := range all {
		t := &all[i]
		s := t.shape()
		ms := 1e3 / t.ImagesPerS
		fmt.Fprintf(&b, "%-14s %-9s %12s %12s %10s %12s %11.0f\n", spellShape(s), t.Optimizer, spell(t.ImagesPerS),
			spell(t.ForwardPerS), spell(ms), spell(1e6*ms/float64(s.Height*s.Width)), float64(t.PeakMemory)/1e6)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
