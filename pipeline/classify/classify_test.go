package classify

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
)

// The result does not depend on the number of threads, and each image is asked for once.
func TestClassify(t *testing.T) {
	roomtest.NoLeaks(t)
	cfg := DefaultConfig(8, 8, 1, []string{"a", "b", "c"})
	c, err := NewNetwork(cfg, kernels.Best(), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	data := roomtest.Digits()
	var want *Classification
	for _, threads := range []int{1, 2, 5, 0} {
		asked := make([]int, data.Len())
		got, err := Classify(t.Context(), c, data.Len(), threads, func(i int, dst []float32) {
			asked[i]++
			data.Image(i, dst)
		})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Min(asked) != 1 || slices.Max(asked) != 1 {
			t.Errorf("%d threads: images were asked for %v times", threads, asked)
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got.Features.Data, want.Features.Data) || !slices.Equal(got.Logits, want.Logits) ||
			!slices.Equal(got.Predictions, want.Predictions) {
			t.Errorf("%d threads: another result", threads)
		}
	}
	for i, class := range want.Predictions {
		if logits := want.Logits[3*i : 3*i+3]; slices.Max(logits) != logits[class] {
			t.Errorf("image %d: class %d of %v", i, class, logits)
		}
	}
	none, err := Classify(t.Context(), c, 0, 2, nil)
	if err != nil || none.Features.N != 0 {
		t.Errorf("of no images: %+v, %v", none, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Classify(ctx, c, 50, 2, func(int, []float32) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
