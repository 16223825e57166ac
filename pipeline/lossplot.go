package pipeline

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-analyze/charts"
)

// plotPoints is the most points of a loss curve: more could not be told apart in the picture.
const plotPoints = 400

// writeLossPlot draws the loss of each step so far: means over equal stretches of steps, and their
// running mean. The highest losses, the first ones,
// are cut off: they would flatten all the rest.
func writeLossPlot(w io.Writer, losses []float32) error {
	means, steps := stretch(losses, plotPoints)
	low, high := plotRange(means)
	for i := range means {
		means[i] = min(means[i], high)
	}
	opt := charts.NewLineChartOptionWithData([][]float64{means, smooth(means)})
	opt.Title.Text = "Flow-matching loss"
	opt.Legend.SeriesNames = []string{"step", "running mean"}
	opt.XAxis.Labels = steps
	opt.XAxis.LabelCount = 8
	opt.XAxis.Title = "step"
	opt.Symbol.Shape = charts.SymbolNone
	opt.LineStrokeWidth = 1.5
	opt.YAxis[0].Min, opt.YAxis[0].Max = &low, &high
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: 900, Height: 450})
	if err := p.LineChart(opt); err != nil {
		return fmt.Errorf("loss curve: %w", err)
	}
	picture, err := p.Bytes()
	if err != nil {
		return fmt.Errorf("loss curve: %w", err)
	}
	_, err = w.Write(picture)
	return err
}

// stretch returns the means of at most n equal stretches and the number of steps done at their ends.
func stretch(losses []float32, n int) (means []float64, steps []string) {
	n = min(n, len(losses))
	for i := range n {
		from, to := i*len(losses)/n, (i+1)*len(losses)/n
		total := 0.0
		for _, l := range losses[from:to] {
			total += float64(l)
		}
		means = append(means, total/float64(to-from))
		steps = append(steps, fmt.Sprint(to))
	}
	return means, steps
}

// smooth returns the running mean of x, which looks back on some 8 values.
func smooth(x []float64) []float64 {
	out := make([]float64, len(x))
	const weight = 1.0 / 8
	mean := 0.0
	for i, v := range x {
		mean += max(weight, 1/float64(i+1)) * (v - mean)
		out[i] = mean
	}
	return out
}

// plotRange returns the limits of the loss axis: from 0 to the tenth above all but the highest tenth.
func plotRange(x []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(x))
	return 0, math.Ceil(10*sorted[(len(sorted)-1)*9/10]+0.1) / 10
}
