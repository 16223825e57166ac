package train

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
)

// Channels are adapted where their number says what they hold, and each is an image of its own.
func TestAdaptsChannels(t *testing.T) {
	for _, test := range []struct {
		had, has, patch int
		want            bool
	}{{1, 4, 0, true}, {3, 1, 1, true}, {2, 3, 0, true}, {3, 5, 0, false}, {6, 3, 0, false}, {3, 1, 2, false}} {
		cfg := unet.Config{InChannels: test.had, PatchSize: test.patch}
		if got := adaptsChannels(cfg, test.has); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// A network goes on with images of other channels: it sees them, and predicts, as the checkpoint
// does for the same colours.
func TestInitAdaptsChannels(t *testing.T) {
	const pixels = 8 * 8
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		had, has int
		note     string
		seen     func(x []float32) []float32 // a pixel as the checkpoint sees it
		told     func(v []float32) []float32 // what it predicts, in the new channels
	}{
		{3, 1, "for gray images instead of rgb",
			func(x []float32) []float32 { return []float32{x[0], x[0], x[0]} },
			func(v []float32) []float32 { return []float32{(v[0] + v[1] + v[2]) / 3} }},
		{1, 3, "for rgb images instead of gray",
			func(x []float32) []float32 { return []float32{(x[0] + x[1] + x[2]) / 3} },
			func(v []float32) []float32 { return []float32{v[0], v[0], v[0]} }},
		{3, 4, "for rgba images instead of rgb",
			func(x []float32) []float32 { return x[:3] },
			func(v []float32) []float32 { return []float32{v[0], v[1], v[2], 0} }},
		{4, 2, "for gray-alpha images instead of rgba",
			func(x []float32) []float32 { return []float32{x[0], x[0], x[0], x[1]} },
			func(v []float32) []float32 { return []float32{(v[0] + v[1] + v[2]) / 3, v[3]} }},
	} {
		first := smallRun(t)
		first.Network.InChannels = test.had
		first.Source, first.Steps = &roomtest.Patterns{N: 12, H: 8, W: 8, C: test.had}, 3
		mustTrain(t, first)
		ck, err := model.Open(first.Out, pipeline.Arithmetic{ISA: kernels.Generic.String()})
		if err != nil {
			t.Fatal(err)
		}
		o := smallRun(t)
		o.Init, o.Network, o.Out = first.Out, nil, filepath.Join(t.TempDir(), "tuned")
		o.Source, o.Steps, o.LR, o.EMA = &roomtest.Patterns{N: 9, H: 8, W: 8, C: test.has}, 1, 1e-12, option.None
		var notes strings.Builder
		o.OnEvent = func(e pipeline.Event) { notes.WriteString(e.Text + "\n") }
		mustTrain(t, o)
		if !strings.Contains(notes.String(), test.note) {
			t.Errorf("notes %q, want %q", notes.String(), test.note)
		}
		tuned, err := model.Open(o.Out, pipeline.Arithmetic{ISA: kernels.Generic.String()})
		if err != nil {
			t.Fatal(err)
		}
		var x, seen, want []float32
		for range pixels {
			pixel := make([]float32, test.has)
			for i := range pixel {
				pixel[i] = float32(random.NormFloat64())
			}
			x, seen = append(x, pixel...), append(seen, test.seen(pixel)...)
		}
		got, then := make([]float32, len(x)), make([]float32, len(seen))
		at := []float32{0.3}
		tuned.UNet().NewReplica(1, false).Forward(got, x, at, nil)
		ck.UNet().NewReplica(1, false).Forward(then, seen, at, nil)
		if slices.Max(then) == slices.Min(then) {
			t.Fatal("the checkpoint predicts nothing")
		}
		for p := range pixels {
			want = append(want, test.told(then[p*test.had:][:test.had])...)
		}
		for i := range want {
			if d := got[i] - want[i]; math.Abs(float64(d)) > 1e-5 {
				t.Fatalf("%d to %d channels: number %d is %v, want %v", test.had, test.has, i, got[i], want[i])
			}
		}
	}
}
