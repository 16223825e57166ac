package classify

import (
	"fmt"

	"github.com/fmimg/fmimg/kernels"
)

// A Kind names a shape of classifier. Judges of one panel differ in it.
type Kind string

// The kinds of classifiers.
const (
	// Residual has blocks x + conv(SiLU(norm(x))), and takes the mean over the pixels: features do
	// not know where something is.
	Residual Kind = "residual"
	// Pooled has ReLU, max-pooling and a fully connected layer, and no norm: features know where
	// something is, and how bright.
	Pooled Kind = "pooled"
	// Deep is like Residual with four levels, whose maps end at an eighth of the image's sides.
	Deep Kind = "deep"
)

// Kinds returns the names of all kinds, the default first.
func Kinds() []Kind { return []Kind{Residual, Pooled, Deep} }

// Config returns the configuration of a small classifier of the kind, for images of the given
// shape. It panics for a name that is none of [Kinds].
func (k Kind) Config(h, w, c int, classes []string) Config {
	cfg := Config{ImageSize: [2]int{h, w}, InChannels: c, Classes: classes}
	switch k {
	case Residual:
		return DefaultConfig(h, w, c, classes)
	case Pooled:
		cfg.Kind, cfg.Widths, cfg.Features = Pooled, []int{16, 32, 64}, 64
	case Deep:
		cfg.Widths, cfg.Blocks, cfg.NormGroups = []int{16, 24, 40, 64}, []int{0, 1, 1, 2}, 8
	default:
		panic(fmt.Sprintf("classify: a network of kind %q", string(k)))
	}
	return cfg
}

// halved returns the length of a side after max-pooling over pairs, of which the last may be half.
func halved(side int) int { return kernels.Down3.OutSize(side) }
