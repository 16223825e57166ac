package draw

import (
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// generate draws images.
func (j *job) generate() (*Result, error) {
	settled, err := sample.Settle(j.ck, j.request.Sample)
	if err != nil {
		return nil, err
	}
	o := settled.Options()
	d := settled.Drawing(0, o.Count)
	if j.request.Watch != nil {
		d.Frame = func(from, step int, x []float32) { j.watch.state(State{from, step, o.Steps, x}) }
	}
	images := picture.Blank(j.ck.Shape(), o.Count)
	images.Labels = d.Labels
	err = j.each(o.Count, func(i int) error {
		x := images.Slice(i, i+1).Pixels
		sample.Noise(x, o.Seed, i)
		if _, err := j.ck.NewDrawer(1, d.Plan).Draw(j.ctx, &d, i, x); err != nil {
			return err
		}
		j.service.finished(j, 1)
		return nil
	})
	return &Result{Images: images, Sample: o, Texts: settled.Texts(images)}, err
}
