package run

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// A preview is a grid of previewRows rows and previewCols columns, in which a column has one class.
const (
	previewRows = 4
	previewCols = 10
)

// preview draws samples/step-NNNNNN.png with the averaged weights, from the noise of the run's
// seed. What is transparent lies over a checkerboard. It returns the path inside the run folder.
// The weights are as before when it returns.
func (r *Run) preview(ctx context.Context) (string, error) {
	images, err := r.drawPreview(ctx)
	if err != nil {
		return "", err
	}
	name := previewFile(r.Progress.Step)
	return name, r.lead(func() error { return r.writePreview(name, images) })
}

// writePreview writes the images of a preview as a grid.
func (r *Run) writePreview(name string, images *picture.Images) error {
	if err := os.MkdirAll(r.Dir.File(SamplesDir), 0o755); err != nil {
		return err
	}
	img, err := picture.Grid(images.OnCheckerboard(), picture.GridOptions{Rows: previewRows, Cols: previewCols, Scale: 2})
	if err != nil {
		return err
	}
	var png bytes.Buffer
	texts := []picture.Text{{"Software", "fmimg " + pipeline.Version()}, {"fmimg.step", fmt.Sprint(r.Progress.Step)}}
	if err := picture.WritePNG(&png, img, texts); err != nil {
		return err
	}
	if err := r.Dir.write(name, func(w io.Writer) error { _, err := w.Write(png.Bytes()); return err }); err != nil {
		return err
	}
	return r.board.picture(r.Progress.Step, img.Bounds(), png.Bytes())
}

// drawPreview draws the images of a preview.
func (r *Run) drawPreview(ctx context.Context) (*picture.Images, error) {
	d := model.Drawing{Seed: r.Settings.Seed, Guidance: cmp.Or(r.ShownGuidance, 1), Plan: r.show}
	images := picture.Blank(r.Images, previewRows*previewCols)
	if r.Labels.Rows() > 0 {
		images.Labels = make([]int32, images.Len())
		for i := range images.Labels {
			images.Labels[i] = r.Shown[i%previewCols%len(r.Shown)]
		}
	}
	d.Labels = images.Labels
	return images, r.DrawByAverage(ctx, d, images.Pixels)
}

// DrawByAverage draws into out, as [sample.Pool.Run] does, with the averaged weights. The weights
// are as before when it returns. It runs between steps, on all ranks.
func (r *Run) DrawByAverage(ctx context.Context, d model.Drawing, out []float32) error {
	if err := r.Trainer.Average(); err != nil {
		return err
	}
	r.swapAverage()
	defer r.swapAverage()
	_, err := r.Sampler.Run(ctx, d, out)
	return err
}

// swapAverage exchanges the weights with their averages.
func (r *Run) swapAverage() {
	r.Trainer.State().Swap()
	r.model.Repack(0, 1)
}
