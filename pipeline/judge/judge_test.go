package judge

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
	"github.com/fmimg/fmimg/metrics"
)

// someImages are images in memory, which have no labels.
type someImages struct {
	size int
	x    []float32
}

func (s someImages) Len() int { return len(s.x) / s.size }

func (s someImages) Image(i int, dst []float32) int {
	copy(dst, s.x[i*s.size:(i+1)*s.size])
	return -1
}

// mustFind finds features on the given number of workers.
func mustFind(t *testing.T, j Judge, images Images, workers int) metrics.Features {
	t.Helper()
	on := crew.New(workers)
	defer on.Close()
	f, err := j.Features(t.Context(), on, images)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A random judge takes images of any shape, finds the same features each time and with any number
// of workers, and sees the difference of images.
func TestRandom(t *testing.T) {
	for _, shape := range [][3]int{{28, 28, 1}, {5, 7, 3}, {32, 32, 4}, {1, 1, 1}} {
		h, w, c := shape[0], shape[1], shape[2]
		images := someImages{h * w * c, kernelstest.Normals(rand.New(rand.NewPCG(1, 2)), 20*h*w*c)}
		var want metrics.Features
		for i, workers := range []int{1, 3} {
			j, err := NewRandom(h, w, c, kernels.Best())
			if err != nil {
				t.Fatal(err)
			}
			if gh, gw, gc := j.Shape(); gh != h || gw != w || gc != c || j.Name() != "random" {
				t.Errorf("%s takes %dx%dx%d", j.Name(), gh, gw, gc)
			}
			got := mustFind(t, j, images, workers)
			if i == 0 {
				want = got
			}
			if got.N != 20 || !slices.Equal(got.Data, want.Data) {
				t.Errorf("%v: features depend on the number of workers", shape)
			}
		}
		// All features of one image in which nothing is random are zero, of 20 normal ones not.
		if h > 1 && slices.Equal(want.Row(0), want.Row(1)) {
			t.Errorf("%v: two images have the same features", shape)
		}
	}
	if _, err := NewRandom(1<<13, 8, 1, kernels.Generic); err == nil {
		t.Error("a network for images of any size")
	}
}

// Each classifier among the judges of MNIST finds the classes of test images, and the judges are
// different networks. Plain Go sees fewer images.
func TestMNIST(t *testing.T) {
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 2000
	if kernels.Best() == kernels.Generic {
		n = 200
	}
	images := someImages{size: 784, x: make([]float32, n*784)}
	labels := make([]int, n)
	for i := range labels {
		labels[i] = set.Test.Image(i*5, images.x[i*784:(i+1)*784])
	}
	on := crew.New(2)
	defer on.Close()
	parameters := map[int]bool{}
	for _, name := range append(MNISTNames(), KeptName) {
		j, err := MNIST(name, kernels.Best())
		if err != nil || j.Name() != name {
			t.Fatalf("%s: %v", name, err)
		}
		parameters[j.Network.Params().Len()] = true
		if name == RandomName || name == SelfName { // which know no classes
			continue
		}
		found, err := j.Classify(t.Context(), on, images)
		if err != nil {
			t.Fatal(err)
		}
		// Over all test images 99.4 % are right; 99 % of 2000 is about two standard errors below.
		if accuracy := found.Accuracy(labels); accuracy < 0.985 || !slices.Equal(j.Network.Classes(), MNISTClasses()) {
			t.Errorf("%s: accuracy %.4f", name, accuracy)
		}
	}
	if len(parameters) != 5 {
		t.Errorf("networks of %d sizes", len(parameters))
	}
	_, err = MNIST("pool", kernels.Generic)
	if wrong, ok := errors.AsType[*option.Error](err); !ok || wrong.Option != "judges" ||
		!strings.Contains(err.Error(), "classifier, pooled, self-supervised, random, deep") {
		t.Errorf("a judge that is not there: %v", err)
	}
}

// Networks in the program take less than a megabyte together.
func TestEmbeddedFilesAreSmall(t *testing.T) {
	files, err := filepath.Glob("mnist/*.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, path := range append(files, "../classify/mnist/classifier.safetensors") {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > 1e6 {
		t.Errorf("%d bytes in %d files", total, len(files)+1)
	}
}

// moved returns features of n normal rows, moved by δ.
func moved(seed uint64, n int, delta float32) metrics.Features {
	f := metrics.Features{N: n, D: 3, Data: kernelstest.Normals(rand.New(rand.NewPCG(seed, 1)), n*3)}
	for i := range f.Data {
		f.Data[i] += delta
	}
	return f
}

// A panel of two judges has the mean of their ratios, and writes all as JSON.
func TestPanel(t *testing.T) {
	on := crew.New(2)
	defer on.Close()
	var p Panel
	if p.Verdict() != nil {
		t.Error("a verdict of nobody")
	}
	add := func(name string, delta float32) {
		t.Helper()
		s := Sight[metrics.Features]{Images: moved(1, 200, delta), Floor: moved(2, 200, 0), Real: moved(3, 300, 0)}
		if err := p.Add(t.Context(), on, kernels.Best(), name, s); err != nil {
			t.Fatal(err)
		}
	}
	add("near", 0.5)
	add("far", 2)
	v := p.Verdict()
	if v.Count != 200 || v.References != 300 || len(v.Judges) != 2 || v.Judges[1].Judge != "far" {
		t.Fatalf("%+v", v)
	}
	near, far := v.Judges[0], v.Judges[1]
	for _, c := range []struct {
		a, b Distance
		mean Mean
	}{{near.Frechet, far.Frechet, v.Frechet}, {near.Sliced, far.Sliced, v.Sliced}} {
		if want := math.Sqrt(*c.a.Ratio * *c.b.Ratio); math.Abs(*c.mean.Ratio-want) > 1e-9*want {
			t.Errorf("the mean of %g and %g is %g", *c.a.Ratio, *c.b.Ratio, *c.mean.Ratio)
		}
		if !(*c.b.Ratio > *c.a.Ratio && *c.a.Ratio > 1 && *c.a.RatioError > 0 && *c.mean.Error > 0) {
			t.Errorf("%+v, %+v, %+v", c.a, c.b, c.mean)
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"judge":"far"`, `"sliced_wasserstein":{"value":`, `"ratio_error":`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// A panel hears a judge by its own eyes. It says which judge failed, and ends with its context.
func TestHear(t *testing.T) {
	on := crew.New(2)
	defer on.Close()
	j, err := NewRandom(6, 6, 1, kernels.Best())
	if err != nil {
		t.Fatal(err)
	}
	images := func(seed uint64) Images {
		return someImages{36, kernelstest.Normals(rand.New(rand.NewPCG(seed, 1)), 120*36)}
	}
	s := Sight[Images]{Images: images(1), Floor: images(2), Real: images(3)}
	var p Panel
	if err := p.Hear(t.Context(), on, kernels.Best(), j, s); err != nil {
		t.Fatal(err)
	}
	// All three sets are noise of one kind.
	if r := *p.Verdict().Frechet.Ratio; !(r > 0.5 && r < 2) {
		t.Errorf("a ratio of %g", r)
	}
	s.Floor = someImages{36, nil}
	if err := p.Hear(t.Context(), on, kernels.Best(), j, s); err == nil || !strings.Contains(err.Error(), "random") {
		t.Errorf("no images: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Hear(ctx, on, kernels.Best(), j, s); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}
