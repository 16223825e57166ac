package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/fmimg/fmimg/ode"
)

// Previews are grids of previewRows rows whose columns are the classes, as far as they fit.
const (
	previewRows = 4
	previewCols = 10
)

// previewMethod takes half the default steps: a preview should cost less than it tells. A flow map takes its most.
func (r *run) previewMethod() method {
	if r.sampler.flows != nil {
		return method{}
	}
	if known := r.meta().Jumps; len(known) > 0 {
		return jumps(slices.Max(known))
	}
	return method{solver: ode.Fixed(ode.Midpoint, 10), predicts: r.predicts}
}

// preview draws samples/step-NNNNNN.png with the averaged weights, from the noise of the run's seed, and
// returns its path inside the run folder. The weights are as before when it returns.
func (r *run) preview(ctx context.Context) (string, error) {
	if err := os.MkdirAll(r.dir.file(samplesDir), 0o755); err != nil {
		return "", err
	}
	images, err := r.drawPreview(ctx)
	if err != nil {
		return "", err
	}
	picture, err := Grid(images, GridOptions{Rows: previewRows, Cols: previewCols, Padding: 2, Scale: 2})
	if err != nil {
		return "", err
	}
	var png bytes.Buffer
	if err := WritePNG(&png, picture, []Text{{"Software", "fmimg " + Version()}, {"fmimg.step", fmt.Sprint(r.done.Step)}}); err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s/step-%06d.png", samplesDir, r.done.Step)
	if err := r.dir.write(name, func(w io.Writer) error { _, err := w.Write(png.Bytes()); return err }); err != nil {
		return "", err
	}
	return name, r.board.picture(r.done.Step, picture.Bounds(), png.Bytes())
}

func (r *run) drawPreview(ctx context.Context) (*Images, error) {
	r.swapAverage()
	defer r.swapAverage()
	d := drawing{seed: r.opt.Seed, guidance: 1, method: r.previewMethod()}
	images := blankImages(r.images, previewRows*previewCols)
	if r.images.NumClasses > 0 {
		images.Labels = make([]int32, images.Len())
		for i := range images.Labels {
			images.Labels[i] = int32(i % previewCols % r.images.Classes())
		}
	}
	d.labels = images.Labels
	_, err := r.sampler.run(ctx, d, images.Pixels)
	return images, err
}

// swapAverage exchanges the weights with their averages.
func (r *run) swapAverage() {
	s := &r.engine.state
	for i := range s.values {
		s.values[i], s.average[i] = s.average[i], s.values[i]
	}
	r.model.Repack(0, 1)
}
