package metrics

import (
	"encoding/json"
	"math"
	"testing"
)

// A score that was not measured, or is not a number, is not in the JSON. A score of zero is.
func TestScoresJSON(t *testing.T) {
	s := Scores{Count: 10, FID: Measured(0), HistogramDistance: Measured(math.NaN())}
	s.SetKID(KIDScore{Value: -0.5, StandardError: math.Inf(1)})
	got, err := json.Marshal(s)
	if want := `{"count":10,"fid":0,"kid":-0.5}`; string(got) != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestScoresAreComplete(t *testing.T) {
	s := Scores{
		Count: 1, References: 2, FID: Measured(3), Histogram: []int{1, 0}, HistogramDistance: Measured(4),
		NearestDistance: &Distances{Mean: 5, NearestQuery: 6},
	}
	s.SetKID(KIDScore{7, 8, 2})
	s.SetManifold(Manifold{Precision: 9, Recall: 10, Density: 11, Coverage: 12})
	s.SetClassAgreement(Agreement{13, 14, 15})
	got, err := json.Marshal(s)
	want := `{"count":1,"references":2,"fid":3,"kid":7,"kid_standard_error":8,` +
		`"precision":9,"recall":10,"density":11,"coverage":12,` +
		`"class_agreement":13,"class_agreement_low":14,"class_agreement_high":15,` +
		`"histogram":[1,0],"histogram_distance":4,` +
		`"nearest_distance":{"mean":5,"min":0,"quantile_5":0,"quantile_25":0,"median":0,` +
		`"quantile_75":0,"quantile_95":0,"max":0,"nearest_query":6}}`
	if string(got) != want || err != nil {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}
