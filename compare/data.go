package compare

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/toy"
)

// Data are points of the plane, pairs of numbers side by side, and perhaps the distribution that
// they are from.
type Data struct {
	Name        string
	Train, Held []float32
	True        *toy.Distribution // nil where it is not known
}

// The sizes of what is drawn from a distribution.
const (
	trainPoints = 100000
	heldPoints  = 4000
)

// Streams of random numbers, beside flow.Seed's key of the seed.
const (
	streamTrain = iota + 1
	streamHeld
	streamInit
	streamBatch  // keyed by the step
	streamSample // of what is drawn at the end
)

// source returns the stream of a key.
func source(seed, stream, at uint64) *rand.PCG {
	var p rand.PCG
	flow.Seed(&p, seed, stream, at)
	return &p
}

// Names returns the names of distributions that Open knows.
func Names() []string { return toy.Names() }

// checkName verifies that a name is one of [Names] or that of a CSV file.
func checkName(name string) error {
	known := strings.Join(toy.Names(), ", ")
	switch {
	case name == "":
		return option.Errorf("data", "is needed: one of %s, or a .csv file of two columns", known)
	case !slices.Contains(toy.Names(), name) && !strings.HasSuffix(strings.ToLower(name), ".csv"):
		return option.Errorf("data", "%s: known are %s; a file's name ends in .csv", name, known)
	}
	return nil
}

// Open draws the data of a name, or reads it from a CSV file.
func Open(name string, seed uint64) (*Data, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if d, err := toy.Find(name); err == nil {
		return FromDistribution(d, seed), nil
	}
	file, err := regular.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return FromCSV(name, file, seed)
}

// FromDistribution draws data.
func FromDistribution(d *toy.Distribution, seed uint64) *Data {
	data := &Data{Name: d.Name, Train: make([]float32, 2*trainPoints), Held: make([]float32, 2*heldPoints), True: d}
	d.Draw(rand.New(source(seed, streamTrain, 0)), data.Train)
	d.Draw(rand.New(source(seed, streamHeld, 0)), data.Held)
	return data
}

// FromCSV reads two columns of numbers, standardises them and holds a tenth of the points out, at
// most as many as of a distribution.
func FromCSV(name string, r io.Reader, seed uint64) (*Data, error) {
	read, err := toy.ReadCSV(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	points, err := toy.Standardise(read)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := len(points) / 2
	rand.New(source(seed, streamHeld, 0)).Shuffle(n, func(i, k int) {
		points[2*i], points[2*k] = points[2*k], points[2*i]
		points[2*i+1], points[2*k+1] = points[2*k+1], points[2*i+1]
	})
	held := min(n/10, heldPoints)
	return &Data{Name: name, Train: points[2*held:], Held: points[:2*held]}, nil
}

// batch fills points with some of the training points.
func (d *Data) batch(p *rand.PCG, points []float32) {
	r := rand.New(p)
	for i := 0; i < len(points); i += 2 {
		k := 2 * r.IntN(len(d.Train)/2)
		copy(points[i:i+2], d.Train[k:k+2])
	}
}
