package toy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
)

// A Distribution draws points of the plane.
type Distribution struct {
	Name string

	draw    func(r *rand.Rand) (x, y float64)
	density func() func(x, y float64) float64
}

// Draw fills points, pairs of coordinates, with independent draws.
func (d *Distribution) Draw(r *rand.Rand, points []float32) {
	for i := 0; i+1 < len(points); i += 2 {
		x, y := d.draw(r)
		points[i], points[i+1] = float32(x), float32(y)
	}
}

// LogDensity returns the logarithm of the density at a point, in nats. It is −Inf where the density
// is 0.
func (d *Distribution) LogDensity(x, y float64) float64 { return math.Log(d.density()(x, y)) }

// known returns a density that needs no preparation.
func known(density func(x, y float64) float64) func() func(x, y float64) float64 {
	return func() func(x, y float64) float64 { return density }
}

// The distributions, in the order in which they are listed.
var all = []*Distribution{moons, checkerboard, gaussians, spiral}

// Names returns the names that Find knows.
func Names() []string {
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	return names
}

// Find returns the distribution of that name.
func Find(name string) (*Distribution, error) {
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("unknown distribution %q: known are %s", name, strings.Join(Names(), ", "))
}

// checkerboard is uniform on the black cells of a board of 4x4.
var checkerboard = &Distribution{Name: "checkerboard", draw: drawBoard, density: known(boardDensity)}

// cell is the side of a cell. The variance of each coordinate is (4·cell)²/12 = 1.
const cell = 0.8660254037844386 // √3/2

func drawBoard(r *rand.Rand) (x, y float64) {
	for {
		column, row := r.IntN(4), r.IntN(2)
		row = 2*row + column%2
		x, y = (float64(column)-2+r.Float64())*cell, (float64(row)-2+r.Float64())*cell
		// rounding may take a point over an edge
		if boardDensity(float64(float32(x)), float64(float32(y))) > 0 {
			return x, y
		}
	}
}

func boardDensity(x, y float64) float64 {
	column, row := int(math.Floor(x/cell))+2, int(math.Floor(y/cell))+2
	if column < 0 || column > 3 || row < 0 || row > 3 || (column+row)%2 != 0 {
		return 0
	}
	return 1 / (8 * cell * cell)
}

// gaussians is a mixture of eight Gaussians on a circle. The variance of each coordinate is ring²/2
// + blob² = 1.
var gaussians = &Distribution{Name: "8gaussians", draw: drawGaussians, density: known(gaussiansDensity)}

const (
	ring = 1.4
	blob = 0.1414213562373095 // √0.02
)

func drawGaussians(r *rand.Rand) (x, y float64) {
	sin, cos := math.Sincos(float64(r.IntN(8)) * math.Pi / 4)
	return ring*cos + blob*r.NormFloat64(), ring*sin + blob*r.NormFloat64()
}

func gaussiansDensity(x, y float64) float64 {
	sum := 0.0
	for k := range 8 {
		sin, cos := math.Sincos(float64(k) * math.Pi / 4)
		sum += normal(x-ring*cos, y-ring*sin, blob)
	}
	return sum / 8
}

// normal returns the density at (x, y) of normal noise with the same deviation in both coordinates.
func normal(x, y, deviation float64) float64 {
	variance := deviation * deviation
	return math.Exp(-(x*x+y*y)/(2*variance)) / (2 * math.Pi * variance)
}

// moons has two half circles that reach into each other.
var moons = noisyCurve("moons", 0.08, func(u float64) (x, y float64) {
	const size = 1.15
	side, turn := 1.0, 2*u*math.Pi
	if u >= 0.5 {
		side, turn = -1, (2*u-1)*math.Pi
	}
	sin, cos := math.Sincos(turn)
	return size * (side*cos + side*-0.5), size * 1.7 * (side*sin + side*-0.25)
})

// spiral has two arms that wind once and a quarter.
var spiral = noisyCurve("spiral", 0.06, func(u float64) (x, y float64) {
	side, along := 1.0, 2*u
	if u >= 0.5 {
		side, along = -1, 2*u-1
	}
	along = math.Sqrt(along) // so that points are about equally dense everywhere
	sin, cos := math.Sincos(2.5 * math.Pi * along)
	return side * 2 * along * cos, side * 2 * along * sin
})

// curvePieces is how many points stand for a curve in its density. Neighbours are nearer than the
// deviation of the noise, mostly a fifth of it. There such a sum is exact to all digits, but at the
// ends of a curve.
const curvePieces = 1024

// farAway is the distance, in deviations, beyond which a point of the curve counts for nothing:
// exp(−farAway²/2) is the smallest float64.
const farAway = 38

// noisyCurve returns the distribution of normal noise around the points of a curve. The parameter
// of the curve is uniform from 0 to 1.
func noisyCurve(name string, noise float64, at func(u float64) (x, y float64)) *Distribution {
	return &Distribution{
		Name: name,
		draw: func(r *rand.Rand) (float64, float64) {
			x, y := at(r.Float64())
			return x + noise*r.NormFloat64(), y + noise*r.NormFloat64()
		},
		density: sync.OnceValue(func() func(x, y float64) float64 { return curveDensity(noise, at) }),
	}
}

// curveDensity returns the density of noise around a curve.
func curveDensity(noise float64, at func(u float64) (x, y float64)) func(x, y float64) float64 {
	var curve [curvePieces][2]float64
	for i := range curve {
		curve[i][0], curve[i][1] = at((float64(i) + 0.5) / curvePieces)
	}
	return func(x, y float64) float64 {
		sum := 0.0
		for _, c := range curve {
			if dx := x - c[0]; math.Abs(dx) < farAway*noise {
				sum += normal(dx, y-c[1], noise)
			}
		}
		return sum / curvePieces
	}
}
