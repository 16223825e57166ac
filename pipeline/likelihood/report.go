package likelihood

import (
	"github.com/fmimg/fmimg/dataset"
)

// A Report says how likely images are under a model.
type Report struct {
	Model       string `json:"model"`
	Hash        string `json:"model_hash"`
	Dequantized bool   `json:"dequantized"` // the model was trained on such data; where not, its density means little
	Class       Class  `json:"class,omitempty"`
	Divergence  string `json:"divergence"` // exact or hutchinson
	Probes      int    `json:"probes,omitempty"`
	Samples     int    `json:"samples"`
	Solver      string `json:"solver"`
	Seed        uint64 `json:"seed"`

	SetReport
	Against *SetReport `json:"against,omitempty"`
	// AUROC is the share of pairs of one image of each set in which that of Data is the likelier.
	AUROC *float64 `json:"auroc,omitempty"`
	// ToldApart is the share of images on their side of the best threshold.
	ToldApart *float64 `json:"told_apart,omitempty"`

	Evaluations float64 `json:"evaluations"` // of the velocity and its divergence, of a solution on average
	Seconds     float64 `json:"seconds"`
}

// A SetReport is the likelihood of the images of one set.
type SetReport struct {
	Data  string `json:"data"`
	Count int    `json:"count"`
	// BitsPerDimension is the mean over the images of −log₂ P(bytes)/d, an upper bound of it in expectation:
	// −log p/(d·ln 2) + 7 with p the density of dequantised pixels in [-1,1].
	BitsPerDimension float64 `json:"bits_per_dim"`
	// StandardError is that of this mean as an estimate for all such images: their spread and that of the probes
	// together. 0 for a single image.
	StandardError float64 `json:"standard_error"`
	// ProbeError is the part of it that comes from the probes alone, from two of them on.
	ProbeError *float64      `json:"probe_standard_error,omitempty"`
	Images     []ImageReport `json:"images"`

	source dataset.Source
}

// An ImageReport is that of one image.
type ImageReport struct {
	Index            int      `json:"index"`           // in the data
	Label            string   `json:"label,omitempty"` // its class in the data
	BitsPerDimension float64  `json:"bits_per_dim"`
	LogLikelihood    float64  `json:"log_likelihood"` // of its bytes, in nats
	ProbeError       *float64 `json:"probe_standard_error,omitempty"`
}
