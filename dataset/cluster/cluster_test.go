package cluster_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/dataset/cluster"
)

// inTurn is a Parallel without threads.
func inTurn(n int, do func(i int)) error {
	for i := range n {
		do(i)
	}
	return nil
}

// onThreads returns a Parallel with as many threads, each of which takes every threads-th number,
// the last one first.
func onThreads(threads int) cluster.Parallel {
	return func(n int, do func(i int)) error {
		var all sync.WaitGroup
		for t := range threads {
			all.Go(func() {
				for i := n - 1 - t; i >= 0; i -= threads {
					do(i)
				}
			})
		}
		all.Wait()
		return nil
	}
}

// blobs returns n rows around each of some middles, with a deviation.
func blobs(middles [][]float64, n int, deviation float64) (rows []float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, middle := range middles {
		for range n {
			for _, v := range middle {
				rows = append(rows, v+deviation*rng.NormFloat64())
			}
		}
	}
	return rows
}

// Blobs are found whatever the seed: with ten deviations between them, the mean of n rows is within
// 5/√n deviations of the middle but for a chance below 1e-6.
func TestKMeansFindsBlobs(t *testing.T) {
	middles := [][]float64{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 1}}
	const n, deviation = 100, 0.1
	rows := blobs(middles, n, deviation)
	for seed := range uint64(20) {
		centres, err := cluster.KMeans(rows, 3, len(middles), seed, inTurn)
		if err != nil || len(centres) != 3*len(middles) {
			t.Fatalf("seed %d: %d numbers, %v", seed, len(centres), err)
		}
		for _, middle := range middles {
			least := math.Inf(1)
			for c := range middles {
				far := 0.0
				for k, v := range middle {
					far = max(far, math.Abs(v-centres[3*c+k]))
				}
				least = min(least, far)
			}
			if least > 5*deviation/math.Sqrt(n) {
				t.Errorf("seed %d: the blob at %v is %v from any centre", seed, middle, least)
			}
		}
	}
}

func TestKMeansOfOddRows(t *testing.T) {
	for _, test := range []struct {
		name    string
		rows    []float64 // of 1 number
		k, want int       // centres
	}{
		{"one row", []float64{3}, 4, 1},
		{"all the same", []float64{2, 2, 2, 2, 2}, 3, 1},
		{"fewer differ than centres", []float64{1, 1, 5, 5, 9, 1}, 5, 3},
		{"as many differ", []float64{1, 2, 3, 4}, 4, 4},
		{"one far away", []float64{0, 0.1, 0.2, 0.3, 1e6}, 2, 2},
		{"duplicates beside blobs", append(slices.Repeat([]float64{7}, 600), 1, 2, 3), 4, 4},
	} {
		centres, err := cluster.KMeans(test.rows, 1, test.k, 1, inTurn)
		if err != nil || len(centres) != test.want {
			t.Errorf("%s: centres %v, want %d, %v", test.name, centres, test.want, err)
		}
		for _, c := range centres {
			if math.IsNaN(c) || c < slices.Min(test.rows) || c > slices.Max(test.rows) {
				t.Errorf("%s: a centre at %v", test.name, c)
			}
		}
	}
}

// Every centre has a row, and the first the most, also where random rows leave many of the seeds
// without rows on the way.
func TestKMeansLeavesNoCentreEmpty(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for seed := range uint64(30) {
		rows := make([]float64, 2*80)
		for i := range rows {
			rows[i] = math.Round(4 * rng.NormFloat64())
		}
		centres, err := cluster.KMeans(rows, 2, 30, seed, inTurn)
		if err != nil {
			t.Fatal(err)
		}
		counts := make([]int, len(centres)/2)
		for i := 0; i < len(rows); i += 2 {
			best, least := 0, math.Inf(1)
			for c := range counts {
				if d := math.Hypot(rows[i]-centres[2*c], rows[i+1]-centres[2*c+1]); d < least {
					best, least = c, d
				}
			}
			counts[best]++
		}
		if slices.Min(counts) == 0 || counts[0] != slices.Max(counts) {
			t.Errorf("seed %d: clusters of %v rows", seed, counts)
		}
	}
}

// painter makes images of a shape in one of some colours, with noise.
func painter(s cluster.Shape, colours int) func(i int, dst []float32) {
	return func(i int, dst []float32) {
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		for k := range dst {
			level := 2*float64((i%colours+k%s.Channels)%colours)/float64(colours-1) - 1
			dst[k] = float32(level + 0.1*rng.NormFloat64())
		}
	}
}

func TestFitSortsImages(t *testing.T) {
	for _, s := range []cluster.Shape{{4, 4, 1}, {16, 12, 3}, {28, 28, 1}, {9, 32, 4}, {5, 3, 2}} {
		const n, colours = 700, 4
		paint := painter(s, colours)
		found, err := cluster.Fit(n, colours, s, paint, 1, inTurn)
		if err != nil || found.Count() != colours || found.Shape() != s {
			t.Fatalf("%v: %d clusters of %v, %v", s, found.Count(), found.Shape(), err)
		}
		labels, err := found.Assign(2*n, paint, inTurn) // those behind n were not seen
		if err != nil {
			t.Fatal(err)
		}
		for i, label := range labels {
			if label != labels[i%colours] {
				t.Errorf("%v: image %d is in cluster %d, and image %d in %d", s, i, label, i%colours, labels[i%colours])
			}
		}
	}
}

func TestFitIsTheSameOnAnyThreads(t *testing.T) {
	s := cluster.Shape{Height: 8, Width: 8, Channels: 3}
	const n = 1500
	paint := func(i int, dst []float32) {
		rng := rand.New(rand.NewPCG(uint64(i), 6))
		for k := range dst {
			dst[k] = float32(rng.NormFloat64())
		}
	}
	fit := func(seed uint64, on cluster.Parallel) (text string, labels []int32) {
		c, err := cluster.Fit(n, 12, s, paint, seed, on)
		if err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		labels, err = c.Assign(n, paint, on)
		if err != nil {
			t.Fatal(err)
		}
		return string(j), labels
	}
	want, labels := fit(1, inTurn)
	for _, threads := range []int{1, 2, 7} {
		if got, of := fit(1, onThreads(threads)); got != want || !slices.Equal(of, labels) {
			t.Errorf("%d threads find other clusters", threads)
		}
	}
	if other, _ := fit(2, inTurn); other == want {
		t.Error("another seed finds the same clusters among noise")
	}
}

func TestClusteringIsReadAsWritten(t *testing.T) {
	s := cluster.Shape{Height: 8, Width: 8, Channels: 1}
	for _, k := range []int{1, 3} {
		paint := painter(s, 3)
		c, err := cluster.Fit(100, k, s, paint, 1, inTurn)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back cluster.Clustering
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		want, err1 := c.Assign(300, paint, inTurn)
		got, err2 := back.Assign(300, paint, inTurn)
		if err := errors.Join(err1, err2); err != nil || !slices.Equal(got, want) || back.Count() != c.Count() {
			t.Errorf("%d clusters: labels differ after reading, %v", k, err)
		}
	}
}

func TestDamagedClusteringIsAnError(t *testing.T) {
	for _, text := range []string{
		`{}`, `3`, `{"shape":[8,8,9]}`, `{"shape":[0,8,1]}`, `{"shape":[8,8,1],"mean":"AAAA"}`,
		`{"shape":[8,8,1],"mean":"AAA="}`, `{"shape":[100000,100000,1]}`, `{"shape":[8,8,1],"centres":"AAAAAA=="}`,
	} {
		var c cluster.Clustering
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// Images that are all the same have one cluster.
func TestFitOfEqualImages(t *testing.T) {
	s := cluster.Shape{Height: 8, Width: 8, Channels: 1}
	blank := func(_ int, dst []float32) { clear(dst) }
	c, err := cluster.Fit(50, 4, s, blank, 1, inTurn)
	if err != nil || c.Count() != 1 {
		t.Fatalf("%d clusters, %v", c.Count(), err)
	}
	if labels, err := c.Assign(3, blank, inTurn); err != nil || !slices.Equal(labels, []int32{0, 0, 0}) {
		t.Errorf("labels %v, %v", labels, err)
	}
}

func TestFitReturnsErrorsOfParallel(t *testing.T) {
	stop := errors.New("stop")
	s := cluster.Shape{Height: 8, Width: 8, Channels: 1}
	_, err := cluster.Fit(50, 4, s, painter(s, 2), 1, func(int, func(int)) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
}

func TestFeatures(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		name         string
		channels     int
		pixel        []float32
		colours      []float64 // of each cell
		gray         float64
		height, wide int
	}{
		{"gray", 1, []float32{0.5}, []float64{0.5}, 0.5, 28, 28},
		{"colours", 3, []float32{1, 0, -1}, []float64{1, 0, -1}, 0.299 - 0.114, 32, 20},
		{"transparent colours are the middle gray", 4, []float32{1, 1, 1, -1}, []float64{0, 0, 0, -1}, 0, 8, 8},
		{"half transparent", 2, []float32{1, 0}, []float64{0.5, 0}, 0.5, 3, 5},
		{"numbers that are none", 3, []float32{nan, 9, -9}, []float64{0, 1, -1}, 0.587 - 0.114, 17, 1},
	} {
		s := cluster.Shape{Height: test.height, Width: test.wide, Channels: test.channels}
		var image []float32
		for range test.height * test.wide {
			image = append(image, test.pixel...)
		}
		features := make([]float64, cluster.FeatureLen(s))
		cluster.Features(features, image, s)
		for k, v := range features {
			want := test.gray
			if k < 64*test.channels {
				want = test.colours[k%test.channels]
			}
			if math.Abs(v-want) > 1e-6 { // float32 pixels
				t.Fatalf("%s: feature %d is %v, want %v", test.name, k, v, want)
			}
		}
	}
}

// A feature is the mean of its cell alone.
func TestFeaturesKnowWhere(t *testing.T) {
	s := cluster.Shape{Height: 16, Width: 16, Channels: 1}
	image := make([]float32, 256)
	image[3*16+6] = 1 // row 3, column 6: in cell (1, 3) of 8x8
	features := make([]float64, cluster.FeatureLen(s))
	cluster.Features(features, image, s)
	for k, v := range features {
		want := 0.0
		switch k {
		case 1*8 + 3:
			want = 0.25
		case 64 + 3*16 + 6:
			want = 1
		}
		if v != want {
			t.Errorf("feature %d is %v, want %v", k, v, want)
		}
	}
}
