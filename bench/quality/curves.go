package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/fmimg/fmimg/internal/plot"
	"github.com/fmimg/fmimg/pipeline/evaluate"
)

// readReport reads what fmimg eval --json wrote.
func readReport(path string) (*evaluate.Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	e := new(evaluate.Report)
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("%s: %w: it is not what fmimg eval --json writes", path, err)
	}
	return e, nil
}

// curves returns a chart of FID against evaluations of the network, with a line for each report,
// and the floor. All reports must have the same number
// of images, or they do not compare.
func curves(paths []string) (*plot.Chart, error) {
	c, floor := &plot.Chart{XTitle: "evaluations of the network"}, plot.Curve{Name: "real training images", Level: true}
	var first how
	for i, path := range paths {
		e, err := readReport(path)
		if err != nil {
			return nil, err
		}
		if len(e.Curve) == 0 || e.Floor.FID == nil {
			return nil, fmt.Errorf("%s: it holds no curve: eval it with --evaluations 1,2,4, say", path)
		}
		one := how{Count: e.Count, Data: e.Data, Classifier: e.Classifier}
		if i == 0 {
			first = one
			c.Title = fmt.Sprintf("FID of %d images of %s", e.Count, e.Data)
		} else if one != first {
			return nil, fmt.Errorf("%s is of %d images of %s, and the first of %d of %s: they do not compare", path,
				e.Count, e.Data, first.Count, first.Data)
		}
		line := plot.Curve{Name: fmt.Sprintf("%s, %s", e.Model, e.Solver)}
		if guidance := e.DescribeGuidance(); guidance != "" {
			line.Name += ", " + guidance
		}
		for _, p := range e.Curve {
			if x := float64(p.Evaluations); p.FID != nil {
				line.Points = append(line.Points, plot.Point{X: x, Y: *p.FID})
				floor.Points = append(floor.Points, plot.Point{X: x, Y: *e.Floor.FID})
			}
		}
		c.Curves = append(c.Curves, line)
	}
	c.Curves = append(c.Curves, floor)
	return c, nil
}
