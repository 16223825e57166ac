package toy

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestDensities: each density integrates to 1, over a lattice much finer than its details. Points
// drawn from it have its entropy, the integral of −p·log p, and its moments by the lattice. The
// mean of n = 4000 numbers of deviation 2 at most errs by 2/√n = 0.03, and by more than four times
// that once in 10⁴.
func TestDensities(t *testing.T) {
	const n, step = 4000, 0.05
	for _, name := range Names() {
		d, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		var mass, entropy, squareX, squareY, meanX, meanY float64
		for i := -60; i < 60; i++ {
			for k := -60; k < 60; k++ {
				x, y := (float64(i)+0.5)*step, (float64(k)+0.5)*step
				p := d.density()(x, y) * step * step
				if p > 0 {
					mass, entropy = mass+p, entropy-p*math.Log(p/step/step)
				}
				meanX, meanY, squareX, squareY = meanX+p*x, meanY+p*y, squareX+p*x*x, squareY+p*y*y
			}
		}
		points := make([]float32, 2*n)
		d.Draw(rand.New(rand.NewPCG(1, 2)), points)
		var drawnEntropy, drawnX, drawnY float64
		for i := range n {
			x, y := float64(points[2*i]), float64(points[2*i+1])
			drawnEntropy -= d.LogDensity(x, y) / n
			drawnX, drawnY = drawnX+x*x/n, drawnY+y*y/n
		}
		if math.Abs(mass-1) > 0.03 { // the board's edges fall between the lattice's points
			t.Errorf("%s: mass %v", name, mass)
		}
		if math.Abs(entropy-drawnEntropy) > 0.13 || math.Abs(squareX-drawnX) > 0.13 || math.Abs(squareY-drawnY) > 0.13 {
			t.Errorf("%s: what is drawn has another distribution", name)
		}
		if math.Abs(meanX) > 0.05 || math.Abs(meanY) > 0.05 || math.Abs(squareX-1) > 0.25 ||
			math.Abs(squareY-1) > 0.25 {
			t.Errorf("%s: it is not about as wide as standard normal noise", name)
		}
	}
	if _, err := Find("swiss-roll"); err == nil || !strings.Contains(err.Error(), "known are moons") {
		t.Error(err)
	}
}

func TestReadCSV(t *testing.T) {
	rows := strings.Repeat("1.5, -2\n0,4e0\n", leastPoints/2)
	for text, want := range map[string]string{
		rows:                               "",
		"height,weight\n" + rows:           "",
		"\"x\",\"y\"\r\n" + rows:           "",
		rows + "1,2,3\n":                   "line 101: it has 3 columns",
		"a,b\nc,d\n" + rows:                "line 2: \"c\" is no number",
		"\ufeff1.5,-2\n" + rows[8:]:        "",
		"1,2O\n" + rows:                    "line 1: \"2O\" is no number",
		"1\n" + rows:                       "line 1: it has 1 columns",
		rows + "1,NaN\n":                   "line 101: \"NaN\" is no number",
		rows + "1,\"2\n":                   "line 101: extraneous",
		"1,2\n3,4\n":                       "2 points: at least 100",
		"":                                 "0 points",
		rows + "1,1e999\n":                 "no number",
		strings.Replace(rows, ",", ";", 1): "line 1: it has 1 columns",
	} {
		points, err := ReadCSV(strings.NewReader(text))
		switch {
		case want == "" && (err != nil || len(points) != 2*leastPoints || points[0] != 1.5 || points[3] != 4):
			t.Errorf("%.20q: %v, %d numbers", text, err, len(points))
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestStandardise(t *testing.T) {
	const now = 1.7e9 // numbers that float32 could not tell apart
	points, err := Standardise([]float64{now + 100, 5, now + 102, 7, now + 104, 9})
	if err != nil {
		t.Fatal(err)
	}
	side := float32(math.Sqrt(1.5))
	for i, want := range []float32{-side, -side, 0, 0, side, side} {
		if math.Abs(float64(points[i]-want)) > 1e-5 {
			t.Errorf("%v", points)
		}
	}
	if _, err := Standardise([]float64{1, 2, 1, 3}); err == nil || !strings.Contains(err.Error(), "column 1") {
		t.Error(err)
	}
}
