package evaluate

import (
	"fmt"
	"io"

	"github.com/fmimg/fmimg/internal/plot"
	"github.com/fmimg/fmimg/metrics"
)

// An Report is how good images are.
type Report struct {
	Model       string  `json:"model,omitempty"`
	Hash        string  `json:"model_hash,omitempty"`
	Images      string  `json:"images,omitempty"` // where they came from instead
	Data        string  `json:"data"`
	Classifier  string  `json:"classifier"` // the data that it was trained on
	Solver      string  `json:"solver,omitempty"`
	Steps       int     `json:"steps,omitempty"`
	Evaluations float64 `json:"evaluations,omitempty"` // of the velocity, of an image on average; twice as many of the network with guidance
	Guidance    float64 `json:"guidance,omitempty"`
	Seed        uint64  `json:"seed"`

	metrics.Scores
	// Floor are the scores of real training images, drawn at random: as many, or all where there are fewer. A generator
	// of the training images' distribution would score like them. Its nearest distance is that of real test images to
	// the training images.
	Floor metrics.Scores `json:"floor"`
	// FIDRatio is the FID over the floor's, where both are of as many images.
	FIDRatio *float64 `json:"fid_over_floor,omitempty"`
	// NearestRatio is the mean distance to the nearest training image over that of real test images: well below 1
	// where training images are copied.
	NearestRatio *float64 `json:"nearest_over_real,omitempty"`

	Curve []CurvePoint `json:"curve,omitempty"`

	DrawSeconds float64 `json:"draw_seconds,omitempty"`
	Seconds     float64 `json:"seconds"`
}

// A CurvePoint is the FID at a number of evaluations.
type CurvePoint struct {
	Evaluations int      `json:"evaluations"`
	FID         *float64 `json:"fid"`
	Agreement   *float64 `json:"class_agreement,omitempty"`
}

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
