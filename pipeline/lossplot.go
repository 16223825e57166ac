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

// writeLossPlot draws the loss of each step so far: means over equal stretches of steps, their running
// mean, and the validation losses. The highest losses, the first ones, are cut off: they would flatten
// all the rest.
func writeLossPlot(w io.Writer, losses []float32, held []heldLoss) error {
	means, steps := stretch(losses, plotPoints)
	low, high := plotRange(means)
	for i := range means {
		means[i] = min(means[i], high)
	}
	lines := [][]float64{means, smooth(means)}
	names := []string{"training, each step", "training, running mean"}
	if len(held) > 0 {
		lines = append(lines, heldLine(held, len(losses), len(means), high))
		names = append(names, "validation")
	}
	opt := charts.NewLineChartOptionWithData(lines)
	opt.Title.Text = "Flow-matching loss"
	opt.Legend.SeriesNames = names
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

// heldLine returns the validation losses at the ends of n stretches of all steps, straight between two of
// them, up to high; nothing before the first.
func heldLine(held []heldLoss, steps, n int, high float64) []float64 {
	line := make([]float64, n)
	k := 0
	for i := range line {
		step := (i + 1) * steps / n
		for k+1 < len(held) && held[k+1].step <= step {
			k++
		}
		a, b := held[k], held[min(k+1, len(held)-1)]
		switch {
		case step < a.step:
			line[i] = charts.GetNullValue()
			continue
		case b.step > a.step:
			share := float64(step-a.step) / float64(b.step-a.step)
			line[i] = min(a.loss+share*(b.loss-a.loss), high)
		default:
			line[i] = min(a.loss, high)
		}
	}
	return line
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
