package pipeline

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/inorder"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
)

// openData opens the run's data.
func (r *training) openData(ctx context.Context) error {
	set, err := r.options.openData(ctx)
	if err != nil {
		return err
	}
	r.data, r.heldOut, r.digest = set.Train, set.Test, set.Digest
	h, w, c := r.data.Shape()
	r.dataMemory = float64(r.data.Len() * h * w * c)
	if r.options.Coupling == OptimalTransport && r.options.Objective != flowObjective {
		r.dataMemory += pairingMemory(r.opt.Batch, h*w*c, r.opt.Threads)
	}
	if set.Sizes != nil {
		r.pictures = set.Path
	}
	if note := skippedText(r.options.Data, set); note != "" {
		r.notes = append(r.notes, note)
	}
	return nil
}

// outsideData refuses a run folder among the pictures that are trained on: its previews would become some of them.
func (r *training) outsideData() error {
	out := r.opt.Out
	if out == "" {
		out = runsDir
	}
	path, err := filepath.Abs(out)
	if err != nil || r.pictures == "" {
		return err
	}
	for inside := ""; inside != path; path = filepath.Dir(path) {
		if regular.Same(path, r.pictures) {
			return option.Errorf("out", "%s: lies in the folder of pictures %s, which its previews would join: name one elsewhere", out, r.pictures)
		}
		inside = path
	}
	return nil
}

// dataChanged explains why a run cannot go on with the data that is there now.
func (r *training) dataChanged(had dataInfo) error {
	anew := fmt.Sprintf(" (--init %s starts from the weights so far)", r.dir.path)
	if r.options.Objective == flowObjective {
		anew = ""
	}
	return fmt.Errorf("the data of this run has changed: %s had %d images to train on and has %d now, or others: put the old files back, or train anew%s",
		r.options.Data, had.Images, r.data.Len(), anew)
}

// heldDraws is the number of images that a validation loss is measured on, some of them again at other
// times where the data has fewer.
const heldDraws = 256

// validateWhenDue measures the validation loss of the averaged weights when it is due, and returns 0
// when not. It changes no number of the training.
func (r *run) validateWhenDue() (float64, error) {
	if !r.validated || !r.pace.validationDue(r.opt, &r.done, &r.meter, r.over()) {
		return 0, nil
	}
	begin := time.Now()
	r.swapAverage()
	loss, err := r.validate()
	r.swapAverage()
	r.pace.validated(r.done.Step, r.done.Seconds, time.Since(begin))
	if err != nil {
		return 0, fmt.Errorf("validation: %w", err)
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		r.emit(Event{Kind: Noted, Text: fmt.Sprintf("step %d: the validation loss is %g", r.done.Step, loss)})
		return 0, nil
	}
	return loss, nil
}

// validate returns the loss on heldDraws images of other data. Noise and times are the same each time,
// so what differs between two of them is the weights; and they depend on no number of workers.
func (r *run) validate() (float64, error) {
	micro := r.opt.MicroBatch
	losses := make([]float64, (heldDraws+micro-1)/micro)
	err := r.crew.each(context.Background(), len(r.tasks), len(losses), func(worker, i int) {
		first := i * micro
		losses[i] = r.tasks[worker].validate(first, min(micro, heldDraws-first))
	})
	return inorder.Sum(losses) / heldDraws, err
}

// validate implements [runTask].
func (w *matcher) validate(first, n int) float64 {
	for i := range n {
		w.drawHeld(w.held, first+i, i)
	}
	return w.forward(n) * float64(n)
}

// heldImage writes the image of a draw of the validation loss, and returns its class. Images are taken at equal distances, as
// sets may be sorted by class. spread says that bytes are spread over their width, by noise of the seed's from rng.
func heldImage(data dataset.Source, seed uint64, draw int, spread bool, rng *rand.PCG, dst []float32) int32 {
	at := draw % data.Len()
	if data.Len() > heldDraws {
		at = draw * data.Len() / heldDraws
	}
	label := int32(data.Image(at, dst))
	if spread {
		seedStream(rng, seed, streamHeldSpread, draw, 0)
		dequantize(dst, rng)
	}
	return label
}

// drawHeld fills slot i with a draw of the validation loss. Times are at multiples of the golden ratio, which are spread evenly
// over all draws and over those of every class.
func (w *matcher) drawHeld(data dataset.Source, draw, i int) {
	label := heldImage(data, w.seed, draw, w.feed.dequantize, &w.rng, w.x1)
	seedStream(&w.rng, w.seed, streamHeld, draw, 0)
	flow.Gaussian(w.x0, &w.rng)
	_, spread := math.Modf((float64(draw) + 0.5) / math.Phi)
	w.place(i, w.times.Quantile(spread))
	if w.y != nil {
		if label < 0 && w.null >= 0 {
			label = w.null
		}
		w.y[i] = label
	}
}
