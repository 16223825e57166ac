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

// Data holds points of the plane, pairs of coordinates side by side, and perhaps their
// distribution.
type Data struct {
	Name        string
	Train, Held []float32
	True        *toy.Distribution // nil when it is not known
}

// The numbers of points that are drawn from a distribution.
const (
	trainPoints = 100000
	heldPoints  = 4000
)

// Streams of random numbers. With the seed they are words of flow.Seed.
const (
	streamTrain = iota + 1
	streamHeld
	streamInit
	streamBatch  // keyed by the step
	streamSample // of the noise at the end
)

// source returns a stream at a key.
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
		return option.Errorf("data", nil, "is needed: one of %s, or a .csv file of two columns", known)
	case !slices.Contains(toy.Names(), name) && !strings.HasSuffix(strings.ToLower(name), ".csv"):
		return option.Errorf("data", name, "known are %s; a file's name ends in .csv", known)
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

// FromDistribution draws training and held-out points.
func FromDistribution(d *toy.Distribution, seed uint64) *Data {
	data := &Data{Name: d.Name, Train: make([]float32, 2*trainPoints), Held: make([]float32, 2*heldPoints), True: d}
	d.Draw(rand.New(source(seed, streamTrain, 0)), data.Train)
	d.Draw(rand.New(source(seed, streamHeld, 0)), data.Held)
	return data
}

// FromCSV reads two columns of numbers and standardises them. It holds out a tenth of the points,
// at most as many as of a distribution.
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

// batch fills points with random training points.
func (d *Data) batch(p *rand.PCG, points []float32) {
	r := rand.New(p)
	for i := 0; i < len(points); i += 2 {
		k := 2 * r.IntN(len(d.Train)/2)
		copy(points[i:i+2], d.Train[k:k+2])
	}
}
