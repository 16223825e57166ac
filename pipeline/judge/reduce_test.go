package judge

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
)

// Each pixel of a reduced image is the mean of a square, which the edges may cut.
func TestReduction(t *testing.T) {
	r := reductionOf(pipeline.Shape{Height: 3, Width: 130, Channels: 3})
	if want := (pipeline.Shape{Height: 1, Width: 44, Channels: 3}); r.to != want || r.side != 3 {
		t.Fatalf("%+v, want %+v in squares of 3", r, want)
	}
	image := make([]float32, r.from.Len())
	for i := range image {
		column, channel := i/3%130, i%3
		image[i] = float32(column*(1-channel)) + float32(i/390)
	}
	got := make([]float32, r.to.Len())
	r.apply(got, image)
	// Columns 0 to 2 and rows 0 to 2 have the means 1 and 1. The last square has column 129 alone.
	if want := []float32{2, 1, 0, 5, 1, -3}; !slices.Equal(got[:6], want) || got[129] != 130 || got[131] != -128 {
		t.Errorf("%v … %v, want %v … [130 1 -128]", got[:6], got[129:], want)
	}
	for side, want := range map[int]int{1: 1, 28: 28, 64: 64, 65: 33, 100: 50, 128: 64, 1000: 63} {
		s := ReducedShape(pipeline.Shape{Height: side, Width: side, Channels: 3})
		if s.Height != want || s.Width != want || s.Channels != 3 {
			t.Errorf("%d pixels become %+v, want %d", side, s, want)
		}
	}
}

// Of an image with an alpha channel a judge sees the means of what is seen over gray, whatever
// colours lie where nothing is seen.
func TestReductionOfAlpha(t *testing.T) {
	for _, channels := range []int{2, 4} {
		r, rng := reductionOf(pipeline.Shape{Height: 99, Width: 130, Channels: channels}), rand.New(rand.NewPCG(1, 2))
		image := make([]float32, r.from.Len())
		for i := range image {
			image[i] = 2*rng.Float32() - 1
			if pixel := i / channels; i%channels == channels-1 && (pixel%2 == 0 || pixel < 9*130) {
				image[i] = -1
			}
		}
		got, want := make([]float32, r.to.Len()), make([]float32, r.to.Len())
		r.apply(got, image)
		feed.OverGray(got, channels)
		feed.OverGray(image, channels)
		squares := reduction{r.from, r.to, r.side}
		for c := range channels { // channel by channel, as of gray images
			squares.from.Channels, squares.to.Channels = 1, 1
			one, reduced := make([]float32, squares.from.Len()), make([]float32, squares.to.Len())
			for i := range one {
				one[i] = image[i*channels+c]
			}
			squares.apply(reduced, one)
			for i, v := range reduced {
				want[i*channels+c] = v
			}
		}
		for i := range got {
			if math.Abs(float64(got[i]-want[i])) > 1e-6 { // a few roundings of numbers below 1
				t.Fatalf("%d channels: number %d is %v, want %v", channels, i, got[i], want[i])
			}
		}
	}
}

// A judge of large images finds what it finds in their reduced forms, and small ones it sees as
// they are.
func TestReducedJudge(t *testing.T) {
	on := crew.New(2)
	defer on.Close()
	large := drawn{5, 70, 130, 3}
	full := pipeline.ShapeOf(large)
	seen := ReducedShape(full)
	random, err := NewRandom(seen.Height, seen.Width, seen.Channels, kernels.Best())
	if err != nil {
		t.Fatal(err)
	}
	j := Reduced(random, full)
	if h, w, c := j.Shape(); h != 70 || w != 130 || c != 3 || j.Name() != RandomName {
		t.Errorf("it takes %dx%dx%d as %s", h, w, c, j.Name())
	}
	got, err := j.Features(t.Context(), on, large)
	if err != nil {
		t.Fatal(err)
	}
	want, err := random.Features(t.Context(), on, reduced(large))
	if err != nil {
		t.Fatal(err)
	}
	if got.N != 5 || !slices.Equal(got.Data, want.Data) {
		t.Errorf("%d rows of other features", got.N)
	}
	if Reduced(random, seen) != Judge(random) {
		t.Error("small images are reduced")
	}
	s, err := TrainSelf(t.Context(), on, drawn{40, 70, 130, 3}, SelfOptions{ISA: kernels.Best(), Steps: 2})
	if err != nil {
		t.Fatal(err)
	}
	if shape := pipeline.ShapeOf(reduced(large)); shape != seen || !s.Trained(drawn{40, 70, 130, 3}, SelfOptions{Steps: 2}) {
		t.Errorf("trained on images of %+v", shape)
	}
}
