package likelihood

import (
	"github.com/fmimg/fmimg/dataset"
)

// A Report says how likely images are under a model.
type Report struct {
	Model string `json:"model"`
	Hash  string `json:"model_hash"`
	// Dequantized says that the model was trained on dequantised data. Without that its density
	// means little.
	Dequantized bool   `json:"dequantized"`
	Class       Class  `json:"class,omitempty"`
	Divergence  string `json:"divergence"`       // exact or hutchinson
	Probes      int    `json:"probes,omitempty"` // 0 for an exact divergence
	Samples     int    `json:"samples"`
	Solver      string `json:"solver"`
	Seed        uint64 `json:"seed"`

	SetReport // of Data
	// Against reports on the other images, nil without them.
	Against *SetReport `json:"against,omitempty"`
	// AUROC is the share of pairs, of one image of each set, in which the image of Data is
	// likelier.
	AUROC *float64 `json:"auroc,omitempty"`
	// ToldApart is the share of images that the best threshold puts into their own set.
	ToldApart *float64 `json:"told_apart,omitempty"`

	// Evaluations is the mean number of evaluations of velocity and divergence in a solution.
	Evaluations float64 `json:"evaluations"`
	Seconds     float64 `json:"seconds"`
}

// A SetReport is the likelihood of the images of one set.
type SetReport struct {
	Data  string `json:"data"`
	Count int    `json:"count"`
	// BitsPerDimension is the mean over the images of −log p/(d·ln 2) + 7, with p the density of
	// dequantised pixels in [-1, 1]. In expectation this is an upper bound of −log₂ P(bytes)/d.
	BitsPerDimension float64 `json:"bits_per_dim"`
	// StandardError is the error of BitsPerDimension as an estimate for all such images. It
	// includes the spread of the images and of the probes, and is 0 for a single image.
	StandardError float64 `json:"standard_error"`
	// ProbeError is the part of the error that comes from the probes, nil for fewer than two.
	ProbeError *float64      `json:"probe_standard_error,omitempty"`
	Images     []ImageReport `json:"images"`

	source dataset.Source // of the images
}

// An ImageReport is the likelihood of one image.
type ImageReport struct {
	Index            int     `json:"index"`           // number of the image in the data
	Label            string  `json:"label,omitempty"` // class in the data
	BitsPerDimension float64 `json:"bits_per_dim"`
	LogLikelihood    float64 `json:"log_likelihood"` // of the bytes, in nats
	// ProbeError is the error from the probes, nil for fewer than two.
	ProbeError *float64 `json:"probe_standard_error,omitempty"`
}
