package metrics

// Scores are the results of an evaluation. A score that was not measured is nil, and not in the
// JSON.
type Scores struct {
	Count      int `json:"count"`                // generated images
	References int `json:"references,omitempty"` // real images, with which they are compared

	FID              *float64 `json:"fid,omitempty"` // [Frechet] distance of the features
	KID              *float64 `json:"kid,omitempty"`
	KIDStandardError *float64 `json:"kid_standard_error,omitempty"`

	Precision *float64 `json:"precision,omitempty"`
	Recall    *float64 `json:"recall,omitempty"`
	Density   *float64 `json:"density,omitempty"`
	Coverage  *float64 `json:"coverage,omitempty"`

	ClassAgreement     *float64 `json:"class_agreement,omitempty"`
	ClassAgreementLow  *float64 `json:"class_agreement_low,omitempty"` // 95 % confidence
	ClassAgreementHigh *float64 `json:"class_agreement_high,omitempty"`
	// Histogram counts the generated images of each predicted class. HistogramDistance is its
	// TotalVariation from the real classes.
	Histogram         []int    `json:"histogram,omitempty"`
	HistogramDistance *float64 `json:"histogram_distance,omitempty"`

	NearestDistance *Distances `json:"nearest_distance,omitempty"` // in pixels
}

// Measured returns a pointer to a score. It is nil for a NaN or an infinity, which JSON cannot
// write.
func Measured(score float64) *float64 {
	if !finite(score) {
		return nil
	}
	return &score
}

// SetKID sets the kernel distance.
func (s *Scores) SetKID(k KIDScore) {
	s.KID, s.KIDStandardError = Measured(k.Value), Measured(k.StandardError)
}

// SetManifold sets precision, recall, density and coverage.
func (s *Scores) SetManifold(m Manifold) {
	s.Precision, s.Recall = Measured(m.Precision), Measured(m.Recall)
	s.Density, s.Coverage = Measured(m.Density), Measured(m.Coverage)
}

// SetClassAgreement sets the share of agreement and its interval.
func (s *Scores) SetClassAgreement(a Agreement) {
	s.ClassAgreement, s.ClassAgreementLow, s.ClassAgreementHigh = Measured(a.Share), Measured(a.Low), Measured(a.High)
}
