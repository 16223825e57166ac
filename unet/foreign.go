package unet

import (
	"fmt"
	"math"
	"slices"

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
