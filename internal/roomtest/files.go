package roomtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fmimg/fmimg/safetensors"
)

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

// DataHash is the SHA-256 of a checkpoint's bytes behind the header.
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

// FieldFile makes tensors for n images of the small network.
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

func ReadPNG(t *testing.T, path string) image.Image {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// ReadTexts returns the keywords and values of the tEXt chunks of a PNG, after checking all chunks.
func ReadTexts(t *testing.T, file []byte) (texts [][2]string) {
	t.Helper()
	for rest := file[8:]; len(rest) > 0; {
		length := binary.BigEndian.Uint32(rest)
		body := rest[4 : 8+length]
		if sum := binary.BigEndian.Uint32(rest[8+length:]); sum != crc32.ChecksumIEEE(body) {
			t.Fatalf("chunk %s: wrong checksum", body[:4])
		}
		if string(body[:4]) == "tEXt" {
			key, value, _ := bytes.Cut(body[4:], []byte{0})
			var utf []rune
			for _, b := range value {
				utf = append(utf, rune(b))
			}
			texts = append(texts, [2]string{string(key), string(utf)})
		}
		rest = rest[12+length:]
	}
	return texts
}

// Tensors reads all tensors of a file.
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

// SameRun reports the first tensor in which two run folders differ in any bit.
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

// DifferentRun fails when two run folders have the same weights: a test that compares runs would
// otherwise pass for a trainer that does nothing.
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
