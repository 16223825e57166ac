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
	if err := checkCompletion(o.Method, o.Times); err != nil {
		return err
	}
	switch {
	case o.Mask == "":
		return option.Errorf("mask", nil,
			"is needed: lower, upper, left, right, or a picture that is white where to draw")
	case o.Method == GradientMethod && o.Guide != "" && o.Guide != model.NoGuide:
		return option.Errorf("guide", o.Guide, "method gradient knows none: leave one of the two out")
	case o.Method == GradientMethod && o.Guidance != 0 && o.Guidance != 1:
		return option.Errorf("guidance", o.Guidance, "method gradient knows none: leave one of the two out")
	}
	return nil
}

// checkCompletion checks how the missing part is drawn.
func checkCompletion(method Method, times int) error {
	return option.First(
		option.OneOf("method", method, ResampleMethod, GradientMethod),
		option.Between("times", times, 1, maxTimes),
	)
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
	if err := e.checkMethod(o.Method); err != nil {
		return nil, err
	}
	known, err := e.mask(o.Mask)
	if err != nil {
		return nil, err
	}
	n, count := e.Inputs.Len(), e.Count
	if err := e.begin(n, count+2, n*count, o.Method == GradientMethod); err != nil {
		return nil, err
	}
	defer e.close()
	drawn, err := e.Inpaint(ctx, known, o.Method, o.Times)
	if err != nil {
		return nil, err
	}
	err = e.write(e.completed(drawn, known), count+2, InpaintTexts(string(o.Mask), o.Method)...)
	return &Result{Path: e.opt.Out, Inputs: n, Images: n * count, Model: e.Checkpoint.Path}, err
}

// InpaintTexts returns what a picture says of completions beside the texts of the task. mask names
// the mask.
func InpaintTexts(mask string, method Method) []picture.Text {
	return []picture.Text{{"fmimg.edit", "inpainting"}, {"fmimg.mask", mask}, {"fmimg.method", string(method)}}
}

// checkMethod reports a method that the model is not for.
func (t *Task) checkMethod(method Method) error {
	if plain := (model.Prediction{Path: flow.Linear{}}); method == GradientMethod && t.predicts != plain {
		return option.Errorf("method", "gradient",
			"it is for networks that predict the velocity on the linear path, "+
				"and %s predicts the %v on the %v path: take %s",
			model.ModelName(t.Checkpoint.Path), t.predicts.Objective, t.predicts.Path, ResampleMethod)
	}
	return nil
}

// completed returns the rows of the picture. drawn holds Count completions of each input, known
// says for each number of an image whether it stays.
func (e *editor) completed(drawn []float32, known []bool) *picture.Images {
	n, count, d := e.Inputs.Len(), e.Count, e.Inputs.ImageLen()
	rows := e.rows(n, count+2)
	for i := range n {
		masked := slices.Clone(e.input(i))
		for j, k := range known {
			if !k {
				masked[j] = unknownGray
			}
			if !k && e.Inputs.HasAlpha() && j%e.Inputs.Channels == e.Inputs.Channels-1 {
				masked[j] = dataset.PixelMax
			}
		}
		rows.Pixels = slices.Concat(rows.Pixels, e.input(i), masked, drawn[i*count*d:(i+1)*count*d])
	}
	return rows
}

// Inpaint returns Count completions of each input, [N, Count, H, W, C]. known says for each number
// of an image whether it stays. times is how often resampling takes each step. The method gradient
// needs workers with gradients.
func (t *Task) Inpaint(ctx context.Context, known []bool, method Method, times int) ([]float32, error) {
	if err := option.First(checkCompletion(method, times), t.checkMethod(method)); err != nil {
		return nil, err
	}
	n, count, d := t.Inputs.Len(), t.Count, t.Inputs.ImageLen()
	out := make([]float32, n*count*d)
	data, keep := make([]float32, 0, len(out)), make([]bool, 0, len(out))
	for i := range n * count {
		editNoise(out[i*d:(i+1)*d], t.Seed, i/count, i%count, 0)
		data, keep = append(data, t.input(i/count)...), append(keep, known...)
	}
	solve := t.steer
	if method == ResampleMethod {
		t.how = fmt.Sprintf("resampling, %d steps %d times", t.Method.Steps, times)
		solve = t.resample(times)
	}
	err := t.each(ctx, out, repeated(t.Classes, count),
		func(ctx context.Context, w Worker, from int, f ode.Field, x []float32) error {
			return solve(ctx, w, from, f, x, flow.Known{Data: data[from*d:][:len(x)], Mask: keep[from*d:][:len(x)]})
		})
	return out, err
}

// A completion is a fieldSolver that keeps what is known of the states.
type completion func(ctx context.Context, w Worker, from int, f ode.Field, x []float32, known flow.Known) error

// resample completes states by resampling, where each step is taken a number of times.
func (t *Task) resample(times int) completion {
	d, count := t.Inputs.ImageLen(), t.Count
	return func(ctx context.Context, _ Worker, from int, f ode.Field, x []float32, known flow.Known) error {
		r := flow.Resampling{
			Path: t.predicts.Path, Steps: t.Method.Steps, Times: times, Observe: t.observer(from),
		}
		return r.Solve(ctx, f, x, len(x)/d, known, func(state, draw int, eps []float32) {
			editNoise(eps, t.Seed, (from+state)/count, (from+state)%count, draw+1)
		})
	}
}

// steer completes states by the gradient of what they miss of the known numbers.
func (t *Task) steer(ctx context.Context, w Worker, from int, f ode.Field, x []float32, known flow.Known) error {
	guided := flow.Guide(pullbackField{Field: f, net: w.Net}, known)
	err := t.between(0, 1)(ctx, w, from, guided, x)
	for j, k := range known.Mask {
		if k {
			x[j] = known.Data[j]
		}
	}
	return err
}

// A pullbackField is the velocity of a network together with products of its transposed Jacobian.
type pullbackField struct {
	ode.Field
	net model.Replica
}

// Pullback implements [flow.PullbackField].
func (p pullbackField) Pullback(dx, dv []float32) { p.net.Backward(dx, dv, nil) }
