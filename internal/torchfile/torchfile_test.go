package torchfile_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/torchfile"
)

func read(data []byte) (*torchfile.File, error) {
	return torchfile.Read(bytes.NewReader(data), int64(len(data)))
}

// load reads a file of testdata, which testdata/make.py wrote.
func load(t *testing.T, name string) (*torchfile.File, error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return read(data)
}

// shown lists the tensors of a dictionary with their numbers.
func shown(t *testing.T, f *torchfile.File, d *torchfile.Dict) string {
	t.Helper()
	values, err := f.Load(d.Tensors)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i, x := range d.Tensors {
		list = append(list, fmt.Sprintf("%s%v%v", x.Name, x.Shape, values[i]))
	}
	return strings.Join(list, "\n")
}

// Both layouts give the numbers that PyTorch saved, of views and of each type of floats.
func TestWeights(t *testing.T) {
	const want = `plain[2 3][0 1 2 3 4 5]
turned[3 2][0 3 1 4 2 5]
part[4][3 4 5 6]
scalar[][2.5]
empty[0 3][]
half[5][1 -2 6.097555e-05 5.9604645e-08 65504]
brain[2][1 -3]
double[2][0.1 0.001]
parameter[2][1.5 2.5]
shared[2 3][0 1 2 3 4 5]`
	for _, name := range []string{"weights.pt", "weights-old.pt"} {
		f, err := load(t, name)
		if err != nil {
			t.Fatal(name, err)
		}
		if len(f.Dicts) != 1 || f.Dicts[0].Path != "" {
			t.Fatalf("%s: %v", name, f.Dicts)
		}
		if got := shown(t, f, &f.Dicts[0]); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Dictionaries below others are found by the keys that lead to them.
func TestNested(t *testing.T) {
	want := []string{"state_dict net.a[2][1 1]", "ema.shadow b[3][0 0 0]", "optimizer.state.0 exp_avg[2][4 4]"}
	for _, name := range []string{"nested.pt", "nested-old.pt"} {
		f, err := load(t, name)
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for i := range f.Dicts {
			got = append(got, f.Dicts[i].Path+" "+shown(t, f, &f.Dicts[i]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// zipped is a file as torch.save writes it, around a pickle.
func zipped(pickle string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{"a/data.pkl": pickle, "a/data/0": "\x00\x00\x80\x3f"} {
		e, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = e.Write([]byte(text))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// described is a pickle of a dictionary with the tensor "w", whose storage, offset, shape and
// strides are pickled too.
func described(storage, offset, shape, strides string) string {
	return "\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storage" + storage + "tQ" + offset + shape + strides +
		"\x89}tRs."
}

const (
	floats = "ctorch\nFloatStorage\nU\x010U\x03cpuK\x01"
	one    = "K\x01\x85"
)

func TestDescribed(t *testing.T) {
	f, err := read(zipped(described(floats, "K\x00", one, one)))
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(t, f, &f.Dicts[0]); got != "w[1][1]" {
		t.Error(got)
	}
}

// What is not a state dict, is broken, or would run something is refused.
func TestRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"own.pt": `"__main__.Own", which is not a tensor`, "none.pt": "no dictionary of tensors",
		"tensor.pt": "no dictionary of tensors", "program.pt": "TorchScript",
	} {
		if _, err := load(t, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	weights, err := os.ReadFile("testdata/weights-old.pt")
	if err != nil {
		t.Fatal(err)
	}
	const old = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
	var twice strings.Builder // each tuple holds the last one two times
	twice.WriteString("\x80\x02)")
	for i := range 28 {
		fmt.Fprintf(&twice, "q%ch%c\x86", i, i)
	}
	for in, want := range map[string]string{
		string(zipped(twice.String() + ".")): "too many values",
		// in an argument of a tensor, which only the sizes of storages are looked up in
		old + "\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storage" + floats + "tQK\x00" + one + one +
			strings.TrimPrefix(twice.String(), "\x80\x02") + "tRs.\x80\x02].": "too many values",
		old + twice.String() + ".\x80\x02].":                                                                   "too many values",
		string(zipped("\x80\x02cposix\nsystem\nU\x02ls\x85R.")):                                                `"posix.system"`,
		string(zipped("\x80\x02}U\x01acbuiltins\neval\nU\x011\x85Rs.")):                                        `"builtins.eval"`,
		string(zipped("\x80\x02}U\x01actorch._utils\n_rebuild_tensor_v2\n)Rs.")):                               "not described as PyTorch does",
		string(zipped(described(floats, "K\x00", "J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "K\x01K\x01\x86"))): "larger than",
		string(zipped(described(floats, "K\x00", "J\xff\xff\xff\xff\x85", one))):                               "not described",
		string(zipped(described(floats, "K\x00", one, ")"))):                                                   "do not fit",
		string(zipped(strings.Repeat("(", 300) + ".")):                                                         "a value is missing",
		"PK\x03\x04 not a zip":           "not a whole file",
		string(weights[:400]):            "copy",
		string(weights[:len(weights)-9]): "copy the file again",
		"":                               "not a whole file",
	} {
		if _, err := read([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", in, err, want)
		}
	}
}

// Numbers that are not there, or are not weights, are found when they are loaded.
func TestLoadRefuses(t *testing.T) {
	for want, in := range map[string][]byte{
		"outside of its storage": zipped(described(floats, "K\x01", one, one)),
		"lie outside":            zipped(described(floats, "K\x00", "K\x02\x85", one)),
		"larger than the file":   zipped(described(floats, "K\x00", "J\xff\xff\xff\x00\x85", "K\x00\x85")),
		"is missing":             zipped(described(strings.Replace(floats, "U\x010", "U\x011", 1), "K\x00", one, one)),
	} {
		f, err := read(in)
		if err == nil {
			_, err = f.Load(f.Dicts[0].Tensors)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f, err := load(t, "nan.pt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(f.Dicts[0].Tensors); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Error(err)
	}
}

// FuzzTorch reads anything. Nothing may panic or take much memory.
func FuzzTorch(f *testing.F) {
	files, err := filepath.Glob("testdata/*.pt")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(zipped(described(floats, "K\x00", one, one)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if file, err := read(data); err == nil {
			for _, d := range file.Dicts {
				_, _ = file.Load(d.Tensors) // errors are as good as numbers here
			}
		}
		runtime.ReadMemStats(&after)
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(64*len(data)+32<<20); got > limit {
			t.Errorf("%d bytes were allocated for an input of %d, more than %d", got, len(data), limit)
		}
	})
}
