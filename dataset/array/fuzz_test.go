package array

import (
	"archive/zip"
	"io"
	"testing"

	"github.com/fmimg/fmimg/dataset/tree"
)

// fuzzLimits are small, as the inputs of a fuzzer are smaller than real files.
var fuzzLimits = Limits{MaxBytes: 1 << 20}

// fuzz reads anything as the files of a folder. Nothing may panic or take more memory than it
// should, and what is accepted is whole: as many pixels and labels as images, and a name for each
// label.
func fuzz(t *testing.T, content map[string][]byte) {
	t.Helper()
	size := 0
	for _, data := range content {
		size += max(len(data), unpackedLen(data))
	}
	bounded(t, size, fuzzLimits, func() {
		list := Find(files(content))
		if joined, ok := Join(list); ok {
			list = append(list, joined)
		}
		for _, source := range list {
			set, err := source.Read(t.Context(), fuzzLimits)
			if err == nil {
				checkWhole(t, set)
			}
		}
	})
}

// unpackedLen returns the number of bytes that compressed data unpack to, up to the first error.
// The memory of what reads them may grow with these.
func unpackedLen(data []byte) int {
	r, _, err := unpacked(fileOf("", data))
	if err != nil {
		return 0
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(r, 1<<26))
	return int(n)
}

func checkWhole(t *testing.T, set *Set) {
	t.Helper()
	for _, m := range set.parts() {
		size := m.Height * m.Width * m.Channels
		if size < 1 || m.Channels != 1 && m.Channels != 3 || m.Len() < 1 || len(m.Pixels) != m.Len()*size {
			t.Fatalf("%d bytes for images of %dx%dx%d", len(m.Pixels), m.Height, m.Width, m.Channels)
		}
		if m.Labels != nil && len(m.Labels) != m.Len() || m.Labels == nil != (set.Classes == nil) {
			t.Fatalf("%d labels for %d images, %d classes", len(m.Labels), m.Len(), len(set.Classes))
		}
		for _, label := range m.Labels {
			if label < -1 || int(label) >= len(set.Classes) {
				t.Fatalf("label %d of %d classes", label, len(set.Classes))
			}
		}
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(images(2), marks(1, 0), images(1))
	f.Add(gz(f, images(2)), gz(f, marks(1, 0)), gz(f, images(1)))
	f.Add(idx(0x0d, count(64), 1, 4, 4), idx(0x0c, count(4), 1), idx(8, nil, 1<<31, 1<<31, 4))
	f.Add(images(2), idx(9, []byte{255, 0}, 2), []byte("text"))
	f.Fuzz(func(t *testing.T, data, labels, test []byte) {
		fuzz(t, map[string][]byte{trainImages: data, trainLabels: labels, testImages: test})
		fuzz(t, map[string][]byte{"emnist-letters-train-images-idx3-ubyte": data, "emnist-letters-train-labels-idx1-ubyte": labels,
			"emnist-letters-mapping.txt": test, "classes.txt": test})
	})
}

func FuzzNPY(f *testing.F) {
	for _, name := range []string{"half-fortran.npy", "big-endian.npy", "channels-first.npy", "bool.npy"} {
		f.Add(testdata(f, name), onto)
	}
	f.Add(npyOf("|u1", "(4294967295, 4294967295, 3)", count(3)), at)
	f.Add(npyOf("<f8", "(2, 48)", make([]float64, 96)), npyOf("<U3", "(2,)", count(24)))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f"), npyOf("|u1", "(2, 3)", []byte{0, 1, 0, 1, 0, 0}))
	f.Fuzz(func(t *testing.T, data, labels []byte) {
		fuzz(t, map[string][]byte{"x.npy": data, "y.npy": labels})
		fuzz(t, map[string][]byte{"x.npy.gz": gz(t, data)})
		fuzz(t, map[string][]byte{"cat.npy": data, "dog.npy": data, "c/ant.npy.gz": gz(t, labels)})
		fuzz(t, map[string][]byte{"cat.npy.gz": gz(t, data), "dog.npy": data})
	})
}

func FuzzNPZ(f *testing.F) {
	f.Add(testdata(f, "stored.npz"))
	f.Add(testdata(f, "packed.npz"))
	f.Add(npzOf(f, zip.Deflate, map[string][]byte{"arr_0": two, "arr_1": onto, "arr_2": one}))
	f.Add(npzOf(f, zip.Deflate, map[string][]byte{"images": npyOf("|u1", "(100, 99, 99)", make([]byte, 980_100))}))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzz(t, map[string][]byte{"p.npz": data})
		fuzz(t, map[string][]byte{"train/a.npz": data, "train/b.npz": data})
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(batch(false, 0, 9), []byte("a\nb\n"))
	f.Add(batch(true, 99), []byte(""))
	f.Add(testdata(f, "batch-python2.pickle"), testdata(f, "meta.pickle"))
	f.Add(testdata(f, "batch-4.pickle"), testdata(f, "batch-0.pickle"))
	f.Fuzz(func(t *testing.T, data, names []byte) {
		fuzz(t, map[string][]byte{"data_batch_1.bin": data, "batches.meta.txt": names})
		fuzz(t, map[string][]byte{"train.bin": data, "fine_label_names.txt": names})
		fuzz(t, map[string][]byte{"data_batch_1": data, "batches.meta": names})
		fuzz(t, map[string][]byte{"train": data, "test": names})
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("1,"+row(10)+"\n0,"+row(20)+"\n"), []byte("label,"+heads("pixel%d")+"\n1,"+row(10)+"\n"))
	f.Add([]byte("emotion,pixels,Usage\n1,0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15,Training\n"), []byte("a,b\n"))
	f.Add([]byte("cat;"+row(10)), []byte("\ufeff\"x\"\t1"))
	f.Fuzz(func(t *testing.T, train, test []byte) {
		fuzz(t, map[string][]byte{"train.csv": train, "test.csv": test})
	})
}

// A short file that claims much takes little memory, whatever its format.
func TestClaimsTakeNoMemory(t *testing.T) {
	for name, data := range map[string][]byte{
		trainImages:         idx(8, count(9), 1<<10, 1<<10, 1<<10),
		trainImages + ".gz": gz(t, idx(8, make([]byte, 1<<16), 1<<6, 1<<10, 1<<10)),
		"x.npy":             npyOf("<f8", "(1000, 1000, 1000)", count(9)),
		"x.npy.gz":          gz(t, npyOf("<f8", "(10, 1000, 1000)", make([]byte, 1<<16))),
		"p.npz":             npzOf(t, zip.Deflate, map[string][]byte{"x": npyOf("|u1", "(100, 1000, 1000)", make([]byte, 1<<20))}),
		"data_batch_1":      []byte("\x80\x02}T\xff\xff\xff\x7fa."),
	} {
		var list []*tree.File
		list = append(list, fileOf(name, data))
		bounded(t, len(data), Limits{}, func() {
			for _, source := range Find(list) {
				if _, err := source.Read(t.Context(), Limits{}); err == nil {
					t.Errorf("%s: read", name)
				}
			}
		})
	}
}
