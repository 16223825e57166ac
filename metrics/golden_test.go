package metrics

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
)

// A goldenPair is two sets of features, and their distances as SciPy and NumPy compute them.
type goldenPair struct {
	Name        string      `json:"name"`
	Frechet     float64     `json:"frechet"`
	KID         float64     `json:"kid"`
	KIDError    float64     `json:"kid_error"`
	Blocks      int         `json:"kid_blocks"`
	Wasserstein float64     `json:"wasserstein"` // of all numbers of both sets, on a line
	A           [][]float32 `json:"a"`
	B           [][]float32 `json:"b"`
}

func readGolden(t *testing.T) []goldenPair {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []goldenPair `json:"cases"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Cases) == 0 {
		t.Fatalf("%d pairs of features, %v", len(file.Cases), err)
	}
	return file.Cases
}

// onLine returns all numbers as rows of one number each. Along any direction they keep their
// distances.
func onLine(f Features) Features { return Features{N: f.N * f.D, D: 1, Data: f.Data} }

// Distances agree with SciPy's and NumPy's to 1e-6. bench/peer/golden.py computes them by the
// formulas of the papers: the Fréchet distance from the root of Σ1·Σ2, which is not symmetric, KID
// row by row, Wasserstein's from both quantile functions on one grid. Products of the features are
// exact in float32.
func TestGolden(t *testing.T) {
	for _, c := range readGolden(t) {
		t.Run(c.Name, func(t *testing.T) {
			a, b := rows(c.A...), rows(c.B...)
			got := mustFrechet(t, gaussianOf(t, a), gaussianOf(t, b))
			mustBeNear(t, "Fréchet distance", got, c.Frechet, 1e-6*c.Frechet)
			line, err := SlicedWasserstein(onLine(a), onLine(b), SlicedOptions{Directions: 3}, Compute{})
			if err != nil {
				t.Fatal(err)
			}
			mustBeNear(t, "Wasserstein distance", line, c.Wasserstein, 1e-6*c.Wasserstein)
			kernelstest.EachISA(t, func(t *testing.T, isa kernels.ISA) {
				kid, err := KID(a, b, KIDOptions{Blocks: c.Blocks}, Compute{ISA: isa})
				if err != nil {
					t.Fatal(err)
				}
				mustBeNear(t, "KID", kid.Value, c.KID, 1e-6*math.Abs(c.KID))
				mustBeNear(t, "standard error of KID", kid.StandardError, c.KIDError, 1e-6*c.KIDError)
			})
		})
	}
}
