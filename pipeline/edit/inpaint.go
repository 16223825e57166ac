package edit

import (
	"context"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// InpaintOptions say which part of images is drawn anew, and how.
type InpaintOptions struct {
	Options
	// Mask is what is drawn anew: a half of the image, or the path of a picture of the input's
	// proportions, where white is drawn and black is kept; needed. In a picture with transparent
	// parts, either what is painted is drawn anew, or the hole in it; a note says which.
	Mask Mask
	// Method is how; empty: resample.
	Method Method
	// Times is how often resampling takes each step; 0: 10.
	Times int
}

// A Method is a way to draw what is missing.
type Method string

// The methods: see [flow.Resampling] and [flow.Guide].
const (
	ResampleMethod Method = "resample"
	GradientMethod Method = "gradient"
)

// The defaults of options, and the limit of Times.
const (
	defaultTimes     = 10
	maxTimes         = 1000
	defaultResampled = 20 // steps, each of which is taken several times
	completions      = 6
)

// unknownGray is shown where an image is to be drawn anew.
const unknownGray = 0

// WithDefaults fills in what has one default for all models.
func (o InpaintOptions) WithDefaults() InpaintOptions {
	option.SetDefault(&o.Method, ResampleMethod)
	option.SetDefault(&o.Times, defaultTimes)
	option.SetDefault(&o.Count, completions)
	if o.Method == ResampleMethod {
		option.SetDefault(&o.Steps, defaultResampled)
	}
	o.Options = o.Options.WithDefaults()
	return o
}

// validateMask reports the first option of inpainting alone that cannot be used.
func (o *InpaintOptions) validateMask() error {
	if err := option.First(
		option.OneOf("method", o.Method, ResampleMethod, GradientMethod),
		option.Between("times", o.Times, 1, maxTimes),
	); err != nil {
		return err
	}
	switch {
	case o.Mask == "":
		return option.Errorf("mask", nil,
			"is needed: lower, upper, left, right, or a picture that is white where to draw")
	case o.Method == GradientMethod && o.Guide != "":
		return option.Errorf("guide", o.Guide, "method gradient knows none: leave one of the two out")
	case o.Method == GradientMethod && o.Guidance != 0 && o.Guidance != 1:
		return option.Errorf("guidance", o.Guidance, "method gradient knows none: leave one of the two out")
	}
	return nil
}

// Inpaint draws a part of each image anew so that it fits the rest, which stays as it is. A row is
// an image, the part of it that stays, and Count ways to complete it. A mistake in the options is
// an [*pipeline.OptionError].
func Inpaint(ctx context.Context, o InpaintOptions) (*Result, error) {
	o = o.WithDefaults()
	if err := o.validateMask(); err != nil {
		return nil, err
	}
	e, err := newEditor(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	gradient := o.Method == GradientMethod
	if !gradient {
		e.how = fmt.Sprintf("resampling, %d steps %d times", e.opt.Steps, o.Times)
	}
	if plain := (model.Prediction{Path: flow.Linear{}}); gradient && e.predicts != plain {
		return nil, option.Errorf("method", "gradient",
			"it is for networks that predict the velocity on the linear path, "+
				"and %s predicts the %v on the %v path: take %s",
			model.ModelName(e.ck.Path), e.predicts.Objective, e.predicts.Path, ResampleMethod)
	}
	known, err := e.mask(o.Mask)
	if err != nil {
		return nil, err
	}
	n, count := e.inputs.Len(), e.opt.Count
	if err := e.begin(n, count+2, gradient); err != nil {
		return nil, err
	}
	defer e.close()
	drawn, err := e.inpaint(ctx, &o, known)
	if err != nil {
		return nil, err
	}
	err = e.write(e.completed(drawn, known), count+2, picture.Text{"fmimg.edit", "inpainting"},
		picture.Text{"fmimg.mask", string(o.Mask)}, picture.Text{"fmimg.method", string(o.Method)})
	return &Result{Path: e.opt.Out, Inputs: n, Images: n * count, Model: e.ck.Path}, err
}

// completed returns the rows of the picture. drawn holds Count completions of each input, known
// says for each number of an image whether it stays.
func (e *editor) completed(drawn []float32, known []bool) *picture.Images {
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	rows := e.rows(n, count+2)
	for i := range n {
		masked := slices.Clone(e.input(i))
		for j, k := range known {
			if !k {
				masked[j] = unknownGray
			}
			if !k && e.inputs.HasAlpha() && j%e.inputs.Channels == e.inputs.Channels-1 {
				masked[j] = dataset.PixelMax
			}
		}
		rows.Pixels = slices.Concat(rows.Pixels, e.input(i), masked, drawn[i*count*d:(i+1)*count*d])
	}
	return rows
}

// inpaint returns Count completions of each input. mask says for each number of an image whether it
// stays.
func (e *editor) inpaint(ctx context.Context, o *InpaintOptions, mask []bool) ([]float32, error) {
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	out := make([]float32, n*count*d)
	data, keep := make([]float32, 0, len(out)), make([]bool, 0, len(out))
	for i := range n * count {
		editNoise(out[i*d:(i+1)*d], o.Seed, i/count, i%count, 0)
		data, keep = append(data, e.input(i/count)...), append(keep, mask...)
	}
	r := flow.Resampling{Path: e.predicts.Path, Steps: e.opt.Steps, Times: o.Times}
	solve := func(ctx context.Context, worker, from int, f ode.Field, x []float32) error {
		known := flow.Known{Data: data[from*d:][:len(x)], Mask: keep[from*d:][:len(x)]}
		if o.Method == ResampleMethod {
			return r.Solve(ctx, f, x, len(x)/d, known, func(state, draw int, eps []float32) {
				editNoise(eps, o.Seed, (from+state)/count, (from+state)%count, draw+1)
			})
		}
		guided := flow.Guide(pullbackField{Field: f, net: e.nets[worker]}, known)
		_, err := e.solver.Solve(ctx, guided, x, len(x)/d, 0, 1)
		for j, k := range known.Mask {
			if k {
				x[j] = known.Data[j]
			}
		}
		return err
	}
	return out, e.each(ctx, out, repeated(e.classes, count), n*count, solve)
}

// A pullbackField is the velocity of a network together with products of its transposed Jacobian.
type pullbackField struct {
	ode.Field
	net model.Replica
}

// Pullback implements [flow.PullbackField].
func (p pullbackField) Pullback(dx, dv []float32) { p.net.Backward(dx, dv, nil) }
