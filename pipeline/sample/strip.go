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
			"a strip has a row for each image and a column for each moment: say how many images by count instead")
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
	steps   int             // steps of the solver, of equal length
	states  *picture.Images // [images, moments, H, W, C]
}

func newMomentStrip(shape pipeline.Shape, images, moments, steps int) *momentStrip {
	return &momentStrip{moments, steps, picture.Blank(shape, images*moments)}
}

// show adds the states x of the images from, from+1, … at a step. A moment between two steps lies
// on the straight line between their states. So each moment is a sum over the steps with weights
// max(0, 1−|distance|), where the distance is in steps.
func (p *momentStrip) show(from, step int, x []float32) {
	size, parts := p.states.ImageLen(), p.moments-1
	for k := range p.moments {
		distance := k*p.steps - step*parts // in steps, times parts
		if distance = max(distance, -distance); distance >= parts {
			continue
		}
		weight := float32(1 - float64(distance)/float64(parts))
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
	p := newMomentStrip(s.ck.Shape(), o.Sample.Count, o.Strip, s.opt.Steps)
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
