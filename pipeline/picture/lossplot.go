package picture

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-analyze/charts"
)

// A LossPlot holds the titles of a curve of losses.
type LossPlot struct {
	Title string // what was trained
	Loss  string // what the loss is
}

// A HeldLoss is the validation loss after a step.
type HeldLoss struct {
	Step int // the number of steps done
	Loss float64
}

// plotPoints is the largest number of points of a curve. More points are closer than a pixel.
const plotPoints = 400

// WriteLossPlot draws the losses of a run as a PNG: the training loss as means over equal stretches
// of steps, the running mean of these, and the validation losses. losses holds the loss of each
// step, held the validation losses in order. The highest losses, at the start of the run, are cut
// off: they would flatten the rest.
func WriteLossPlot(w io.Writer, of LossPlot, losses []float32, held []HeldLoss) error {
	total, ticks, n := plotAxis(len(losses))
	means := stretch(losses, total, n)
	running := smooth(means) // before high losses are cut off, which would make it too low
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
	// The axis ends at a multiple of a tenth. Its labels should be round numbers.
	switch tenths := int(math.Round(10 * high)); {
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

// plotAxis lays out the axis of steps. It has at most 8 ticks, at equal distances of 1, 2 or 5
// times a power of ten steps. total is the number of steps rounded up to a whole number of ticks.
// The axis is cut into equal stretches, a multiple of the ticks.
func plotAxis(steps int) (total, ticks, stretches int) {
	for unit := 1; ; unit *= 10 {
		for _, tick := range []int{unit, 2 * unit, 5 * unit} {
			if ticks = (steps + tick - 1) / tick; ticks <= 8 {
				return ticks * tick, ticks, ticks * min(tick, plotPoints/ticks)
			}
		}
	}
}

// heldLine returns the validation loss at step 0 and at the ends of n stretches of total steps.
// Between two losses it is a straight line. It is cut off at high, and has gaps before the first
// loss and after the last.
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

// plotLabels returns labels for step 0 and for the ends of the stretches. The chart shows one label
// for each tick, and may take it from the point beside the tick. So that point has the number of
// the tick too.
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

// stretch returns the mean loss of each of n equal stretches of total steps, up to the last stretch
// that has a loss. No stretch is shorter than a step.
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

// plotLine returns a line with a point at step 0 and one at the end of each of n stretches. x[i] is
// the value of stretch i, cut off at high. At step 0, and where x has ended, the line has a gap.
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

// smooth returns the running mean of x. It looks back on some 8 values, and at first on half of the
// values so far.
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

// plotRange returns the limits of the axis of losses: 0, and nine tenths of x rounded up to 0.1.
// The highest tenth of x may lie above.
func plotRange(x []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(x))
	return 0, math.Ceil(10*sorted[(len(sorted)-1)*9/10]+0.1) / 10
}
