package evaluate

import (
	"fmt"
	"io"

	"github.com/fmimg/fmimg/internal/plot"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A Report says how good images are. Its own scores, those of the floor and the curve are by the
// features of the first judge; the panel has what each judge says.
type Report struct {
	Model      string `json:"model,omitempty"`
	Hash       string `json:"model_hash,omitempty"`
	Images     string `json:"images,omitempty"` // where the images come from, if no model drew them
	Data       string `json:"data"`
	Classifier string `json:"classifier"` // the data of the first judge's training, if it is known
	Solver     string `json:"solver,omitempty"`
	Steps      int    `json:"steps,omitempty"`
	// TimeShift is that of the steps; 1, and 0 in reports of old versions: equal steps.
	TimeShift float64 `json:"time_shift,omitempty"`
	// Evaluations is the mean number of evaluations of networks for an image. Where guidance is
	// computed, a velocity takes two.
	Evaluations float64 `json:"evaluations,omitempty"`
	Guidance    float64 `json:"guidance,omitempty"`
	// GuidanceEvery says how often guidance was computed; 1, and 0 in reports of old versions: for
	// each velocity.
	GuidanceEvery int `json:"guidance_every,omitempty"`
	// Within is where guidance acts; zero: all the way, or not at all.
	Within model.Interval `json:"guidance_interval,omitzero"`
	// Guide and GuideHash are the file and the hash of the weights of a guide, and GuideShare its
	// share in what guidance leads away from; 0 in reports of old versions: 1.
	Guide      string  `json:"guide,omitempty"`
	GuideHash  string  `json:"guide_hash,omitempty"`
	GuideShare float64 `json:"guide_share,omitempty"`
	Seed       uint64  `json:"seed"`
	// DrawnIn is the precision in which the model drew; empty: f32. Scores are computed in f32.
	DrawnIn string `json:"drawn_in,omitempty"`

	metrics.Scores
	// Floor has the scores of real training images, chosen at random: as many as generated images,
	// or all if there are fewer. A generator with exactly the distribution of the training images
	// would have these scores. But its nearest distance is the distance of real test images to the
	// training images.
	Floor metrics.Scores `json:"floor"`
	// FIDRatio is the FID divided by the floor's; nil unless both have as many images.
	FIDRatio *float64 `json:"fid_over_floor,omitempty"`
	// NearestRatio is the mean distance of generated images to the nearest training image, divided
	// by that of real test images. It is well below 1 if training images are copied.
	NearestRatio *float64 `json:"nearest_over_real,omitempty"`

	// Panel has what all judges say, and the geometric means of their ratios; nil in a quick
	// evaluation that names no judges.
	Panel *judge.Verdict `json:"panel,omitempty"`
	// Kept has what the judge says that is kept for final figures, if it was asked. It is not part
	// of the panel's means.
	Kept *judge.Score `json:"kept_judge,omitempty"`

	// SelfJudge says which network the judge is that the training images trained; nil if it did not
	// look.
	SelfJudge *SelfJudge `json:"self_supervised_judge,omitempty"`
	// Halves is the number of images of each half, where too few are held out: the training images
	// are halved at random, one half is compared with, and the other is the floor. Copies of
	// training images have good scores then.
	Halves int `json:"halves,omitempty"`
	// Copying says whether training images are copied; nil in a quick evaluation.
	Copying *Copying `json:"copying,omitempty"`

	Curve []CurvePoint `json:"curve,omitempty"` // in the order of NFE

	DrawSeconds float64 `json:"draw_seconds,omitempty"`
	Seconds     float64 `json:"seconds"`
}

// DescribeGuidance says in a few words how the images were guided; "" where they were not.
func (e *Report) DescribeGuidance() string {
	return model.DescribeGuidance(e.Guidance, model.DescribeGuide(e.Guide, e.GuideShare), e.Within, e.GuidanceEvery)
}

// A CurvePoint has the scores of images that were drawn with a number of evaluations.
type CurvePoint struct {
	Evaluations int      `json:"evaluations"`
	FID         *float64 `json:"fid"`
	Agreement   *float64 `json:"class_agreement,omitempty"` // nil if no class was asked for
}

// WriteChart draws the FID against the number of evaluations, and the floor, as a PNG.
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
