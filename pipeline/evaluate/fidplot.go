package evaluate

import (
	"fmt"
	"io"

	"github.com/fmimg/fmimg/internal/plot"
)

// WriteChart draws the curve of FID against the number of evaluations, beside the floor, as a PNG.
func (e *Report) WriteChart(w io.Writer) error {
	drawn := plot.Curve{Name: "generated, " + e.Solver}
	floor := plot.Curve{Name: "real training images", Level: true}
	for _, p := range e.Curve {
		x := float64(p.Evaluations)
		if p.FID != nil {
			drawn.Points = append(drawn.Points, plot.Point{X: x, Y: *p.FID})
		}
		if e.Floor.FID != nil {
			floor.Points = append(floor.Points, plot.Point{X: x, Y: *e.Floor.FID})
		}
	}
	c := plot.Chart{Title: "FID against evaluations", XTitle: "evaluations", Curves: []plot.Curve{drawn, floor}}
	if err := c.WritePNG(w); err != nil {
		return fmt.Errorf("FID curve: %w", err)
	}
	return nil
}
