package train

import (
	"context"
	"path/filepath"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// openData opens the run's data.
func (r *training) openData(ctx context.Context) error {
	set, err := r.options.openData(ctx)
	if err != nil {
		return err
	}
	r.data, r.heldOut, r.digest = set.Train, set.Test, set.Digest
	h, w, c := r.data.Shape()
	r.DataMemory = float64(r.data.Len() * h * w * c)
	if r.options.Coupling == OptimalTransport && r.options.Objective != model.FlowObjective {
		r.DataMemory += pairingMemory(r.Settings.Batch, h*w*c, r.Settings.Threads)
	}
	if set.Sizes != nil {
		r.pictures = set.Path
	}
	if note, ok := feed.SkippedNote(r.options.Data, set); ok {
		r.Notes = append(r.Notes, note)
	}
	return nil
}

// outsideData refuses a run folder inside the folder of pictures: a later run would take its
// previews for pictures.
func (r *training) outsideData() error {
	out := r.Settings.Out
	if out == "" {
		out = model.RunsFolder
	}
	path, err := filepath.Abs(out)
	if err != nil || r.pictures == "" {
		return err
	}
	for inside := ""; inside != path; path = filepath.Dir(path) {
		if regular.Same(path, r.pictures) {
			return option.Errorf("out", out,
				"lies in the folder of pictures %s, which its previews would join: name one elsewhere", r.pictures)
		}
		inside = path
	}
	return nil
}

// dataChanged returns the error of a run whose data is not what it was.
func (r *training) dataChanged(had run.DataInfo) error {
	changed := option.Faultf("the data of this run has changed: %s had %d images to train on and has %d now, or others",
		r.options.Data, had.Images, r.data.Len())
	if r.options.Objective == model.FlowObjective {
		return changed.Cured("put the old files back, or train anew")
	}
	return changed.Cured("put the old files back, or train anew (%v starts from the weights so far)",
		option.Setting{Option: "init", Value: r.Dir.Path})
}
