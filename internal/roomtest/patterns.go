package roomtest

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// RandomPixels returns n numbers in [-1.3, 1.3).
func RandomPixels(n int) []float32 {
	rng := rand.New(rand.NewPCG(4, 4))
	x := make([]float32, n)
	for i := range x {
		x[i] = 2.6*rng.Float32() - 1.3
	}
	return x
}

// Patterns is a set of n images of noise around a brightness that tells the class.
type Patterns struct {
	N, H, W, C int
	Names      []string
	Change     func(i int, dst []float32) // when not nil, may change or refuse an image
}

func (p *Patterns) Name() string { return "patterns" }

func (p *Patterns) Len() int { return p.N }

func (p *Patterns) Shape() (h, w, c int) { return p.H, p.W, p.C }

func (p *Patterns) Classes() []string { return p.Names }

func (p *Patterns) Image(i int, dst []float32) int {
	var rng rand.PCG // a value: a step with this data must not allocate
	rng.Seed(1, uint64(i))
	label := -1
	if len(p.Names) > 0 {
		label = i % len(p.Names)
	}
	for k := range dst {
		dst[k] = float32(label)/4 + 0.1*float32(rng.Uint64()>>40)/(1<<24)
	}
	if p.Change != nil {
		p.Change(i, dst)
	}
	return label
}

func Digits() *Patterns {
	return &Patterns{N: 50, H: 8, W: 8, C: 1, Names: []string{"zero", "one", "two"}}
}

// SmallDigits writes a set of n images of 8x8 to train on and as many others, random bytes of three classes.
func SmallDigits(t *testing.T, n int, seed uint64) string {
	t.Helper()
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(seed, 2))
	for _, part := range []string{"train", "t10k"} {
		pixels, labels := make([]byte, n*64), make([]byte, n)
		for i := range pixels {
			pixels[i] = byte(rng.Uint32())
		}
		for i := range labels {
			labels[i] = byte(i % 3)
		}
		WriteIDX(t, filepath.Join(dir, part+"-images-idx3-ubyte"), pixels, n, 8, 8)
		WriteIDX(t, filepath.Join(dir, part+"-labels-idx1-ubyte"), labels, n)
	}
	return dir
}
