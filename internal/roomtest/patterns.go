package roomtest

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// RandomPixels returns n numbers in [-1.3, 1.3), always the same ones.
func RandomPixels(n int) []float32 {
	rng := rand.New(rand.NewPCG(4, 4))
	x := make([]float32, n)
	for i := range x {
		x[i] = 2.6*rng.Float32() - 1.3
	}
	return x
}

// Patterns is a [dataset.Source] of N images: noise around a brightness that depends on the class.
type Patterns struct {
	N, H, W, C int
	Names      []string                   // of the classes; nil: images have no class
	Change     func(i int, dst []float32) // may change an image or panic; nil: nothing
}

// Name implements [dataset.Source].
func (p *Patterns) Name() string { return "patterns" }

// Len implements [dataset.Source].
func (p *Patterns) Len() int { return p.N }

// Shape implements [dataset.Source].
func (p *Patterns) Shape() (h, w, c int) { return p.H, p.W, p.C }

// Classes implements [dataset.Source].
func (p *Patterns) Classes() []string { return p.Names }

// Image implements [dataset.Source]. It allocates nothing, as a training step must not.
func (p *Patterns) Image(i int, dst []float32) int {
	var rng rand.PCG
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

// Digits returns 50 patterns of 8x8 pixels in three classes.
func Digits() *Patterns {
	return &Patterns{N: 50, H: 8, W: 8, C: 1, Names: []string{"zero", "one", "two"}}
}

// SmallDigits writes a data set of IDX files into a folder of the test, and returns the folder. It
// has n images to train on and n test images: random bytes, 8x8, of three classes.
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

// WriteIDX writes an IDX file of bytes, the format of MNIST, with the given sizes of its
// dimensions.
func WriteIDX(t *testing.T, path string, data []byte, dims ...int) {
	t.Helper()
	file := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		file = binary.BigEndian.AppendUint32(file, uint32(d))
	}
	if err := os.WriteFile(path, append(file, data...), 0o600); err != nil {
		t.Fatal(err)
	}
}
