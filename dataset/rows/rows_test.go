package rows

import (
	"bytes"
	"errors"
	"image/png"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// golden returns a file of testdata.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".parquet")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// all reads a file to its end.
func all(data []byte, l limits) (*File, []Row, error) {
	f, err := open(bytes.NewReader(data), int64(len(data)), l)
	if err != nil {
		return nil, nil, err
	}
	var list []Row
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			return f, list, nil
		}
		if err != nil {
			return f, list, err
		}
		list = append(list, row)
	}
}

// gray returns the value of the only pixel of a picture.
func gray(t *testing.T, row Row) int {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(row.Image))
	if err != nil {
		t.Fatal(err)
	}
	v, _, _, _ := m.At(0, 0).RGBA()
	return int(v >> 8)
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name    string
		classes string
		labels  []int32
		note    string
	}{
		{"none", "0 1 2", []int32{0, 1, 2, 0, 1, 2, 0}, ""},
		{"snappy", "0 1 2", []int32{0, 1, 2, 0, 1, 2, 0}, ""},
		{"gzip", "0 1 2", []int32{0, 1, 2, 0, 1, 2, 0}, ""},
		{"zstd", "0 1 2", []int32{0, 1, 2, 0, 1, 2, 0}, ""},
		{"pages2", "0 1 2", []int32{0, 1, 2, 0, 1, 2, 0}, ""},
		{"datasets", "ant bee cow", []int32{0, 1, 2, 0, 1, 2, 0}, ""},
		{"bool", "0 1", []int32{1, 0, 1, 0, 1, 0, 1}, ""},
		{"floats", "0 1 2", []int32{0, -1, 2, 0, 1, 2, 0}, ""},
		{"fractions", "", []int32{-1, -1, -1, -1, -1, -1, -1}, "the numbers of column label are not labels"},
		{"texts", "cat dog x2 x10", []int32{1, 0, -1, 3, 2, 1, 0}, ""},
		{"unlabelled", "", []int32{-1, -1, -1, -1, -1, -1, -1}, "no row has a label in column label"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, list, err := all(golden(t, c.name), usualLimits)
			if err != nil {
				t.Fatal(err)
			}
			var labels []int32
			for i, row := range list {
				labels = append(labels, row.Label)
				if gray(t, row) != i || c.name != "datasets" && row.Name != string(rune('0'+i))+".png" {
					t.Errorf("picture %d is %d, called %q", i, gray(t, row), row.Name)
				}
			}
			if f.Rows != 7 || !slices.Equal(labels, c.labels) || strings.Join(f.Classes, " ") != c.classes {
				t.Errorf("%d rows, labels %v, classes %q", f.Rows, labels, f.Classes)
			}
			if c.note == "" != (len(f.Notes) == 0) || !strings.Contains(strings.Join(f.Notes, "\n"), c.note) {
				t.Errorf("notes %q, want %q", f.Notes, c.note)
			}
		})
	}
}

// Columns of splits say which part a row is of, and labels that are missing in words are none.
func TestParts(t *testing.T) {
	for _, c := range []struct{ name, parts, columns, note string }{
		{"split", "train,train,val,train,test,train,train", "split", "column split: what has another value is trained on: extra (1)"},
		{"is_test", "train,train,test,train,test,train,train", "is_val, is_test", ""},
		{"partition", "train,train,val,train,test,train,train", "partition", "column partition: 0 was taken for training"},
		{"delta-split", ",,,,,,", "", "the parts of the set are not read: column split: the encoding DELTA_BINARY_PACKED"},
		{"unknown-split", ",,,,,,", "", "column split: whether 0 or 1 is to train on is not known"},
	} {
		f, list, err := all(golden(t, c.name), usualLimits)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, row := range list {
			parts = append(parts, row.Part)
		}
		if got := strings.Join(parts, ","); got != c.parts || f.SplitColumns() != c.columns || !strings.Contains(strings.Join(f.Notes, "\n"), c.note) {
			t.Errorf("%s: parts %q by %q, notes %q", c.name, got, f.SplitColumns(), f.Notes)
		}
	}
	f, list, err := all(golden(t, "split"), usualLimits)
	if err != nil {
		t.Fatal(err)
	}
	var labels []int32
	for _, row := range list {
		labels = append(labels, row.Label)
	}
	if !slices.Equal(labels, []int32{0, -1, 1, -1, 0, 2, 1}) || strings.Join(f.Classes, " ") != "cat dog none" ||
		!strings.Contains(strings.Join(f.Notes, "\n"), "column label: counted as without a label: None (1), nan (1)") {
		t.Errorf("labels %v, classes %q, notes %q", labels, f.Classes, f.Notes)
	}
}

// The pictures are found among other columns, and rows without one are left out.
func TestColumns(t *testing.T) {
	f, list, err := all(golden(t, "columns"), usualLimits)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, row := range list {
		got = append(got, gray(t, row), int(row.Label))
	}
	if !slices.Equal(got, []int{0, 0, 2, 2, 3, 0, 5, 2, 6, 0}) || f.Rows != 7 {
		t.Errorf("pictures and labels %v of %d rows", got, f.Rows)
	}
	notes := strings.Join(f.Notes, "\n")
	for _, want := range []string{"the pictures of column jpg were read, and those of mask left out",
		"the labels are those of column label, and those of coarse_label were left out",
		"2 rows have no picture in column jpg: left out"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q, want %q", notes, want)
		}
	}
}

func TestRefused(t *testing.T) {
	good := golden(t, "snappy")
	footer := slices.Clone(good)
	copy(footer[len(footer)-8:], "\xff\xff\xff\x7f")
	for want, data := range map[string][]byte{
		"it is packed by BROTLI":                                golden(t, "brotli"),
		"column label: the encoding DELTA_BINARY_PACKED is not": golden(t, "delta"),
		"column image has no pictures but their paths":          golden(t, "paths"),
		"it has x (double), text (text)":                        golden(t, "other"),
		"it is too short":                                       []byte("PAR1PAR1"),
		"the end of the parquet file is missing":                good[:len(good)-100],
		"does not begin as a parquet file does":                 append([]byte("XX"), good[2:]...),
		"claims metadata of 2147483647 bytes":                   footer,
		"is encrypted":                                          append(slices.Clone(good[:len(good)-4]), "PARE"...),
		"metadata are cut off or damaged":                       []byte("PAR1" + strings.Repeat("a", 40) + "\x28\x00\x00\x00PAR1"),
	} {
		_, _, err := all(data, usualLimits)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	small := usualLimits
	small.image = 60
	if _, _, err := all(good, small); err == nil || !strings.Contains(err.Error(), "row 1 has a picture of 67 bytes") {
		t.Errorf("error %v", err)
	}
	small = usualLimits
	small.page = 100
	if _, _, err := all(good, small); err == nil || !strings.Contains(err.Error(), "smaller pages") {
		t.Errorf("error %v", err)
	}
}

// A byte of a file that is changed may not lead to a panic, nor take much memory. Every seventh is.
func TestDamaged(t *testing.T) {
	for _, name := range []string{"snappy", "zstd", "gzip", "pages2", "texts", "columns", "split"} {
		good := golden(t, name)
		for i := 0; i < len(good); i += 7 {
			data := slices.Clone(good)
			data[i] ^= 0x80
			bounded(t, data)
		}
	}
}

// fuzzLimits are small, as the inputs of a fuzzer are smaller than real files.
var fuzzLimits = limits{footer: 1 << 16, page: 1 << 16, image: 1 << 16}

// bounded reads data. It fails when that takes more memory in all than 4 times the data and 16 MiB.
func bounded(t *testing.T, data []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, list, err := all(data, fuzzLimits)
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*len(data)+16<<20); got > limit {
		t.Errorf("%d bytes were allocated for an input of %d, more than %d", got, len(data), limit)
	}
	if err != nil {
		return
	}
	for _, row := range list {
		if len(row.Image) == 0 || row.Label < -1 || row.Label >= 0 && int(row.Label) >= len(f.Classes) {
			t.Fatalf("a picture of %d bytes, label %d of %d", len(row.Image), row.Label, len(f.Classes))
		}
	}
	if len(list) > f.Rows {
		t.Fatalf("%d pictures of %d rows", len(list), f.Rows)
	}
}

// FuzzParquet reads anything.
func FuzzParquet(f *testing.F) {
	for _, name := range []string{"none", "snappy", "gzip", "zstd", "pages2", "texts", "columns", "datasets", "bool", "split", "is_test"} {
		f.Add(golden(f, name))
	}
	f.Add([]byte("PAR1\x15\x00\x00\x00\x00\x00PAR1"))
	f.Fuzz(bounded)
}

// Tables with a column for each pixel have long metadata, most of which are lists of numbers.
func TestGuardOfNumbers(t *testing.T) {
	list := []byte{0x19, 0xf5, 0xa0, 0x9c, 0x01} // field 1: a list of 20,000 numbers
	list = append(list, make([]byte, 20000)...)
	data := slices.Concat(list, []byte{0})
	g := &guard{in: data, items: freeItems + len(data)/bytesPerItem}
	if err := g.structure(0); err != nil {
		t.Errorf("20,000 numbers: %v", err)
	}
}
