package unet

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/safetensors"
)

// Retime changes the weights of a network, under fmimg's names, whose own time runs from one value
// at noise to another at images, so that it takes t from 0 to 1. It returns the configuration of
// that network. Where its time starts at 0 and grows, TimeScale does all of it. The rest goes into
// the first matrix: cosine and sine of from + s·φ are sums of those of φ.
func Retime(f *safetensors.File, cfg Config, from, to float64) (Config, error) {
	if bad := from != from || to != to || math.IsInf(from, 0) || math.IsInf(to, 0) || from == to; bad {
		return cfg, fmt.Errorf("times %v to %v: two numbers that differ are needed", from, to)
	}
	cfg.TimeScale = math.Abs(to - from)
	if from == 0 && to > 0 {
		return cfg, nil
	}
	rows, err := f.Floats("time_embed.0.weight", 4*cfg.ModelChannels, cfg.ModelChannels)
	if err != nil {
		return cfg, err
	}
	sign, half := math.Copysign(1, to-from), cfg.ModelChannels/2
	out := slices.Clone(rows)
	for i := range half {
		angle := from * math.Exp(-math.Log(10000)*float64(i)/(float64(half)-cfg.FreqShift))
		c, s := math.Cos(angle), math.Sin(angle)
		for row := out; len(row) > 0; row = row[cfg.ModelChannels:] {
			ofCos, ofSin := float64(row[i]), float64(row[half+i])
			row[i] = float32(ofCos*c + ofSin*s)
			row[half+i] = float32(sign * (ofSin*c - ofCos*s))
		}
	}
	f.Tensor("time_embed.0.weight").F32 = out
	return cfg, nil
}

// Negate changes the weights of a network, under fmimg's names, so that it predicts the opposite.
func Negate(f *safetensors.File) {
	for _, name := range []string{"out.2.weight", "out.2.bias"} {
		if t := f.Tensor(name); t != nil {
			t.F32 = slices.Clone(t.F32)
			for i := range t.F32 {
				t.F32[i] = -t.F32[i]
			}
		}
	}
}

// CutVariance leaves the first half of the channels of a network's last convolution, where it has
// twice as many as an image: guided diffusion's learn_sigma has the variance there. It reports
// whether it was so. Names may have a prefix.
func CutVariance(f *safetensors.File) (cut bool, err error) {
	if err := trimPrefix(f); err != nil {
		return false, err
	}
	stem, w, b := f.Tensor(StemName), f.Tensor("out.2.weight"), f.Tensor("out.2.bias")
	if stem == nil || w == nil || b == nil || len(stem.Shape) != 4 || len(w.Shape) != 4 || len(b.Shape) != 1 {
		return false, nil // the search by name then says what is missing
	}
	in := stem.Shape[1]
	if in < 1 || w.Shape[0] != 2*in || b.Shape[0] != 2*in || len(b.F32) != 2*in {
		return false, nil
	}
	w.Shape, b.Shape = append([]int{in}, w.Shape[1:]...), []int{in}
	w.F32, b.F32 = w.F32[:len(w.F32)/2], b.F32[:in]
	return true, nil
}

// OldAttentionOrder puts the rows of all qkv layers into the order of this network, that of heads:
// query, key and value of a head are together. Where use_new_attention_order of guided diffusion is
// set, the queries of all heads come first, then all keys, then all values.
func OldAttentionOrder(f *safetensors.File, cfg Config) error {
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if !strings.HasSuffix(t.Name, ".qkv.weight") && !strings.HasSuffix(t.Name, ".qkv.bias") {
			continue
		}
		if len(t.Shape) == 0 || t.Shape[0]%3 != 0 || t.Shape[0] == 0 || len(t.F32)%t.Shape[0] != 0 {
			return fmt.Errorf("%s of shape %v: its rows are not queries, keys and values", t.Name, t.Shape)
		}
		c, row := t.Shape[0]/3, len(t.F32)/t.Shape[0]
		heads := cfg.Heads(c)
		if heads < 1 || c%heads != 0 {
			return fmt.Errorf("%s of shape %v: %d heads do not divide its channels", t.Name, t.Shape, heads)
		}
		out, each := make([]float32, 0, len(t.F32)), c/heads*row
		for head := range heads {
			for part := range 3 {
				from := part*c*row + head*each
				out = append(out, t.F32[from:from+each]...)
			}
		}
		t.F32 = out
	}
	return nil
}
