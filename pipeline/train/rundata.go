package train

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
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
	r.data, r.heldOut, r.digest, r.contents = set.Train, set.Test, set.Digest, set.Contents
	h, w, c := r.data.Shape()
	r.DataMemory = float64(r.data.Len() * h * w * c)
	matches := r.options.Objective != model.FlowObjective
	if r.options.Conditional != ConditionalNo && matches {
		if r.had, err = countLabels(ctx, r.data, r.heldOut, r.Settings.Threads); err != nil {
			return err
		}
	}
	if r.options.Coupling == OptimalTransport && matches {
		option.SetDefault(&r.options.Paired, r.had.usualPaired())
		r.DataMemory += pairingMemory(r.Settings.Batch, r.options.Paired, r.had, h*w*c, r.Settings.Threads)
	}
	if matches {
		option.SetDefault(&r.options.TimeDist, r.options.usualTimes())
	}
	if set.Sizes != nil {
		r.pictures = set.Path
	}
	r.Notes = append(r.Notes, feed.Notes(r.options.Data, set)...)
	return nil
}

// reopenData opens the data of a resumed run, which may be in another place than before. had
// describes it as it was.
func (r *training) reopenData(ctx context.Context, had run.DataInfo) error {
	err := r.openData(ctx)
	if err == nil || r.options.Source != nil || !feed.Missing(r.options.Data) || r.renamed {
		return err
	}
	if had.Digest == "" { // nothing tells whether other data is the same
		return option.Faultf("the data that this run was trained on is gone: there is no %s", r.options.Data).
			Cured("put it back there")
	}
	return feed.MovedError("this run", r.options.Data)
}

// outsideData refuses a run folder inside the folder of pictures: a later run would take its
// previews for pictures.
func (r *training) outsideData() error {
	out := r.Settings.Out
	if out == "" {
		out = model.RunsFolder
	}
	if r.pictures != "" && (regular.Within(out, r.pictures) || regular.Same(out, r.pictures)) {
		return option.Errorf("out", out,
			"lies in the folder of pictures %s, which its previews would join: name one elsewhere", r.pictures)
	}
	return nil
}

// sameData refuses data that is not what it was.
func (r *training) sameData(ctx context.Context, had run.DataInfo) error {
	if had.Digest != "" && r.digest != had.Digest {
		changed := r.dataChanged(had)
		if files := r.Dir.Contents(); run.Changes(files, r.contents) != "" && files != nil || r.options.Source != nil {
			return changed
		}
		// Older runs took files in the order of text, and go on so.
		r.options.TextOrder, r.Notes = true, nil
		if err := r.openData(ctx); err != nil {
			return err
		}
		if r.digest != had.Digest {
			return changed
		}
	}
	if had.Digest != "" && had.Images != r.data.Len() {
		return option.Faultf("the files of %s are read in another way than when this run began: it had %s to train on, and now %d",
			text.Printable(r.options.Data), text.Count(had.Images, "image", "images"), r.data.Len()).Cured("train anew")
	}
	if has := r.data.Classes(); had.Classes != nil && !slices.Equal(had.Classes, has) {
		is := option.Say("and now it has none")
		if has != nil {
			is = option.Say("and now %v", model.FirstNames(has))
		}
		return option.Faultf("the files of %s are read in another way than when this run began: its classes were %v, %v",
			text.Printable(r.options.Data), model.FirstNames(had.Classes), is).
			Cured("train anew")
	}
	return nil
}

// dataChanged returns the error of a run whose data is not what it was.
func (r *training) dataChanged(had run.DataInfo) error {
	how := "its labels or its sizes are others"
	if files := r.Dir.Contents(); files == nil {
		how = fmt.Sprintf("it had %s to train on and has %d now, or others",
			text.Count(had.Images, "image", "images"), r.data.Len())
	} else if changes := run.Changes(files, r.contents); changes != "" {
		how = changes
	}
	changed := option.Faultf("the data of this run has changed, %s: %s", text.Printable(r.options.Data), how)
	if r.options.Objective == model.FlowObjective {
		return changed.Cured("put the old files back, or train anew")
	}
	return changed.Cured("put the old files back, or train anew (%v starts from the weights so far)",
		option.Setting{Option: "init", Value: r.Dir.Path})
}

// comparedImages is the number of images, spread over the data, whose numbers ranks compare.
const comparedImages = 512

// dataDigest describes the data, for ranks to compare: a hash of its files where there are some,
// and of images as they were decoded.
func (r *training) dataDigest() string {
	if r.data == nil || r.Settings.Ranks.Size() == 1 {
		return ""
	}
	h := sha256.New()
	fmt.Fprintln(h, r.digest, r.data.Classes(), pipeline.ShapeOf(r.data))
	for _, source := range []dataset.Source{r.data, r.heldOut} {
		n := heldLen(source)
		fmt.Fprintln(h, n)
		image := make([]float32, pipeline.ShapeOf(r.data).Len())
		for i := 0; i < n; i += max(n/comparedImages, 1) {
			fmt.Fprintln(h, source.Image(i, image))
			h.Write(cluster.FloatBytes(image))
		}
	}
	return fmt.Sprintf("%s, SHA-256 %x…", text.Count(r.data.Len(), "image", "images"), h.Sum(nil)[:6])
}
