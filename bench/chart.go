package bench

import (
	"fmt"
	"io"
	"slices"

	"github.com/go-analyze/charts"

	"github.com/fmimg/fmimg/internal/option"
)

// A panel is one chart of the picture: bars for each report.
type panel struct {
	title   string
	unit    string
	threads string
	groups  []string
}

// panels are the figures that say most about a CPU, whole steps first. All are for the best
// instruction set of each machine, in every precision.
var panels = []panel{
	{"Images/s, all threads", imagesPerS, allThreads, []string{groupNetwork}},
	{"Images/s, one thread", imagesPerS, oneThread, []string{groupNetwork}},
	{"GFLOP/s, all threads: " + limitsAndConvs, gflops, allThreads, []string{groupLimits, groupConvs}},
	{"GFLOP/s, one thread: " + limitsAndConvs, gflops, oneThread, []string{groupLimits, groupConvs}},
}

const limitsAndConvs = "multiply-adds alone, and the network's convolutions"

// rows returns the rows of a panel.
func (p *panel) rows(all []Row) []Row {
	var rows []Row
	for _, r := range all {
		if slices.Contains(p.groups, r.Group) && r.Unit == p.unit && r.on.isa == "" && r.on.threads == p.threads {
			rows = append(rows, r)
		}
	}
	return rows
}

// The sizes of the picture, in pixels.
const (
	chartWidth  = 1000
	barHeight   = 16
	barGap      = 14 // between the figures of a panel
	legendLine  = 24
	swatch      = 14
	margin      = 16
	panelMargin = 96 // title, axis and space
)

// WriteChart draws the comparison as a PNG. It has a panel for each kind of figure in the reports,
// with a bar for each report.
func (c *Comparison) WriteChart(w io.Writer) error {
	type part struct {
		panel  *panel
		rows   []Row
		height int
	}
	var parts []part
	total := 2*margin + legendLine*len(c.Machines)
	for i := range panels {
		if rows := panels[i].rows(c.Rows); len(rows) > 0 {
			parts = append(parts, part{&panels[i], rows, panelMargin + len(rows)*(len(c.Machines)*barHeight+barGap)})
			total += parts[len(parts)-1].height
		}
	}
	if len(parts) == 0 {
		return option.Faultf("chart: the reports hold no figure of a whole").
			Cured("measure with bench train, or bench kernels without %v", option.Setting{Option: "run"})
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: chartWidth, Height: total})
	p.FilledRect(0, 0, chartWidth, total, charts.ColorWhite, charts.ColorWhite, 0)
	top := c.drawLegend(p)
	for _, part := range parts {
		box := p.Child(charts.PainterBoxOption(charts.NewBox(0, top, chartWidth, top+part.height)))
		if err := box.BarChart(c.bars(part.panel, part.rows)); err != nil {
			return fmt.Errorf("chart: %w", err)
		}
		top += part.height
	}
	picture, err := p.Bytes()
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	_, err = w.Write(picture)
	return err
}

// drawLegend names the reports, one in a line, and returns the row of pixels where the panels
// begin.
func (c *Comparison) drawLegend(p *charts.Painter) (bottom int) {
	theme := charts.GetDefaultTheme()
	top := margin
	for i, m := range c.Machines {
		color := theme.GetSeriesColor(i)
		p.FilledRect(margin, top, margin+2*swatch, top+swatch, color, color, 0)
		text := fmt.Sprintf("%s: %s, %d threads, %s", m.Name, m.CPU, m.Threads, m.ISA)
		font := charts.FontStyle{FontSize: 12, FontColor: theme.GetLegendTextColor()}
		p.Text(text, 2*margin+2*swatch, top+swatch-2, 0, font)
		top += legendLine
	}
	return top
}

// bars lays out a panel: a group of bars for each row, the first at the top.
func (c *Comparison) bars(p *panel, rows []Row) charts.BarChartOption {
	values := make([][]float64, len(c.Machines))
	var labels []string
	for _, r := range slices.Backward(rows) { // the library draws from the bottom up
		labels = append(labels, join(r.what, r.on.precision))
		for i, cell := range r.Cells {
			value := cell.Value
			if value == 0 { // not measured: no bar, and no label that says 0
				value = charts.GetNullValue()
			}
			values[i] = append(values[i], value)
		}
	}
	opt := charts.NewBarChartOptionWithData(values)
	opt.Horizontal = true
	opt.Title.Text = p.title
	opt.Legend.Show = new(false)
	opt.CategoryAxis.Labels = labels
	zero := 0.0
	opt.ValueAxis[0].Min = &zero
	for i := range opt.SeriesList {
		opt.SeriesList[i].Label.Show = new(true)
		opt.SeriesList[i].Label.ValueFormatter = spell
	}
	return opt
}
