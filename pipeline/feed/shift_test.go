package feed

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fmimg/fmimg/internal/roomtest"
)

// A shifted image is a crop of the image with its edges continued.
func TestShiftIsACrop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w, c := rapid.IntRange(1, 6).Draw(t, "h"), rapid.IntRange(1, 6).Draw(t, "w"), rapid.IntRange(1, 4).Draw(t, "c")
		right, down := rapid.IntRange(1-w, w-1).Draw(t, "right"), rapid.IntRange(1-h, h-1).Draw(t, "down")
		image := make([]float32, h*w*c)
		for i := range image {
			image[i] = float32(i)
		}
		var want []float32
		for y := range h {
			for x := range w {
				from := min(max(y+down, 0), h-1)*w + min(max(x+right, 0), w-1)
				want = append(want, image[from*c:(from+1)*c]...)
			}
		}
		if shift(image, w*c, c, right, down); !slices.Equal(image, want) {
			t.Fatalf("%v, want %v", image, want)
		}
	})
}

// All distances occur about as often: of 7,000 draws a thousand each, give or take 6 deviations of
// 29.
func TestShiftsAreUniform(t *testing.T) {
	rng := rand.NewPCG(1, 2)
	counts := map[int]int{}
	for range 7000 {
		counts[drawShift(rng, 3)]++
	}
	for d := -3; d <= 3; d++ {
		if n := counts[d]; n < 820 || n > 1180 {
			t.Errorf("distance %d came %d times of 7000", d, n)
		}
	}
}

// The shift of an image depends on the seed, the step and the position alone, and without one
// images stay as they are.
func TestShiftIsKeyed(t *testing.T) {
	data := roomtest.Digits()
	h, w, c := data.Shape()
	read := func(seed uint64, most, step, position int) []float32 {
		var rng rand.PCG
		f := New(data, seed, 4, false)
		f.Shift = most
		image := make([]float32, h*w*c)
		f.Read(&rng, 3, step, position, image)
		return image
	}
	plain := make([]float32, h*w*c)
	data.Image(3, plain)
	if !slices.Equal(read(1, 0, 5, 2), plain) {
		t.Error("an image is changed without a shift")
	}
	if !slices.Equal(read(1, 2, 5, 2), read(1, 2, 5, 2)) {
		t.Error("the same key gives two images")
	}
	moved := 0
	for step := range 50 {
		if !slices.Equal(read(1, 2, step, 2), plain) {
			moved++
		}
	}
	if moved < 35 { // 24 of 25 shifts are not none
		t.Errorf("of 50 images %d were moved", moved)
	}
}
