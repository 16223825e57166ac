package unet

import (
	"math"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/nn"
)

// Speed is compared on the base preset. Reports quote its 378 million operations an evaluation.
func TestBaseFLOPs(t *testing.T) {
	cfg := preset(t, "base", nil)
	if got := math.Round(cfg.FLOPs() / 1e6); got != 378 {
		t.Errorf("base costs %v million operations, want 378", got)
	}
}

// The smallest network that is allowed, by hand: side 2, one level of 2 channels, one block, no
// classes.
func TestFLOPsByHand(t *testing.T) {
	cfg := Config{
		ImageSize: [2]int{2, 2}, InChannels: 1, ModelChannels: 2, NumResBlocks: 1, ChannelMult: []int{1}, NormGroups: 1,
	}
	const pixels = 4
	products := func(side, ic, oc int) float64 { return 2 * pixels * float64(side*side*ic*oc) }
	residual := func(in float64) float64 {
		// conv1, the linear layer from 8 numbers to 2, conv2; a 1x1 convolution if channels differ
		sum := products(3, int(in), 2) + 2*8*2 + products(3, 2, 2)
		if in != 2 {
			sum += products(1, int(in), 2)
		}
		return sum
	}
	attention := products(1, 2, 6) + products(1, 2, 2)
	timeEmbed, stem, head := 2.0*2*8+2*8*8, products(3, 1, 2), products(3, 2, 1)
	down, middle := residual(2), residual(2)+attention+residual(2)
	up := 2 * residual(4) // they read [h, skip]
	want := timeEmbed + stem + down + middle + up + head
	if got := cfg.FLOPs(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Convs lists as many layers with as many weights as the network has convolutions and linear
// layers.
func TestConvsHaveTheNetworksWeights(t *testing.T) {
	for _, name := range []string{"tiny", "base", "large", "patch"} {
		cfg := preset(t, name, nil)
		cfg.NumClasses = 3
		m, err := New(cfg, kernels.Generic, nil)
		if err != nil {
			t.Fatal(err)
		}
		layers, weights := 0, 0
		for _, p := range m.Params().List {
			if p.Layout == nn.HWIO {
				layers++
				weights += p.Len()
			}
		}
		listed := 0
		for _, s := range cfg.Convs() {
			listed += s.Kind.Side() * s.Kind.Side() * s.IC * s.OC
		}
		if len(cfg.Convs()) != layers || listed != weights {
			t.Errorf("%s: %d layers with %d weights are listed, the network has %d with %d",
				name, len(cfg.Convs()), listed, layers, weights)
		}
	}
}

// Base attends over 49 pixels and 64 channels, at factor 4: once on the way down, once in the
// middle, and twice on the way up. Each time it computes Q·Kᵀ and P·V.
func TestBaseAttention(t *testing.T) {
	all := preset(t, "base", nil).Attentions()
	if len(all) != 4 {
		t.Fatalf("%d attention blocks, want 4", len(all))
	}
	for _, s := range all {
		if want := 2 * 2.0 * 49 * 49 * 64; s.FLOPs() != want {
			t.Errorf("%+v: %v operations, want %v", s, s.FLOPs(), want)
		}
	}
}
