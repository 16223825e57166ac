package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// idxFile builds a file of unsigned bytes: a header with these dimensions, then the data.
func idxFile(data []byte, dims ...uint32) []byte {
	file := []byte{0, 0, idxUnsignedByte, byte(len(dims))}
	for _, d := range dims {
		file = binary.BigEndian.AppendUint32(file, d)
	}
	return append(file, data...)
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// malformedIDX lists files that must be refused, each with a part of the error.
var malformedIDX = []struct {
	name string
	file []byte
	err  string
}{
	{"empty", nil, "header: unexpected EOF"},
	{"cut in the magic number", []byte{0, 0, 8}, "header: unexpected EOF"},
	{"cut in the dimensions", idxFile(nil, 1, 1)[:11], "header: unexpected EOF"},
	{"another format", []byte("\x89PNG\r\n\x1a\n"), "begins with 0x89504e47"},
	{"second byte", []byte{0, 1, 8, 1, 0, 0, 0, 0}, "not with two zero bytes"},
	{"signed bytes", []byte{0, 0, 9, 1, 0, 0, 0, 0}, "elements of type 0x09"},
	{"floats", []byte{0, 0, 0xd, 1, 0, 0, 0, 0}, "elements of type 0x0d"},
	{"no dimensions", idxFile(nil), "0 dimensions, want 1 to 4"},
	{"5 dimensions", idxFile([]byte{1}, 1, 1, 1, 1, 1), "5 dimensions, want 1 to 4"},
	{"over the limit", idxFile(nil, 1<<30+1),
		"dimensions [1073741825] claim more than 1073741824 bytes: is it an IDX file?"},
	{"product over the limit", idxFile(nil, 1<<20, 1<<20), "dimensions [1048576 1048576] claim more than"},
	{"product wraps to 0", idxFile(nil, 1<<31, 1<<31, 4), "claim more than"},
	{"all the largest", idxFile(nil, 1<<32-1, 1<<32-1, 1<<32-1, 1<<32-1), "claim more than"},
	{"no data", idxFile(nil, 2, 3), "after 0 of 6 bytes"},
	{"data cut off", idxFile([]byte{1, 2, 3, 4, 5}, 2, 3), "after 5 of 6 bytes of dimensions [2 3]: unexpected EOF"},
	{"a claim of 1 GB", idxFile([]byte{1}, 1<<10, 1<<10, 1<<10), "after 1 of 1073741824 bytes"},
	{"a byte too many", idxFile([]byte{1, 2, 3, 4, 5, 6, 7}, 2, 3), "bytes follow the 6 that dimensions [2 3] need"},
	{"a byte where none belongs", idxFile([]byte{1}, 0), "bytes follow the 0"},
}

func TestReadIDXRefuses(t *testing.T) {
	for _, c := range malformedIDX {
		t.Run(c.name, func(t *testing.T) {
			if _, err := readIDX(bytes.NewReader(c.file), 0); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
			_, err := readGzipIDX(bytes.NewReader(zipped(t, c.file)), 0)
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("compressed: error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestReadIDXAccepts(t *testing.T) {
	long := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, 30_000) // doubles twice from 64 KiB
	for _, c := range []struct {
		data []byte
		dims []uint32
	}{
		{[]byte{1, 2, 3, 4, 5, 6}, []uint32{1, 2, 3}},
		{[]byte{}, []uint32{0, 1 << 31}},
		{long, []uint32{30_000, 7}},
	} {
		for _, reserve := range []int{0, 1 << 20} {
			got, err := readIDX(iotest.HalfReader(bytes.NewReader(idxFile(c.data, c.dims...))), reserve)
			if err != nil {
				t.Fatal(err)
			}
			same := slices.EqualFunc(got.dims, c.dims, func(a int, b uint32) bool { return a == int(b) })
			if !same || !bytes.Equal(got.data, c.data) {
				t.Errorf("dimensions %v and %d bytes, want %v and %d", got.dims, len(got.data), c.dims, len(c.data))
			}
		}
	}
}

// TestReadGzipIDXAnyCut cuts a good file at every byte: the last 8 are the checksum and the length.
func TestReadGzipIDXAnyCut(t *testing.T) {
	whole := zipped(t, idxFile([]byte("some pixels"), 11))
	if _, err := readGzipIDX(bytes.NewReader(whole), 0); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := readGzipIDX(bytes.NewReader(whole[:n]), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d of %d bytes: error %v", n, len(whole), err)
		}
	}
}

func TestReadGzipIDXRefusesDamage(t *testing.T) {
	whole := zipped(t, idxFile([]byte("some pixels"), 11))
	checksum := slices.Clone(whole)
	checksum[len(checksum)-8] ^= 1
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"checksum", checksum, gzip.ErrChecksum},
		{"trailing data", append(slices.Clone(whole), "trailing data"...), gzip.ErrHeader},
		{"not compressed", idxFile([]byte("some pixels"), 11), gzip.ErrHeader},
	} {
		if _, err := readGzipIDX(bytes.NewReader(c.file), 0); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	// A second member of the gzip file unpacks to more data.
	twice := append(slices.Clone(whole), zipped(t, []byte{0})...)
	if _, err := readGzipIDX(bytes.NewReader(twice), 0); err == nil || !strings.Contains(err.Error(), "bytes follow") {
		t.Errorf("second member: error %v", err)
	}
}

// TestReadIDXMemory reads 100 kB under a header that claims 1 GiB. Doubling from 64 KiB takes less
// than 4 times the data in all.
func TestReadIDXMemory(t *testing.T) {
	const data = 100_000
	file := idxFile(make([]byte, data), 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readIDX(bytes.NewReader(file), 0)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Fatal("a file that is cut off was accepted")
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 5*data {
		t.Errorf("%d bytes allocated for a file of %d", got, len(file))
	}
}

// FuzzIDX reads anything as it is, and compressed. Nothing may panic. An accepted array has exactly
// the bytes of the file, or the bytes that the compressed file unpacks to.
func FuzzIDX(f *testing.F) {
	for _, c := range malformedIDX {
		f.Add(c.file)
	}
	f.Add(idxFile([]byte{1, 2, 3, 4, 5, 6}, 1, 2, 3))
	f.Add(zipped(f, idxFile([]byte{1, 2}, 2)))
	f.Fuzz(func(t *testing.T, file []byte) {
		bounded(t, len(file), func() {
			images, err := readIDX(bytes.NewReader(file), 0)
			if err != nil {
				return
			}
			header := len(file) - len(images.data)
			if header != 4+4*len(images.dims) || !bytes.Equal(images.data, file[header:]) {
				t.Errorf("accepted as dimensions %v with %d bytes", images.dims, len(images.data))
			}
			_, _ = newLabelled("fuzz", images, idxArray{}, nil)
			_, _ = newLabelled("fuzz", images, images, mnistClasses)
		})
		unpacked := unzippedLen(file)
		bounded(t, max(len(file), unpacked), func() {
			got, err := readGzipIDX(bytes.NewReader(file), 0)
			if err == nil && len(got.data) >= unpacked {
				t.Errorf("%d bytes of data out of %d", len(got.data), unpacked)
			}
		})
	})
}

// unzippedLen returns the number of bytes that a file unpacks to, up to the first error.
func unzippedLen(file []byte) int {
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return 0
	}
	n, _ := io.Copy(io.Discard, r)
	return int(n)
}

func TestNewLabelledRefuses(t *testing.T) {
	classes := []string{"cat", "dog"}
	images := idxArray{[]int{2, 1, 3}, make([]byte, 6)}
	labels := idxArray{[]int{2}, []byte{0, 1}}
	for _, c := range []struct {
		name           string
		images, labels idxArray
		err            string
	}{
		{"labels as images", labels, labels, "images have dimensions [2], want count, height and width"},
		{"two channels", idxArray{[]int{2, 1, 3, 2}, make([]byte, 12)}, labels, "images have 2 channels"},
		{"no labels", images, idxArray{}, "labels have dimensions []"},
		{"images as labels", images, images, "labels have dimensions [2 1 3], want a count alone"},
		{"fewer labels", images, idxArray{[]int{1}, []byte{0}}, "2 images, but 1 labels"},
		{"label out of range", images, idxArray{[]int{2}, []byte{0, 2}}, "label 2 of image 1 is not below 2"},
		{"no images", idxArray{[]int{0, 1, 3}, nil}, idxArray{[]int{0}, nil}, "nothing to learn from"},
		{"no pixels", idxArray{[]int{2, 0, 3}, nil}, labels, "nothing to learn from"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := newLabelled("test", c.images, c.labels, classes); err == nil ||
				!strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
	if _, err := newLabelled("test", images, labels, classes); err != nil {
		t.Errorf("a good pair is refused: %v", err)
	}
}
