package roomtest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/safetensors"
)

// FieldFile makes the input of the command field for n images of [SmallNetwork]: x, t, y and
// target.
func FieldFile(n, classes int) *safetensors.File {
	x := RandomPixels(n * 8 * 8 * 1)
	times, y := make([]float32, n), make([]int64, n)
	for i := range n {
		times[i], y[i] = float32(i)/float32(n), int64(i%classes)
	}
	target := slices.Clone(x)
	slices.Reverse(target)
	return &safetensors.File{Tensors: []safetensors.Tensor{
		{Name: "x", DType: safetensors.F32, Shape: []int{n, 1, 8, 8}, F32: x},
		{Name: "t", DType: safetensors.F32, Shape: []int{n}, F32: times},
		{Name: "y", DType: safetensors.I64, Shape: []int{n}, I64: y},
		{Name: "target", DType: safetensors.F32, Shape: []int{n, 1, 8, 8}, F32: target},
	}}
}

// WriteTensors writes a safetensors file into a folder and returns its path.
func WriteTensors(t *testing.T, dir, name string, f *safetensors.File) string {
	t.Helper()
	path := filepath.Join(dir, name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := safetensors.Write(file, f); err != nil {
		t.Fatal(err)
	}
	return path
}

// Tensors reads all tensors of a file. The elements of its path are joined.
func Tensors(t testing.TB, elem ...string) []safetensors.Tensor {
	t.Helper()
	file, err := os.Open(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// DataHash returns the SHA-256 of the bytes of a safetensors file after its header.
func DataHash(t *testing.T, path string) string {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file[8+binary.LittleEndian.Uint64(file):])
	return hex.EncodeToString(sum[:])
}

// Norm returns the Euclidean norm of a − b; b may be nil.
func Norm(a, b []float32) float64 {
	total := 0.0
	for i := range a {
		d := float64(a[i])
		if b != nil {
			d -= float64(b[i])
		}
		total += d * d
	}
	return math.Sqrt(total)
}

// SameRun fails the test unless the tensors of two run folders are equal in every number.
func SameRun(t *testing.T, a, b string) {
	t.Helper()
	for _, name := range []string{"state.safetensors", "model.safetensors"} {
		x, y := Tensors(t, a, name), Tensors(t, b, name)
		if len(x) != len(y) {
			t.Fatalf("%s: %d and %d tensors", name, len(x), len(y))
		}
		for i := range x {
			if x[i].Name != y[i].Name || !slices.Equal(x[i].F32, y[i].F32) {
				t.Fatalf("%s: tensor %s differs", name, x[i].Name)
			}
		}
	}
}

// DifferentRun fails the test if two run folders have the same weights. A test that compares runs
// would pass without it for a trainer that does nothing.
func DifferentRun(t *testing.T, a, b string) {
	t.Helper()
	x, y := Tensors(t, a, "model.safetensors"), Tensors(t, b, "model.safetensors")
	for i := range x {
		if !slices.Equal(x[i].F32, y[i].F32) {
			return
		}
	}
	t.Fatal("the two runs have the same weights")
}
