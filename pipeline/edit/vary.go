package edit

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// VaryOptions say how far images may change.
type VaryOptions struct {
	Options
	// Level is how much of the way to noise an image goes before it is drawn again, in (0, 1]; 0:
	// 0.5.
	Level float64
}

// defaultLevel is the default of Level.
const defaultLevel = 0.5

// WithDefaults fills in what has one default for all models.
func (o VaryOptions) WithDefaults() VaryOptions {
	o.Options = o.Options.WithDefaults()
	option.SetDefault(&o.Level, defaultLevel)
	return o
}

// Vary draws variations of images, as [Task.Vary] does. A row is an image and its variations. A
// mistake in the options is an [*pipeline.OptionError].
func Vary(ctx context.Context, o VaryOptions) (*Result, error) {
	o = o.WithDefaults()
	if err := checkLevel(o.Level); err != nil {
		return nil, err
	}
	e, err := newEditor(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	n, count, d := e.Inputs.Len(), e.Count, e.Inputs.ImageLen()
	if err := e.begin(n, count+1, n*count, false); err != nil {
		return nil, err
	}
	defer e.close()
	varied, err := e.Vary(ctx, o.Level)
	if err != nil {
		return nil, err
	}
	rows := e.rows(n, count+1)
	for i := range n {
		rows.Pixels = append(append(rows.Pixels, e.input(i)...), varied[i*count*d:(i+1)*count*d]...)
	}
	err = e.write(rows, count+1, VaryTexts(o.Level)...)
	return &Result{Path: e.opt.Out, Inputs: n, Images: n * count, Model: e.Checkpoint.Path}, err
}

// checkLevel checks how far images go towards noise.
func checkLevel(level float64) error {
	if !(level > 0 && level <= 1) {
		return option.Errorf("level", level, "a share of the way to noise, above 0 and at most 1, is needed")
	}
	return nil
}

// VaryTexts returns what a picture says of variations beside the texts of the task.
func VaryTexts(level float64) []picture.Text {
	return []picture.Text{{"fmimg.edit", "variations"}, {"fmimg.level", fmt.Sprint(level)}}
}

// Vary returns Count variations of each input, [N, Count, H, W, C]. It mixes an image x1 with fresh
// noise x0 as on the path at t = 1 − level, x_t = α_t·x1 + σ_t·x0, and solves the flow forward from
// there (Meng et al. 2022, "SDEdit", for a flow). So the model draws anew what the noise has
// hidden.
func (t *Task) Vary(ctx context.Context, level float64) ([]float32, error) {
	if err := checkLevel(level); err != nil {
		return nil, err
	}
	n, count, d := t.Inputs.Len(), t.Count, t.Inputs.ImageLen()
	varied := make([]float32, n*count*d)
	from := 1 - level
	c := t.predicts.Path.At(from)
	for i := range n * count {
		x := varied[i*d : (i+1)*d]
		editNoise(x, t.Seed, i/count, i%count, 0)
		flow.Interpolate(x, x, t.input(i/count), c)
	}
	return varied, t.each(ctx, varied, repeated(t.Classes, count), t.between(from, 1))
}
