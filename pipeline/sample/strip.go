package sample

import (
	"context"
	"fmt"
	"image"
	"strconv"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// stripImages is the number of images in a strip where neither a count nor classes give it.
const stripImages = 8

// checkStrip checks the number of moments, and that the other options go with a strip.
func (o *GenerateOptions) checkStrip(form *output) error {
	if o.Strip == 0 {
		return nil
	}
	if err := option.Between("strip", o.Strip, 2, picture.MaxGridSide); err != nil {
		return err
	}
	if !form.strip {
		return option.Errorf("strip", o.Strip,
			"only a .png shows moments side by side, and %s is none: name one, or leave the strip out", o.Out)
	}
	if !o.Grid.Empty() {
		return option.Errorf("grid", fmt.Sprintf("%dx%d", o.Grid.Rows, o.Grid.Cols),
			"a strip has a row for each image and a column for each moment: say how many images by %v instead",
			option.Setting{Option: "count"})
	}
	return nil
}

// layOutStrip gives each image a row and each moment a column. Without a count there is an image
// for each listed class.
func (o *GenerateOptions) layOutStrip(listed int) {
	if listed == 0 {
		listed = stripImages
	}
	option.SetDefault(&o.Sample.Count, listed)
	o.Grid.Rows, o.Grid.Cols = o.Sample.Count, o.Strip
	if o.Sample.Solver == ode.Dopri5.Name { // an adaptive solver shows the moments themselves
		o.Sample.Steps = o.Strip - 1
	}
}

// A momentStrip gathers moments of trajectories from noise at t = 0 to images at t = 1. Moment k of
// n is at t = k/(n−1).
type momentStrip struct {
	moments int
	times   []float64       // after 0, 1, … steps of the solver
	states  *picture.Images // [images, moments, H, W, C]
}

func newMomentStrip(shape pipeline.Shape, images, moments int, times []float64) *momentStrip {
	return &momentStrip{moments, times, picture.Blank(shape, images*moments)}
}

// weight returns the weight of the states at a step in moment k. A moment between two steps lies on
// the straight line between their states.
func (p *momentStrip) weight(k, step int) float64 {
	last := len(p.times) - 1
	t, at := ode.TimeOf(k, p.moments-1, 0, 1), p.times[step]
	switch {
	case t == at:
		return 1
	case t < at && step > 0:
		return max(0, (t-p.times[step-1])/(at-p.times[step-1]))
	case t > at && step < last:
		return max(0, (p.times[step+1]-t)/(p.times[step+1]-at))
	}
	return 0
}

// show adds the states x of the images from, from+1, … at a step.
func (p *momentStrip) show(from, step int, x []float32) {
	size := p.states.ImageLen()
	for k := range p.moments {
		weight := float32(p.weight(k, step))
		if weight == 0 {
			continue
		}
		for i := range len(x) / size {
			moment := p.states.Pixels[((from+i)*p.moments+k)*size:][:size]
			for j, v := range x[i*size:][:size] {
				moment[j] += float32(weight * v)
			}
		}
	}
}

// drawStrip draws the moments of all images on one picture.
func drawStrip(ctx context.Context, s *Sampler, o *GenerateOptions) (image.Image, []picture.Text, error) {
	p := newMomentStrip(s.ck.Shape(), o.Sample.Count, o.Strip, s.opt.Times())
	images, err := s.DrawFrames(ctx, 0, o.Sample.Count, p.show)
	if err == nil {
		err = s.pool.Complete(p.states.Pixels, o.Strip*p.states.ImageLen())
	}
	if err != nil {
		return nil, nil, err
	}
	img, err := picture.Grid(p.states, o.Grid)
	return img, append(s.Texts(images), picture.Text{"fmimg.strip", strconv.Itoa(o.Strip)}), err
}
