package picture

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-analyze/charts"
)

// plotPoints is the most points of a loss curve: more could not be told apart in the picture.
const plotPoints = 400

// A LossPlot says what a curve of losses is of.
type LossPlot struct {
	Title string // what was trained
	Loss  string // what the loss is
}

// WriteLossPlot draws the loss of each step so far: means over equal stretches of steps, their running
// mean, and the validation losses. The highest losses, the first ones, are cut off: they would flatten
// all the rest.
func WriteLossPlot(w io.Writer, of LossPlot, losses []float32, held []HeldLoss) error {
	total, ticks, n := plotAxis(len(losses))
	means := stretch(losses, total, n)
	running := smooth(means) // before they are cut off: it would come out too low
	low, high := plotRange(means)
	lines := [][]float64{plotLine(means, n, high), plotLine(running, n, high)}
	names := []string{"training, each step", "training, running mean"}
	if len(held) > 0 {
		lines = append(lines, heldLine(held, total, n, high))
		names = append(names, "validation")
	}
	opt := charts.NewLineChartOptionWithData(lines)
	opt.Title.Text, opt.YAxis[0].Title = of.Title, of.Loss
	opt.Legend.SeriesNames = names
	opt.XAxis.Labels, opt.XAxis.LabelCount = plotLabels(total, ticks, n), ticks
	if n == ticks {
		opt.XAxis.LabelCount = n + 1
	}
	opt.XAxis.Title = "step"
	opt.Symbol.Shape = charts.SymbolNone
	opt.LineStrokeWidth = 1.5
	opt.YAxis[0].Min, opt.YAxis[0].Max = &low, &high
	switch tenths := int(math.Round(10 * high)); { // the axis ends at a tenth: let its labels be round numbers
	case tenths <= 4:
		opt.YAxis[0].LabelCount = 2*tenths + 1
	case tenths <= 8:
		opt.YAxis[0].LabelCount = tenths + 1
	}
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

// plotAxis rounds a number of steps up to a whole number of ticks, at most 8, each of 1, 2 or 5 times a power
// of ten steps, and says into how many equal stretches to cut it: a multiple of the ticks.
func plotAxis(steps int) (total, ticks, stretches int) {
	for unit := 1; ; unit *= 10 {
		for _, tick := range []int{unit, 2 * unit, 5 * unit} {
			if ticks = (steps + tick - 1) / tick; ticks <= 8 {
				return ticks * tick, ticks, ticks * min(tick, plotPoints/ticks)
			}
		}
	}
}

// heldLine returns the validation losses at the ends of n stretches of total steps behind that at step 0,
// straight between two of them, up to high; nothing before the first and behind the last.
func heldLine(held []HeldLoss, total, n int, high float64) []float64 {
	line := make([]float64, n+1)
	k := 0
	for i := range line {
		step := i * total / n
		for k+1 < len(held) && held[k+1].Step <= step {
			k++
		}
		a, b := held[k], held[min(k+1, len(held)-1)]
		switch {
		case step < a.Step || k == len(held)-1 && (i-1)*total/n >= a.Step:
			line[i] = charts.GetNullValue()
		case b.Step > a.Step:
			share := float64(step-a.Step) / float64(b.Step-a.Step)
			line[i] = min(a.Loss+share*(b.Loss-a.Loss), high)
		default:
			line[i] = min(a.Loss, high)
		}
	}
	return line
}

// plotLabels returns the steps at the ends of the stretches, from 0 on. The chart shows a label for each tick,
// but may take that of the point beside it, which is as near as the eye can tell: that has the tick's number too.
func plotLabels(total, ticks, n int) []string {
	labels := make([]string, n+1)
	each := n / ticks // stretches
	for i := range labels {
		step := i * total / n
		if nearest := (i + each/2) / each; each > 4 && max(i-nearest*each, nearest*each-i) <= 1 {
			step = nearest * (total / ticks)
		}
		labels[i] = fmt.Sprint(step)
	}
	return labels
}

// stretch returns the means over the first of n equal stretches of total steps, as many as hold all losses;
// no stretch is shorter than a step.
func stretch(losses []float32, total, n int) (means []float64) {
	for i := range n {
		from, to := i*total/n, min((i+1)*total/n, len(losses))
		if from >= to {
			break
		}
		sum := 0.0
		for _, l := range losses[from:to] {
			sum += float64(l)
		}
		means = append(means, sum/float64(to-from))
	}
	return means
}

// plotLine returns the values at the ends of n stretches behind that at step 0, up to a limit; where there is
// none the line has a gap.
func plotLine(x []float64, n int, high float64) []float64 {
	line := make([]float64, n+1)
	for i := range line {
		if i == 0 || i > len(x) {
			line[i] = charts.GetNullValue()
			continue
		}
		line[i] = min(x[i-1], high)
	}
	return line
}

// smooth returns the running mean of x, which looks back on some 8 values, and on half of them before there are so many.
func smooth(x []float64) []float64 {
	out := make([]float64, len(x))
	const weight = 1.0 / 8
	mean := 0.0
	for i, v := range x {
		mean += max(weight, 2/float64(i+2)) * (v - mean)
		out[i] = mean
	}
	return out
}

// plotRange returns the limits of the loss axis: from 0 to the tenth above all but the highest tenth.
func plotRange(x []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(x))
	return 0, math.Ceil(10*sorted[(len(sorted)-1)*9/10]+0.1) / 10
}

// A HeldLoss is a validation loss after a step.
type HeldLoss struct {
	Step int
	Loss float64
}
