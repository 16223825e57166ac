package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/npy"
)

// npyFile builds an array of floats.
func npyFile(t testing.TB, value float32, shape ...int) []byte {
	t.Helper()
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = value * float32(i%2)
	}
	var b strings.Builder
	if err := npy.WriteFloat32(&b, values, shape...); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// What is not the file that it should be, or a file of another program, is named with a cure.
func TestOtherKinds(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
	idx := idxFile(make([]byte, 32), 2, 4, 4)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		named string // the file that is opened, "" for the folder
		err   string
	}{
		{"IDX", map[string][]byte{"train-images-idx3-ubyte": []byte(pointer)}, "", "idx3-ubyte: it is a pointer of Git LFS"},
		{"labels", map[string][]byte{"train-images-idx3-ubyte": idx, "train-labels-idx1-ubyte": []byte("<html>")}, "",
			"labels-idx1-ubyte: it is a web page"},
		{"npy", map[string][]byte{"x.npy": []byte(pointer)}, "x.npy", "x.npy: it is a pointer of Git LFS, not the file: run git lfs pull"},
		{"npz", map[string][]byte{"x.npz": []byte("<!DOCTYPE html>")}, "", "x.npz: it is a web page"},
		{"parquet", map[string][]byte{"x.parquet": []byte(pointer)}, "x.parquet", "x.parquet: it is a pointer of Git LFS"},
		{"CIFAR", map[string][]byte{"data_batch_1.bin": []byte("Entry not found")}, "", "batch_1.bin: it is an error of a web server"},
		{"PyTorch", map[string][]byte{"m.pt": zipOf(t, map[string][]byte{"m/data.pkl": []byte("x")})}, "m.pt", "torch.load"},
		{"office", map[string][]byte{"t.xlsx": zipOf(t, map[string][]byte{"[Content_Types].xml": []byte("<x>")})}, "t.xlsx", "as CSV"},
		{"PDF", map[string][]byte{"a.pdf": []byte("%PDF-1.7\n")}, "a.pdf", "it is PDF: save its pages as PNG"},
		{"text", map[string][]byte{"a.txt": []byte("words\n")}, "a.txt", "it is text; name a folder"},
		{"beside an array", map[string][]byte{"a.npy.xz": []byte("\xfd7zXZ\x00x"), "b.npy": npyFile(t, 1, 4, 5, 5)}, "a.npy.xz", "by xz: unpack"},
		{"HDF5", map[string][]byte{"a.h5": []byte("\x89HDF\r\n\x1a\n")}, "a.h5", "it is a file of HDF5: load it with h5py"},
		{"labels alone", map[string][]byte{"y.npy": npyFile(t, 1, 4)}, "", "y.npy has labels by its name and dimensions, and there are no images"},
		{"named labels", map[string][]byte{"y.npy": npyFile(t, 1, 4)}, "y.npy", "put them there as images.npy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), filepath.Join(write(t, c.files), c.named), Options{})
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

// The labels beside a named array belong to it.
func TestNamedArray(t *testing.T) {
	folder := write(t, map[string][]byte{"x_train.npy": npyFile(t, 1, 4, 6, 5), "y_train.npy": npyFile(t, 1, 4)})
	set := mustOpen(t, filepath.Join(folder, "x_train.npy"), Options{})
	if set.Train.Len() != 4 || len(set.Train.Classes()) != 2 {
		t.Errorf("%d images, classes %q", set.Train.Len(), set.Train.Classes())
	}
}

// A named file of parquet may have any name.
func TestNamedParquet(t *testing.T) {
	data, err := os.ReadFile("rows/testdata/none.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.pq", "0000"} {
		set := mustOpen(t, filepath.Join(write(t, map[string][]byte{name: data}), name), Options{})
		if set.Train.Len() == 0 {
			t.Errorf("%s: no picture", name)
		}
	}
}

// Columns and names of parquet files divide the pictures.
func TestPartsOfParquet(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile("rows/testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		name        string
		files       map[string]string // golden files
		train, test int
		note        string
	}{
		{"a column", map[string]string{"x.parquet": "split"}, 5, 2, "column split divides the pictures"},
		{"two columns", map[string]string{"a/x.parquet": "is_test"}, 5, 2, "column is_val, is_test divides the pictures"},
		{"a column and a name", map[string]string{"train-00000-of-00001.parquet": "partition", "test-00000-of-00001.parquet": "none"}, 5, 9,
			"column partition divides the pictures"},
		{"a column beside another file", map[string]string{"a.parquet": "split", "b.parquet": "texts"}, 12, 2, ""},
		{"names", map[string]string{"digits_train.parquet": "none", "digits_test.parquet": "none"}, 7, 7, ""},
		{"a column that says nothing", map[string]string{"x.parquet": "unknown-split"}, 7, 0, "column split: whether 0 or 1"},
	} {
		files := map[string][]byte{}
		for name, golden := range c.files {
			files[name] = file(golden)
		}
		set := mustOpen(t, write(t, files), Options{})
		if set.Train.Len() != c.train || heldLen(set) != c.test || !strings.Contains(fmt.Sprint(set.Notes), c.note) {
			t.Errorf("%s: %d + %d pictures, notes %v", c.name, set.Train.Len(), heldLen(set), set.Notes)
		}
	}
}

// What is left out beside pictures is not told to have an ending that it has.
func TestEndingOfWhatIsLeftOut(t *testing.T) {
	data, err := os.ReadFile("rows/testdata/none.parquet")
	if err != nil {
		t.Fatal(err)
	}
	p := encodedPNG(t, testPattern(4, 4))
	set := mustOpen(t, write(t, map[string][]byte{"a.png": p, "b.png": p, "c.png": p, "x.parquet": data, "y.npy": npyFile(t, 1, 1)}), Options{})
	for _, s := range set.Skipped {
		if strings.Contains(s.Detail, "ending") || s.Count != 2 {
			t.Errorf("skipped %+v", s)
		}
	}
}

// A few small pictures beside large arrays only show what these are, and that is noted.
func TestFewPictures(t *testing.T) {
	p := encodedPNG(t, testPattern(4, 4))
	for _, c := range []struct {
		images int
		format string
		note   string
	}{
		{100, "NumPy array", "the data are arrays, and 2 pictures are left out, such as a.png"},
		{1, "folder of pictures", "x.npy is not read, as there are more pictures"},
	} {
		set := mustOpen(t, write(t, map[string][]byte{"a.png": p, "b.png": p, "x.npy": npyFile(t, 1, c.images, 5, 5)}), Options{})
		var notes []string
		for _, note := range set.Notes {
			notes = append(notes, note.String())
		}
		if set.Format != c.format || !strings.Contains(strings.Join(notes, "\n"), c.note) {
			t.Errorf("%d images: %s, notes %q", c.images, set.Format, notes)
		}
	}
}
