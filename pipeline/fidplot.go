package pipeline

import (
	"fmt"
	"io"
	"strconv"

	"github.com/go-analyze/charts"
)

// WriteChart draws the curve of FID against the number of evaluations, beside the floor, as a PNG.
func (e *Evaluation) WriteChart(w io.Writer) error {
	var labels []string
	drawn, floor := []float64{}, []float64{}
	for _, p := range e.Curve {
		labels = append(labels, strconv.Itoa(p.Evaluations))
		drawn, floor = append(drawn, valueOr(p.FID, charts.GetNullValue())), append(floor, valueOr(e.Floor.FID, charts.GetNullValue()))
	}
	opt := charts.NewLineChartOptionWithData([][]float64{drawn, floor})
	opt.Title.Text = "FID against evaluations"
	opt.Legend.SeriesNames = []string{"generated, " + e.Solver, "real training images"}
	opt.XAxis.Labels, opt.XAxis.Title = labels, "evaluations"
	zero := 0.0
	opt.YAxis[0].Min = &zero
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: 900, Height: 450})
	if err := p.LineChart(opt); err != nil {
		return fmt.Errorf("FID curve: %w", err)
	}
	picture, err := p.Bytes()
	if err != nil {
		return fmt.Errorf("FID curve: %w", err)
	}
	_, err = w.Write(picture)
	return err
}

func valueOr(x *float64, other float64) float64 {
	if x == nil {
		return other
	}
	return *x
}
