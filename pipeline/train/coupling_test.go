package train

import (
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// As many images are paired as bring 256 of the largest class together, and memory is for these.
func TestUsualPaired(t *testing.T) {
	for _, test := range []struct {
		had          labelCount
		paired, same int
	}{
		{labelCount{}, 256, 256}, // nobody counted
		{labelCount{unlabelled: 3600}, 256, 256},
		{labelCount{classes: []int{50, 50}}, 512, 321},
		{labelCount{classes: []int{90, 0, 10}}, 284, 284},
		{labelCount{classes: []int{100, 100}, unlabelled: 200}, 512, 321},
		{labelCount{classes: slices.Repeat([]int{6000}, 10)}, 2048, 263},
		{labelCount{classes: slices.Repeat([]int{3}, 1000)}, 2048, 8},
	} {
		paired := test.had.usualPaired()
		if same := test.had.sameClass(paired); paired != test.paired || same != test.same {
			t.Errorf("%+v: %d paired and %d of a class, want %d and %d", test.had, paired, same, test.paired, test.same)
		}
	}
}

// Of equal images each noise is as good as another. Those of a step are not of one kind then: their
// cost, by which ties could be ordered, has about the mean of all in both halves of the group.
func TestPairsOfEqualImages(t *testing.T) {
	const batch, n = 64, 512
	c := crew.New(2)
	defer c.Close()
	for name, source := range map[string]dataset.Source{
		"one image, many times in a group": &roomtest.Patterns{N: 1, H: 8, W: 8, C: 1},
		"many empty images among others":   &mostlyEmpty{roomtest.Patterns{N: 3 * n, H: 8, W: 8, C: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairing(feed.New(source, 7, batch, false), 7, batch, n, labelCount{unlabelled: 1}, c, cluster.Alone())
			if err := p.prepare(0); err != nil {
				t.Fatal(err)
			}
			equal := slices.Repeat([]float32{-1}, p.size)
			if source.Len() == 1 {
				equal = p.image(0)
			}
			checkKinds(t, p, equal)
		})
	}
}

// checkKinds checks the noises of the images of a group that are equal to one.
func checkKinds(t *testing.T, p *pairing, equal []float32) {
	t.Helper()
	var sums, counts [2]float64 // of the halves of the group
	all, norm := 0.0, 0.0
	n := len(p.noise)
	for _, x := range equal {
		norm += float64(x) * float64(x)
	}
	for i, j := range p.noise {
		if !slices.Equal(p.image(i), equal) {
			continue
		}
		cost := 0.0
		for k, x := range equal {
			cost += float64(x) * float64(p.noiseAt(int(j))[k])
		}
		sums[i*2/n] += cost / math.Sqrt(norm)
		counts[i*2/n]++
		all += cost / math.Sqrt(norm)
	}
	if counts[0] < 100 || counts[1] < 100 {
		t.Fatalf("the halves have %v equal images", counts)
	}
	for half, sum := range sums {
		if off := (sum - all/(counts[0]+counts[1])*counts[half]) / math.Sqrt(counts[half]); math.Abs(off) > 4 {
			t.Errorf("half %d has noises that are %.1f deviations from the mean", half, off)
		}
	}
}

// A mostlyEmpty is data, the most of which is one plain image.
type mostlyEmpty struct{ roomtest.Patterns }

func (d *mostlyEmpty) Image(i int, dst []float32) int {
	label := d.Patterns.Image(i, dst)
	if d.N/8 < i {
		for k := range dst {
			dst[k] = -1
		}
	}
	return label
}

// Optimal transport pairs each noise with one image of its own class. No exchange of two noises of
// a class lowers the cost, and the cost is below that of the pairs as they were drawn.
func TestOptimalTransportPairs(t *testing.T) {
	data := roomtest.Digits()
	data.Names = append(data.Names, "never") // a class without images, and images without a class
	data.N = 41
	unlabelled := &roomtest.Patterns{N: 41, H: 8, W: 8, C: 1}
	c := crew.New(3)
	defer c.Close()
	for _, source := range []*roomtest.Patterns{data, unlabelled} {
		const batch, step = 24, 13
		f := feed.New(source, 7, batch, true)
		had, err := countLabels(t.Context(), source, nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		p := newPairing(f, 7, batch, 256, had, c, cluster.Alone())
		if err := p.prepare(step); err != nil {
			t.Fatal(err)
		}
		if steps := len(p.noise) / batch; steps < 2 || step%steps == 0 {
			t.Fatalf("step %d begins its group of %d, or is alone", step, steps)
		}
		if !slices.Equal(slices.Sorted(slices.Values(p.noise)), rangeOf(len(p.noise))) {
			t.Fatalf("%v is no permutation", p.noise)
		}
		cost := func(i int, j int32) float64 {
			sum := 0.0
			for k, v := range p.image(i) {
				d := float64(v) - float64(p.noiseAt(int(j))[k])
				sum += d * d
			}
			return sum
		}
		paired, drawn := 0.0, 0.0
		for i, j := range p.noise {
			paired, drawn = paired+cost(i, j), drawn+cost(i, int32(i))
			if p.labels[i] != p.labels[j] {
				t.Errorf("image %d of class %d has noise %d of class %d", i, p.labels[i], j, p.labels[j])
			}
			for k, l := range p.noise[:i] {
				// Costs of about 64 are sums, in float32, of numbers of about 1.
				if p.labels[i] == p.labels[k] && cost(i, l)+cost(k, j) < cost(i, j)+cost(k, l)-1e-3 {
					t.Errorf("images %d and %d had better exchange noises %d and %d", i, k, j, l)
				}
			}
		}
		if !(paired < drawn) {
			t.Errorf("cost %v, as drawn %v", paired, drawn)
		}
		// A worker draws an image of the step and its paired noise.
		f.Prepare(step, batch)
		m := newMatchers(&matching{feed: f, seed: 7, batch: batch, micro: batch, times: flow.Uniform{}, pairs: p,
			predicts: model.Prediction{Path: flow.Linear{}}}, []model.Replica{nil})[0]
		for i := range batch {
			m.draw(step, i, i)
			at := step%(len(p.noise)/batch)*batch + i
			if !slices.Equal(m.x1, p.image(at)) || !slices.Equal(m.x0, p.noiseAt(int(p.noise[at]))) {
				t.Fatalf("position %d has another image or noise than the one that was paired", i)
			}
		}
	}
}

func rangeOf(n int) []int32 {
	x := make([]int32, n)
	for i := range x {
		x[i] = int32(i)
	}
	return x
}

// Ranks pair a group each, and have the pairs of one process, wherever a run begins.
func TestPairingOnRanks(t *testing.T) {
	const batch, steps = 24, 50
	data := roomtest.Digits()
	had, err := countLabels(t.Context(), data, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	pairs := func(c cluster.Comm, from int) (all [][2]int, err error) {
		workers := crew.New(2)
		defer workers.Close()
		p := newPairing(feed.New(data, 7, batch, true), 7, batch, 100, had, workers, c)
		for step := from; step < steps; step++ {
			if err := p.prepare(step); err != nil {
				return nil, err
			}
			for i := range batch {
				from, at := p.noiseOf(step, i)
				all = append(all, [2]int{from, at})
			}
		}
		return all, nil
	}
	want, err := pairs(cluster.Alone(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{0, 17} {
		var ranks sync.WaitGroup
		for _, c := range cluster.InProcess(3) {
			ranks.Go(func() {
				if got, err := pairs(c, from); err != nil || !slices.Equal(got, want[from*batch:]) {
					t.Errorf("rank %d from step %d: %v, or other pairs than one process has", c.Rank(), from, err)
				}
			})
		}
		ranks.Wait()
	}
}

// The pairs do not depend on the number of threads, or on where a run was interrupted.
func TestOptimalTransportTrains(t *testing.T) {
	o := smallRun(t)
	o.Coupling = OptimalTransport
	want := mustTrain(t, o)
	other := smallRun(t)
	other.Coupling, other.Threads = OptimalTransport, 5
	roomtest.SameRun(t, want.Dir, mustTrain(t, other).Dir)
	broken := smallRun(t)
	broken.Coupling, broken.StopAfter = OptimalTransport, 2
	var stopped *run.InterruptedError
	if _, err := Train(t.Context(), broken); !errors.As(err, &stopped) {
		t.Fatal(err)
	}
	broken.Resume, broken.StopAfter = true, 0
	roomtest.SameRun(t, want.Dir, mustTrain(t, broken).Dir)
	independent := smallRun(t)
	independent.Coupling = Independent
	roomtest.DifferentRun(t, want.Dir, mustTrain(t, independent).Dir)
}
