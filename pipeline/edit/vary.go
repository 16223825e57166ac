package edit

import (
	"context"
	"fmt"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
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

// Vary draws variations of images. It mixes an image x1 with fresh noise x0 as on the path at t = 1
// − level, x_t = α_t·x1 + σ_t·x0, and solves the flow forward from there (Meng et al. 2022,
// "SDEdit", for a flow). So the model draws anew what the noise has hidden. A row is an image and
// its variations. A mistake in the options is an [*pipeline.OptionError].
func Vary(ctx context.Context, o VaryOptions) (*Result, error) {
	o = o.WithDefaults()
	if !(o.Level > 0 && o.Level <= 1) {
		return nil, option.Errorf("level", o.Level, "a share of the way to noise, above 0 and at most 1, is needed")
	}
	e, err := newEditor(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	if err := e.begin(n, count+1, false); err != nil {
		return nil, err
	}
	defer e.close()
	varied := make([]float32, n*count*d)
	from := 1 - o.Level
	c := e.predicts.Path.At(from)
	for i := range n * count {
		x := varied[i*d : (i+1)*d]
		editNoise(x, o.Seed, i/count, i%count, 0)
		flow.Interpolate(x, x, e.input(i/count), c)
	}
	solve := func(ctx context.Context, _, _ int, f ode.Field, x []float32) error {
		_, err := e.solver.Solve(ctx, f, x, len(x)/d, from, 1)
		return err
	}
	if err := e.each(ctx, varied, repeated(e.classes, count), n*count, solve); err != nil {
		return nil, err
	}
	rows := e.rows(n, count+1)
	for i := range n {
		rows.Pixels = append(append(rows.Pixels, e.input(i)...), varied[i*count*d:(i+1)*count*d]...)
	}
	err = e.write(rows, count+1, picture.Text{"fmimg.edit", "variations"},
		picture.Text{"fmimg.level", fmt.Sprint(o.Level)})
	return &Result{Path: e.opt.Out, Inputs: n, Images: n * count, Model: e.ck.Path}, err
}
