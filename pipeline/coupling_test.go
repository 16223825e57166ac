package pipeline

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Optimal transport pairs each noise with one image of its own class, at a cost that no exchange of two noises of a class
// lowers, and below that of the pairs as they were drawn.
func TestOptimalTransportPairs(t *testing.T) {
	data := digits()
	data.classes = append(data.classes, "never") // a class without images, and images without a class
	data.n = 41
	unlabelled := &patterns{n: 41, h: 8, w: 8, c: 1}
	for _, source := range []*patterns{data, unlabelled} {
		const batch = 24
		f := newFeed(source, 7, batch, true)
		p := newPairing(f, 7, batch)
		f.prepare(3, batch)
		p.prepare(3)
		if !slices.Equal(slices.Sorted(slices.Values(p.noise)), rangeOf(batch)) {
			t.Fatalf("%v is no permutation", p.noise)
		}
		cost := func(i, j int) float64 {
			sum := 0.0
			for k, v := range p.image(i) {
				d := float64(v) - float64(p.noiseAt(j)[k])
				sum += d * d
			}
			return sum
		}
		paired, drawn := 0.0, 0.0
		for i, j := range p.noise {
			paired, drawn = paired+cost(i, j), drawn+cost(i, i)
			if p.labels[i] != p.labels[j] {
				t.Errorf("image %d of class %d has noise %d of class %d", i, p.labels[i], j, p.labels[j])
			}
			for k, l := range p.noise[:i] {
				// Costs of some 64 are sums in float32 of numbers of size 1.
				if p.labels[i] == p.labels[k] && cost(i, l)+cost(k, j) < cost(i, j)+cost(k, l)-1e-3 {
					t.Errorf("images %d and %d had better exchange noises %d and %d", i, k, j, l)
				}
			}
		}
		if !(paired < drawn) {
			t.Errorf("cost %v, as drawn %v", paired, drawn)
		}
		// What a worker draws is the paired noise.
		m := &matching{feed: f, seed: 7, batch: batch, pairs: p}
		var rng rand.PCG
		x := make([]float32, 64)
		drawNoise(&rng, 7, 3, m.noiseOf(5), x)
		if !slices.Equal(x, p.noiseAt(p.noise[5])) {
			t.Error("another noise than the one that was paired")
		}
	}
}

func rangeOf(n int) []int {
	x := make([]int, n)
	for i := range x {
		x[i] = i
	}
	return x
}

// The pairs depend on no thread.
func TestOptimalTransportTrains(t *testing.T) {
	o := smallRun(t)
	o.Coupling = OptimalTransport
	want := mustTrain(t, o)
	other := smallRun(t)
	other.Coupling, other.Threads = OptimalTransport, 5
	sameRun(t, want.Dir, mustTrain(t, other).Dir)
	differentRun(t, want.Dir, mustTrain(t, smallRun(t)).Dir)
}
