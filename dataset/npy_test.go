package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/npy"
)

// npyFile writes version 1 of the format.
func npyFile(descr, order, shape string, data []byte) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out := append([]byte(npy.Magic+"\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(out, header...), data...)
}

func TestNPY(t *testing.T) {
	var f4, f8 []byte
	for _, v := range []float64{-1, 1, 0, 3, -4, -0.5} {
		f4 = binary.LittleEndian.AppendUint32(f4, math.Float32bits(float32(v)))
		f8 = binary.LittleEndian.AppendUint64(f8, math.Float64bits(v))
	}
	floats := []byte{0, 255, 128, 255, 0, 64} // clamped to the range; halves round up
	for _, c := range []struct {
		name       string
		file, want []byte
		dims       []int
	}{
		{"bytes", npyFile("|u1", "False", "(1, 2, 3)", []byte{1, 2, 3, 4, 5, 6}), []byte{1, 2, 3, 4, 5, 6},
			[]int{1, 2, 3}},
		{"float32", npyFile("<f4", "False", "(2, 1, 1, 3)", f4), floats, []int{2, 1, 1, 3}},
		{"float64", npyFile("<f8", "False", "(6,1,1)", f8), floats, []int{6, 1, 1}},
	} {
		got, err := readNPY(bytes.NewReader(c.file))
		if err != nil || !slices.Equal(got.dims, c.dims) || !bytes.Equal(got.data, c.want) {
			t.Errorf("%s: %v %v, %v; want %v %v", c.name, got.dims, got.data, err, c.dims, c.want)
		}
	}
}

func TestNPYMistakes(t *testing.T) {
	one := []byte{7}
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"NaN", "no numbers", npyFile("<f4", "False", "(1, 1, 1)", []byte{0, 0, 0xc0, 0x7f})},
		{"bytes as floats", "save them as uint8",
			npyFile("<f8", "False", "(1, 1, 1)", binary.LittleEndian.AppendUint64(nil, math.Float64bits(255)))},
		{"unit range", "save 2*x-1", npyFile("<f4", "False", "(1, 1, 2)", []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0})},
		{"text", "does not begin", []byte("hello, this is no array")},
		{"short", "header", npyFile("|u1", "False", "(1, 1, 1)", nil)[:20]},
		{"cut", "after 0 of 1", npyFile("|u1", "False", "(1, 1, 1)", nil)},
		{"more", "bytes follow", npyFile("|u1", "False", "(1, 1, 1)", []byte{1, 2})},
		{"Fortran", "Fortran", npyFile("|u1", "True", "(1, 1, 1)", one)},
		{"integers", "type <i8", npyFile("<i8", "False", "(1, 1, 1)", one)},
		{"objects", "type |O", npyFile("|O", "False", "(1, 1, 1)", one)},
		{"huge", "claims more", npyFile("|u1", "False", "(4294967295, 4294967295, 4294967295)", one)},
		{"empty", "header", append([]byte(npy.Magic+"\x01\x00\x02\x00"), "{}"...)},
		{"long header", "at most", append([]byte(npy.Magic+"\x02\x00\xff\xff\xff\x7f"), "{}"...)},
	} {
		if _, err := readNPY(bytes.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOpenNPY(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drawn.npy")
	if err := os.WriteFile(path, npyFile("|u1", "False", "(3, 2, 2)", []byte("abcdefghijkl")), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	image := make([]float32, 4)
	label := set.Train.Image(1, image)
	if h, w, c := set.Train.Shape(); set.Train.Name() != "drawn" || set.Train.Len() != 3 || h != 2 || w != 2 ||
		c != 1 || label != -1 || ToByte(image[0]) != 'e' {
		t.Errorf("%s: %d images of %dx%dx%d, label %d, first pixel %v", set.Train.Name(), set.Train.Len(), h, w,
			c, label, image[0])
	}
}

func FuzzNPY(f *testing.F) {
	f.Add(npyFile("|u1", "False", "(1, 2, 3)", []byte{1, 2, 3, 4, 5, 6}))
	f.Add(npyFile("<f4", "False", "(1, 1, 1, 1)", []byte{0, 0, 0x80, 0x3f}))
	f.Add(npyFile("<f8", "False", "(2,)", make([]byte, 16)))
	f.Add(npyFile("|u1", "False", "(4294967295, 4294967295, 3)", nil))
	f.Add([]byte(npy.Magic + "\x02\x00\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, file []byte) {
		bounded(t, len(file), func() {
			images, err := readNPY(bytes.NewReader(file))
			if err != nil {
				return
			}
			if len(images.data) > len(file) {
				t.Errorf("%d elements out of %d bytes", len(images.data), len(file))
			}
			_, _ = newLabelled("fuzz", images, idxArray{}, nil)
		})
	})
}
