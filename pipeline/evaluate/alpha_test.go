package evaluate

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/judge"
)

// asPNGs writes white discs of random places and sizes on transparent pixels, 10x10 pixels each.
// hidden draws the colours that nobody sees, and alpha is that of the discs.
func asPNGs(t *testing.T, n int, seed uint64, hidden *rand.Rand, alpha uint8) string {
	t.Helper()
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		m := image.NewNRGBA(image.Rect(0, 0, 10, 10))
		cy, cx, r := 2+6*rng.Float64(), 2+6*rng.Float64(), 2+2*rng.Float64()
		for k := range 100 {
			y, x := float64(k/10)-cy, float64(k%10)-cx
			c := color.NRGBA{uint8(hidden.Uint32()), uint8(hidden.Uint32()), uint8(hidden.Uint32()), 0}
			if x*x+y*y < r*r {
				c = color.NRGBA{255, 255, 255, alpha}
			}
			m.SetNRGBA(k%10, k/10, c)
		}
		file, err := os.Create(filepath.Join(dir, fmt.Sprintf("%03d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(file, m); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Images from elsewhere are compared with their transparency where that is asked for. Colours that
// nobody sees do not count on either side.
func TestEvaluateImagesWithAlpha(t *testing.T) {
	hidden := rand.New(rand.NewPCG(9, 0))
	data := asPNGs(t, 240, 1, hidden, 255)
	like, again, none := asPNGs(t, 120, 2, hidden, 255), asPNGs(t, 120, 2, hidden, 255), asPNGs(t, 120, 2, hidden, 0)
	score := func(images string, channels feed.Channels) *Report {
		return mustEvaluate(t, Options{
			Images: images, Data: data, Judges: []string{judge.RandomName}, Size: pipeline.Square(10), ImageChannels: channels,
		})
	}
	a, b, c := score(like, feed.RGBA), score(again, feed.RGBA), score(none, feed.RGBA)
	if *a.FID != *b.FID || a.NearestDistance.Mean != b.NearestDistance.Mean {
		t.Errorf("FID %v and %v, distances %v and %v", *a.FID, *b.FID, a.NearestDistance.Mean, b.NearestDistance.Mean)
	}
	if *c.FID < 10**a.FID {
		t.Errorf("FID %v of discs, %v of nothing", *a.FID, *c.FID)
	}
	// Over white all of them are white.
	if white := score(none, feed.AnyChannels); *white.FID > 1e-6 {
		t.Errorf("FID %v over white", *white.FID)
	}
}
