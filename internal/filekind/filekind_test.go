package filekind_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/filekind"
)

// zipped returns a zip with files of some names.
func zipped(t *testing.T, names ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// tarred returns a tar archive in a format.
func tarred(t *testing.T, format tar.Format) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "a/b.png", Format: format, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// oldTar returns the header of an archive without a magic number, whose checksum was added up by
// hand: the name "a", and 8 spaces for the checksum itself.
func oldTar() string {
	head := make([]byte, 512)
	head[0] = 'a'
	copy(head[148:], "000541\x00 ") // 97 + 8·32 = 353, octal 541
	return string(head)
}

func gzipped(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestOf(t *testing.T) {
	long := strings.Repeat("words of a page, ", 200)
	for _, c := range []struct{ name, head, what, cure string }{
		{"nothing", "", "an empty file", "again"},
		{"zeros", strings.Repeat("\x00", 4096), "all zeros", "again"},
		{"header of HTTP", "HTTP/1.1 404 Not Found\r\nServer: x\r\n", "web server", "again"},

		{"Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "Git LFS", "git lfs pull"},
		{"Git LFS of old", "version https://hawser.github.com/spec/v1\n", "Git LFS", "git lfs pull"},
		{"Xet", "# xet version 0\nfilesize = 12\n", "Xet", "download"},
		{"git-annex", "/annex/objects/SHA256E-s12--00.pt\n", "git-annex", "git annex get"},
		{"link of git-annex", "../.git/annex/objects/a/b/SHA256E-s12--00", "git-annex", "git annex get"},
		{"DVC", "outs:\n- md5: 00\n  size: 12\n  path: data\n", "DVC", "dvc pull"},
		{"AppleDouble", "\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "AppleDouble", "._"},
		{"shortcut", "L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0", "shortcut of Windows", "leads to"},
		{"link as text", "../../blobs/0123456789abcdef", "symbolic link", "leads to"},

		{"web page", "<!DOCTYPE html>\n<html lang=en>" + long, "web page", "again"},
		{"web page in capitals after a mark", "\xef\xbb\xbf\r\n <HTML><HEAD>", "web page", "again"},
		{"web page after a comment", "<!-- saved\nfrom --><html>", "web page", "again"},
		{"XHTML", `<?xml version="1.0"?><!DOCTYPE html PUBLIC "x">`, "web page", "again"},
		{"web page with umlauts cut within one", "<html>" + strings.Repeat("x", 1017) + "ü", "web page", "again"},
		{"error of S3", `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>AccessDenied</Code>", "error of a web server", "again"},
		{"list of a bucket", `<?xml version="1.0"?><ListBucketResult xmlns="x">`, "error of a web server", "again"},
		{"error of an API", `{"error":"Repository not found"}`, "error of a web server", "again"},
		{"message of an API", "{\n  \"message\": \"Not Found\",\n", "error of a web server", "again"},
		{"line of a hub", "Entry not found", "error of a web server", "again"},
		{"line with a number", "404: Not Found", "error of a web server", "again"},
		{"denied", "Access to model a/b is restricted.", "error of a web server", "again"},

		{"PyTorch", zipped(t, "model/data.pkl", "model/data/0"), "torch.save", "save_file"},
		{"PyTorch of late", zipped(t, "archive/.format_version", "archive/data.pkl"), "torch.save", "save_file"},
		{"PyTorch of old", "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "torch.save", "save_file"},
		{"pickle", "\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.", "pickle", "Python"},
		{"pickle of protocol 2", "\x80\x02}q\x00(U\x04data", "pickle", "Python"},
		{"GGUF", "GGUF\x03\x00\x00\x00", "GGUF", "convert"},
		{"GGML", "lmgg\x01\x00", "GGML", "convert"},
		{"ONNX", "\x08\x08\x12\x07pytorch\x1a\x052.1.0", "ONNX", "convert"},
		{"TensorFlow Lite", "\x1c\x00\x00\x00TFL3", "TensorFlow Lite", "convert"},
		{"HDF5", "\x89HDF\r\n\x1a\n\x00", "HDF5", "h5py"},
		{"Keras", zipped(t, "metadata.json", "config.json"), "Keras", "convert"},
		{"safetensors", "\x02\x00\x00\x00\x00\x00\x00\x00{}", filekind.Safetensors, ""},
		{"safetensors' index", `{"metadata": {"total_size": 1}, "weight_map": {"a": "b"}}`, "several files", "one file"},

		{"npz", zipped(t, "train_images.npy"), ".npz", ".npy"},
		{"zip", zipped(t, "a/0.png"), "a zip", "unpack"},
		{"empty zip", zipped(t), "a zip", "unpack"},
		{"office", zipped(t, "[Content_Types].xml"), "office", ""},
		{"gzip", gzipped(t), "a gzip", "unpack"},
		{"zstd", "\x28\xb5\x2f\xfd\x04", "zstd", "unpack"},
		{"xz", "\xfd7zXZ\x00\x00", "xz", "unpack"},
		{"bzip2", "BZh91AY&SY\x00", "bzip2", "unpack"},
		{"7z", "7z\xbc\xaf\x27\x1c\x00\x04", "7z", "unpack"},
		{"RAR", "Rar!\x1a\x07\x01\x00", "RAR", "unpack"},
		{"tar of POSIX", tarred(t, tar.FormatPAX), "tar", "unpack"},
		{"tar of GNU", tarred(t, tar.FormatGNU), "tar", "unpack"},
		{"tar of old", oldTar(), "tar", "unpack"},

		{"PDF", "%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF", ""},
		{"Parquet", "PAR1\x15\x04", "Parquet", "datasets"},
		{"Arrow", "\xff\xff\xff\xff\x10\x00\x00\x00", "Arrow", "datasets"},
		{"MATLAB", "MATLAB 5.0 MAT-file", "MATLAB", "scipy"},
		{"SQLite", "SQLite format 3\x00", "SQLite", ""},
		{"program", "\x7fELF\x02\x01", "program of Linux", ""},

		{"PNG", "\x89PNG\r\n\x1a\n", "a PNG", ""}, {"JPEG", "\xff\xd8\xff\xe0", "a JPEG", ""},
		{"GIF", "GIF89a", "a GIF", ""}, {"WebP", "RIFF\x00\x00\x00\x00WEBP", "a WebP", ""},
		{"AVIF", "\x00\x00\x00\x1cftypavif", "an AVIF", ""}, {"HEIC", "\x00\x00\x00\x18ftypheic", "a HEIC", ""},
		{"film", "\x00\x00\x00\x18ftypisom", "a film", ""}, {"sound", "RIFF\x00\x00\x00\x00WAVE", "a sound", ""},
		{"NumPy", "\x93NUMPY\x01\x00", "NumPy", ""},
		{"SVG", `<?xml version="1.0"?><svg xmlns="x">`, "SVG", ""},
		{"XML", `<?xml version="1.0"?><annotation>`, "text in XML", ""},
		{"JSON", `{"fmimg": "1", "options": {}}`, "text in JSON", ""},
		{"text", "loss 0.5\nloss 0.4\n", "text", ""},
		{"text of Windows", "\xff\xfea\x00b\x00c\x00", "UTF-16", ""},

		{"noise", "\xb1\x02\xf7\x00\x91\x13\xe0\xff\x01", "", ""},
		{"one zero", "\x00", "", ""},
		{"control characters", "KP\x03\x04", "", ""},
	} {
		what, cure := filekind.Of([]byte(c.head))
		if !strings.Contains(what, c.what) || (c.what == "") != (what == "") {
			t.Errorf("%s: %q, want one with %q", c.name, what, c.what)
		}
		if !strings.Contains(cure, c.cure) || (c.cure == "") != (cure == "") {
			t.Errorf("%s: cure %q, want one with %q", c.name, cure, c.cure)
		}
	}
}

// What is taken for images is told by its name where its bytes say little, and its cure leads to
// images.
func TestOfData(t *testing.T) {
	records := "\x14\x00\x00\x00\x00\x00\x00\x00" + "\x5e\x3d\x29\x15\n\x12"
	for _, c := range []struct{ name, head, what, cure string }{
		{"a/b.h5", "x", "HDF5", "h5py"}, {"x.HDF5", "\x89HDF\r\n\x1a\n", "HDF5", "numpy.savez"},
		{"dataset", "\x89HDF\r\n\x1a\n", "HDF5", "numpy.savez"}, {"train_32x32.mat", "x\x00", "MATLAB", "loadmat"},
		{"a.tfrecord", "\x00", "TensorFlow", "pictures"}, {"m-train.tfrecord-00000-of-00001", "\x00", "TensorFlow", "pictures"},
		{"shard", records, "TensorFlow", "pictures"}, {"lsun/data.mdb", "\x00", "LMDB", "folder"},
		{"w.pt", "\x00", "PyTorch", "torch.load"}, {"w", zipped(t, "w/data.pkl"), "PyTorch", "numpy.savez"},
		{"data-00000-of-00001.arrow", "\xff\xff\xff\xff\x10\x00\x00\x00", "Arrow", "to_parquet"},
		{"x.pkl", "(dp0", "pickle", "numpy.savez"}, {"mnist.pkl.gz", gzipped(t), "pickle", "numpy.savez"},
		{"a.tar.zst", "\x28\xb5\x2f\xfd", "zstd", "zstd -d"}, {"a.rds", gzipped(t), "data of R", "CSV"},
		{"scan.nii.gz", gzipped(t), "NIfTI", "slices"}, {"cat.ndjson", `{"word": "cat"}`, "Quick, Draw!", ".npy"},
		{"images", "\x00\x00\x08\x03\x00\x00\x00\x01", "IDX", "idx3-ubyte"}, {"x", "PAR1\x15", "Parquet", "ending .parquet"},
		{"x.bin", "\x93NUMPY", "NumPy", "ending .npy"}, {"x", zipped(t, "arr_0.npy"), ".npz", "ending .npz"},
		{"a.gz", gzipped(t), "a gzip", "unpack"}, {"w.h5", "<html>", "web page", "again"}, {"x", "\xff\xfea\x00,\x00", "UTF-16", "UTF-8"},
		{"a.npz.txt", "words", "text", ""}, {".pt", "\x00", "", ""}, {"a.bin", "\xb1\x02", "", ""},
	} {
		what, cure := filekind.OfData(c.name, []byte(c.head))
		if !strings.Contains(what, c.what) || !strings.Contains(cure, c.cure) || (c.what == "") != (what == "") {
			t.Errorf("%s: %q, %q, want %q, %q", c.name, what, cure, c.what, c.cure)
		}
	}
}

// No cure is an ending that the name has.
func TestOfDataWithItsEnding(t *testing.T) {
	for name, head := range map[string]string{"x.npz": zipped(t, "arr_0.npy"), "a/X.NPY": "\x93NUMPY", "x.parquet": "PAR1", "x.pq": "PAR1"} {
		if what, cure := filekind.OfData(name, []byte(head)); what == "" || cure != "" {
			t.Errorf("%s: %q, %q, want no cure", name, what, cure)
		}
	}
}

func TestNotItself(t *testing.T) {
	for head, want := range map[string]string{
		"": "empty", "<!DOCTYPE html>": "web page", "Entry not found": "error", "# xet version 0\n": "Xet",
		"\x93NUMPY": "", "words": "", "\x89HDF\r\n\x1a\n": "",
	} {
		if what, cure := filekind.NotItself([]byte(head)); !strings.Contains(what, want) || (what == "") != (want == "") || (cure == "") != (what == "") {
			t.Errorf("%q: %q, %q", head, what, cure)
		}
	}
}

func TestSentence(t *testing.T) {
	for _, c := range [][3]string{
		{"", "", ""}, {"a PDF", "", "it is a PDF"}, {"a zip", "unpack it", "it is a zip: unpack it"},
	} {
		if got := filekind.Sentence(c[0], c[1]); got != c[2] {
			t.Errorf("%q, want %q", got, c[2])
		}
	}
}

func TestOfFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "model.safetensors")
	if err := os.WriteFile(path, []byte("%PDF-1.4"+strings.Repeat("\x00", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{path: "a PDF", folder: "", path + "x": ""} {
		if what, _ := filekind.OfFile(path); what != want {
			t.Errorf("%s: %q, want %q", path, what, want)
		}
	}
}

// FuzzOf checks that nothing panics, and that bytes behind the head do not count.
func FuzzOf(f *testing.F) {
	for _, seed := range []string{"", "PK\x03\x04", "\x80\x02", "\x08\x08\x12\xff", "{", "<?xml", oldTar(), "BZh9"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		what, cure := filekind.Of(head)
		if what == "" && cure != "" {
			t.Errorf("cure %q for nothing", cure)
		}
		again, _ := filekind.Of(head[:min(len(head), filekind.HeadSize)])
		if again != what {
			t.Errorf("%q, and %q by the head alone", what, again)
		}
	})
}
