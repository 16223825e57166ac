package array

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/npy"
)

// bounded runs f. It fails when f takes more memory in all than 4 times the input, the images that
// the limits allow, and 16 MiB.
func bounded(t *testing.T, input int, l Limits, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*input+16<<20)+uint64(l.MaxBytes); got > limit {
		t.Errorf("%d bytes were allocated for an input of %d, more than %d", got, input, limit)
	}
}

// memory is a file in memory that can be read in any order.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// fileOf makes a file. Files of even length can be read in any order, others, as in an archive,
// from the start alone.
func fileOf(name string, data []byte) *tree.File {
	return tree.New(name, int64(len(data)), func() (io.ReadCloser, error) {
		if len(data)%2 == 0 {
			return memory{bytes.NewReader(data)}, nil
		}
		return io.NopCloser(bytes.NewBuffer(data)), nil
	})
}

// files makes files by name.
func files(content map[string][]byte) []*tree.File {
	var list []*tree.File
	for name, data := range content {
		list = append(list, fileOf(name, data))
	}
	slices.SortFunc(list, func(a, b *tree.File) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// readOne reads the one set among files.
func readOne(t *testing.T, content map[string][]byte) (*Set, error) {
	t.Helper()
	found := Find(files(content))
	if len(found) != 1 {
		t.Fatalf("%d sets, want 1", len(found))
	}
	return found[0].Read(t.Context(), Limits{MaxBytes: 1 << 20})
}

// mustRead is readOne for what is right.
func mustRead(t *testing.T, content map[string][]byte) *Set {
	t.Helper()
	set, err := readOne(t, content)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// noted reports whether a note has some words.
func noted(s *Set, words string) bool {
	return slices.ContainsFunc(s.Notes, func(note string) bool { return strings.Contains(note, words) })
}

// checkNotes checks that one note has the words, or that there is none where they are empty.
func checkNotes(t *testing.T, s *Set, words string) {
	t.Helper()
	if words == "" && len(s.Notes) > 0 || !noted(s, words) && words != "" {
		t.Errorf("notes %q, want one with %q", s.Notes, words)
	}
}

// refused checks that an error has some words.
func refused(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want one with %q", err, words)
	}
}

// count returns the bytes 0, 1, 2, … n-1.
func count(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	return data
}

// idx builds an IDX file.
func idx(kind byte, data []byte, dims ...uint32) []byte {
	file := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		file = binary.BigEndian.AppendUint32(file, d)
	}
	return append(file, data...)
}

func gz(t testing.TB, data []byte) []byte {
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

// npyOf builds an array; numbers of more than a byte are given as any slice that package binary
// writes.
func npyOf(kind, shape string, data any) []byte {
	return npyFile(kind, "False", shape, data)
}

func npyFile(kind, fortran, shape string, data any) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", kind, fortran, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	var b bytes.Buffer
	b.WriteString(npy.Magic + "\x01\x00")
	b.Write([]byte{byte(len(header)), byte(len(header) >> 8)})
	b.WriteString(header)
	order := binary.ByteOrder(binary.LittleEndian)
	if kind[0] == '>' {
		order = binary.BigEndian
	}
	if err := binary.Write(&b, order, data); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// npzOf builds an archive of arrays.
func npzOf(t testing.TB, method uint16, arrays map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range arrays {
			if !yield(name) {
				return
			}
		}
	}) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: method})
		if err == nil {
			_, err = f.Write(arrays[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// testdata returns a golden file.
func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// opened returns a function that opens data.
func opened(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}
