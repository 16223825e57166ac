package main

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/fmimg/fmimg/pipeline/train"
	"github.com/fmimg/fmimg/unet"
)

// torch_train.py is worth comparing with as long as it trains with fmimg's own settings.
func TestTorchTrainsWithTheDefaults(t *testing.T) {
	text, err := os.ReadFile("torch_train.py")
	if err != nil {
		t.Fatal(err)
	}
	network, err := unet.Preset("base")
	if err != nil {
		t.Fatal(err)
	}
	o := train.Options{}.WithDefaults()
	o.Seed = 1 // as the command
	for _, c := range []struct {
		pattern string // with the number as its group
		want    float64
	}{
		{`"--batch", .*default=([^,)]+)`, float64(o.Batch)},
		{`"muon": ([^,}]+)`, o.Optimizer.Rate()},
		{`"--time-scale", .*default=([^,)]+)`, network.TimeScale},
		{`"--ema", .*default=([^,)]+)`, o.EMA},
		{`"--label-drop", .*default=([^,)]+)`, o.LabelDrop},
		{`"--weight-decay", .*default=([^,)]+)`, o.WeightDecay},
		{`"--clip", .*default=([^,)]+)`, o.Clip},
		{`"--seed", .*default=([^,)]+)`, float64(o.Seed)},
		{`WARMUP = (\d+)`, float64(o.Warmup)},
		{`betas=\(([^,]+),`, o.Beta1},
		{`betas=\([^,]+, ([^)]+)\)`, o.Beta2},
		{` eps=([^,]+),`, o.Eps},
	} {
		m := regexp.MustCompile(c.pattern).FindSubmatch(text)
		if m == nil {
			t.Errorf("nothing matches %s", c.pattern)
			continue
		}
		if got, err := strconv.ParseFloat(string(m[1]), 64); err != nil || got != c.want {
			t.Errorf("%s: %s in place of %g", c.pattern, m[1], c.want)
		}
	}
}
