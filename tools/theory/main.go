// Command theory draws the figures of docs/theory.md, with package flow itself: make theory.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/go-analyze/charts"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/ode"
)

func main() {
	out := flag.String("out", "docs", "folder to write to")
	flag.Parse()
	for _, figure := range []struct {
		name string
		make func() ([]*panel, error)
	}{
		{"theory-paths.png", pathsFigure},
		{"theory-marginal.png", marginalFigure},
	} {
		panels, err := figure.make()
		if err == nil {
			err = write(filepath.Join(*out, figure.name), panels)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "theory: %s: %v\n", figure.name, err)
			os.Exit(1)
		}
	}
}

// write draws a figure into a file.
func write(name string, panels []*panel) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	return writeFigure(file, panels)
}

var (
	blue   = charts.Color{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}
	green  = charts.Color{R: 0x2c, G: 0xa0, B: 0x2c, A: 0xff}
	orange = charts.Color{R: 0xff, G: 0x7f, B: 0x0e, A: 0xff}
	red    = charts.Color{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
	gray   = charts.Color{R: 0x80, G: 0x80, B: 0x80, A: 0xff}
)

// The paths of the first figure, with a colour for each.
var paths = []struct {
	path   flow.Schedule
	colour charts.Color
}{
	{flow.Linear{}, blue},
	{flow.LinearPower{N: 2}, green},
	{flow.Cosine{}, orange},
	{flow.VariancePreserving{BetaMin: 0.1, BetaMax: 20}, red},
}

// pathsFigure draws α, σ and the log-SNR of the paths over time.
func pathsFigure() ([]*panel, error) {
	shares := axis{0, 1, []float64{0, 0.25, 0.5, 0.75, 1}}
	var panels []*panel
	for _, curve := range []struct {
		title    string
		of       func(flow.Coefficients) float64
		y        axis
		from, to float64 // times at which the curve is finite
	}{
		{"α: the share of data", func(c flow.Coefficients) float64 { return c.Alpha }, shares, 0, 1},
		{"σ: the share of noise", func(c flow.Coefficients) float64 { return c.Sigma }, shares, 0, 1},
		{"log-SNR", flow.Coefficients.LogSNR, axis{-19, 10, []float64{-16, -8, 0, 8}}, 0.01, 0.99},
	} {
		p := &panel{title: curve.title, xName: "t", x: shares, y: curve.y}
		for _, one := range paths {
			l := line{colour: one.colour, width: 1.8}
			if len(panels) == 2 { // there is room for a legend
				l.name = fmt.Sprint(one.path)
			}
			const parts = 200
			for i := range parts + 1 {
				t := curve.from + (curve.to-curve.from)*float64(i)/parts
				l.points = append(l.points, point{t, curve.of(one.path.At(t))})
			}
			p.lines = append(p.lines, l)
		}
		panels = append(panels, p)
	}
	return panels, nil
}

// points are five data points in the plane.
var points = []float32{1.6, 0.2, 0.3, 1.5, -1.3, 0.9, -1.1, -1.1, 0.5, -1.4}

// marginalFigure draws how states follow the marginal field of five points.
func marginalFigure() ([]*panel, error) {
	const steps = 100
	linear, cosine := flow.Schedule(flow.Linear{}), flow.Schedule(flow.Cosine{})
	plane := axis{-3, 3, []float64{-3, -2, -1, 0, 1, 2, 3}}
	var panels []*panel
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
		p := &panel{title: one.title, x: plane, y: plane}
		if err := p.addTrajectories(one.path, one.solver, one.states); err != nil {
			return nil, err
		}
		panels = append(panels, p)
	}
	return panels, nil
}

// fresh is the noise of a step of a state.
func fresh(z []float32, index, step int) {
	var random rand.PCG
	flow.Seed(&random, 2, uint64(index), uint64(step))
	flow.Gaussian(z, &random)
}

// addTrajectories draws the trajectories of states from noise to the points.
func (p *panel) addTrajectories(path flow.Schedule, solver ode.Solver, states int) error {
	x := make([]float32, 2*states)
	for i := range states {
		flow.Noise(x[2*i:2*i+2], 1, uint64(i))
	}
	starts := pairs(x)
	trajectories := make([]line, states)
	watched := solver.Observed(func(_ int, _ float64, x []float32) {
		for i, at := range pairs(x) {
			trajectories[i].points = append(trajectories[i].points, at)
		}
	})
	field := flow.NewMarginalField(path, points, len(points)/2)
	if _, err := watched.Solve(context.Background(), field, x, states, 0, 1); err != nil {
		return err
	}
	for _, l := range trajectories {
		l.colour, l.width = blue, 0.8
		p.lines = append(p.lines, l)
	}
	p.dots = append(p.dots, dots{starts, gray, 1.6}, dots{pairs(points), red, 4})
	return nil
}

// pairs returns the points whose coordinates stand side by side.
func pairs(x []float32) []point {
	var all []point
	for i := 0; i < len(x); i += 2 {
		all = append(all, point{float64(x[i]), float64(x[i+1])})
	}
	return all
}
