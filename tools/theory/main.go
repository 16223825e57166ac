// Command theory draws the figures of docs/theory.md, with package flow itself: make theory.
package main

import (
	"context"
	"flag"
	"fmt"
	"image/color"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
)

func main() {
	out := flag.String("out", "docs", "folder to write to")
	flag.Parse()
	for _, figure := range []struct {
		name string
		make func() ([]*plot.Plot, error)
	}{
		{"theory-paths.png", pathsFigure},
		{"theory-marginal.png", marginalFigure},
	} {
		plots, err := figure.make()
		if err == nil {
			err = write(filepath.Join(*out, figure.name), plots)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "theory: %s: %v\n", figure.name, err)
			os.Exit(1)
		}
	}
}

// write draws plots side by side into a PNG.
func write(name string, plots []*plot.Plot) (err error) {
	const side = 300 * vg.Inch / 96
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(len(plots))*side, side), vgimg.UseDPI(96))
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: vg.Millimeter * 3, PadTop: vg.Millimeter, PadRight: vg.Millimeter * 2}
	for i, area := range plot.Align([][]*plot.Plot{plots}, tiles, draw.New(canvas))[0] {
		plots[i].Draw(area)
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	_, err = io.WriterTo(vgimg.PngCanvas{Canvas: canvas}).WriteTo(file)
	return err
}

// The paths of the figures, with a colour for each.
var paths = []struct {
	path   flow.Schedule
	colour color.Color
}{
	{flow.Linear{}, color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}},
	{flow.LinearPower{N: 2}, color.RGBA{R: 0x2c, G: 0xa0, B: 0x2c, A: 0xff}},
	{flow.Cosine{}, color.RGBA{R: 0xff, G: 0x7f, B: 0x0e, A: 0xff}},
	{flow.VariancePreserving{BetaMin: 0.1, BetaMax: 20}, color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}},
}

// pathsFigure draws α, σ and the log-SNR of the paths over time.
func pathsFigure() ([]*plot.Plot, error) {
	curves := []struct {
		title    string
		of       func(flow.Coefficients) float64
		from, to float64 // times at which it is finite
	}{
		{"α: the share of data", func(c flow.Coefficients) float64 { return c.Alpha }, 0, 1},
		{"σ: the share of noise", func(c flow.Coefficients) float64 { return c.Sigma }, 0, 1},
		{"log-SNR", flow.Coefficients.LogSNR, 0.01, 0.99},
	}
	var plots []*plot.Plot
	for _, curve := range curves {
		p := newPlot(curve.title)
		p.X.Label.Text = "t"
		for _, one := range paths {
			const points = 200
			xys := make(plotter.XYs, points+1)
			for i := range xys {
				t := curve.from + (curve.to-curve.from)*float64(i)/points
				xys[i] = plotter.XY{X: t, Y: curve.of(one.path.At(t))}
			}
			line, err := plotter.NewLine(xys)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = one.colour, vg.Points(1.5)
			p.Add(line)
			if len(plots) == 2 {
				p.Legend.Add(fmt.Sprint(one.path), line)
			}
		}
		plots = append(plots, p)
	}
	return plots, nil
}

func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.TextStyle.Font.Size, p.Legend.TextStyle.Font.Size = 11, 9
	p.Legend.Top, p.Legend.Left = true, true
	return p
}

// points are five data points in the plane.
var points = []float32{1.6, 0.2, 0.3, 1.5, -1.3, 0.9, -1.1, -1.1, 0.5, -1.4}

// marginalFigure draws how states follow the marginal field of five points.
func marginalFigure() ([]*plot.Plot, error) {
	const steps = 100
	linear, cosine := flow.Schedule(flow.Linear{}), flow.Schedule(flow.Cosine{})
	var plots []*plot.Plot
	for _, one := range []struct {
		title  string
		path   flow.Schedule
		solver ode.Solver
		states int
	}{
		{"linear path, ODE", linear, ode.Fixed(ode.Midpoint, steps), 60},
		{"cosine path, ODE", cosine, ode.Fixed(ode.Midpoint, steps), 60},
		{"linear path, SDE, noise level 0.1", linear, flow.SDE(linear, steps, 0.1).WithNoise(fresh), 20},
	} {
		p := newPlot(one.title)
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -3, 3, -3, 3
		if err := addTrajectories(p, one.path, one.solver, one.states); err != nil {
			return nil, err
		}
		plots = append(plots, p)
	}
	return plots, nil
}

// fresh is the noise of a step of a state.
func fresh(z []float32, index, step int) {
	var random rand.PCG
	flow.Seed(&random, 2, uint64(index), uint64(step))
	flow.Gaussian(z, &random)
}

// addTrajectories draws the ways of states from noise to the points.
func addTrajectories(p *plot.Plot, path flow.Schedule, solver ode.Solver, states int) error {
	x := make([]float32, 2*states)
	for i := range states {
		flow.Noise(x[2*i:2*i+2], 1, uint64(i))
	}
	ways := make([]plotter.XYs, states)
	watched := solver.Observed(func(_ int, _ float64, x []float32) {
		for i := range ways {
			ways[i] = append(ways[i], plotter.XY{X: float64(x[2*i]), Y: float64(x[2*i+1])})
		}
	})
	field := flow.NewMarginalField(path, points, len(points)/2)
	if _, err := watched.Solve(context.Background(), field, x, states, 0, 1); err != nil {
		return err
	}
	starts, ends := make(plotter.XYs, states), make(plotter.XYs, len(points)/2)
	for i, way := range ways {
		starts[i] = way[0]
		line, err := plotter.NewLine(way)
		if err != nil {
			return err
		}
		line.Color, line.Width = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}, vg.Points(0.6)
		p.Add(line)
	}
	for i := range ends {
		ends[i] = plotter.XY{X: float64(points[2*i]), Y: float64(points[2*i+1])}
	}
	if err := addDots(p, starts, color.Gray{Y: 0x80}, 1.2); err != nil {
		return err
	}
	return addDots(p, ends, color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}, 3)
}

func addDots(p *plot.Plot, at plotter.XYs, colour color.Color, radius float64) error {
	dots, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	dots.Color, dots.Radius, dots.Shape = colour, vg.Points(radius), draw.CircleGlyph{}
	p.Add(dots)
	return nil
}
