package tree

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// made writes files below a new folder.
func made(t testing.TB, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Skip(err) // a system whose names are text
		}
	}
	return root
}

// list returns the names of files that can be used. It checks that each opens with its own name
// inside, where want is true.
func list(t testing.TB, tr *Tree, content bool) []string {
	t.Helper()
	var names []string
	for _, f := range tr.Files {
		if f.Err != nil {
			continue
		}
		names = append(names, f.Name)
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil || content && string(data) != held(f.Name) || int64(len(data)) != f.Size {
			t.Errorf("%s holds %q of %d bytes, %v", f.Name, data, f.Size, err)
		}
	}
	return names
}

// held returns what a file of a name holds: its name, or that of the file which a link leads to.
func held(name string) string {
	if name == "link.png" {
		return "b/10.png"
	}
	return name
}

func TestFolder(t *testing.T) {
	root := made(t, "10.png", "9.png", "b/1.png", "a/2.png", ".DS_Store", ".git/x", "@eaDir/9.png", "$RECYCLE.BIN/a",
		"lost+found/b", "~snapshot/c", "FOUND.000/d", "x.lrdata/e", "a/._2.png", "Thumbs.db", "#recycle/z.png")
	tr, err := Folder(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if got := list(t, tr, true); !slices.Equal(got, []string{"9.png", "10.png", "a/2.png", "b/1.png"}) {
		t.Errorf("files %q", got)
	}
	if notes := fmt.Sprint(tr.Notes); !strings.Contains(notes, "left out, as systems make them: #recycle, $RECYCLE.BIN, @eaDir, …") {
		t.Errorf("notes %s", notes)
	}
}

// Links are followed once, so that circles end.
func TestFolderLinks(t *testing.T) {
	root, other := made(t, "a/1.png", "z/2.png"), made(t, "3.png", "deep/4.png")
	for name, to := range map[string]string{
		"a/up": "..", "a/self": "self", "outside": other, "again": other, "z/link.png": "2.png", "dead": "nowhere",
		"sibling": "a", "outside2": filepath.Join(other, "deep"),
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Skip(err) // Windows asks for a privilege
		}
	}
	if err := os.Symlink(root, filepath.Join(other, "back")); err != nil {
		t.Fatal(err)
	}
	tr, err := Folder(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a/1.png", "again/3.png", "again/deep/4.png", "z/2.png", "z/link.png"}
	if got := list(t, tr, false); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	bad := 0
	for _, f := range tr.Files {
		if f.Err != nil {
			bad++
		}
	}
	if notes := fmt.Sprint(tr.Notes); bad != 2 || !strings.Contains(notes, "links to folders that are in the set already") {
		t.Errorf("%d files that cannot be used, notes %s", bad, notes)
	}
}

func TestNamesInOtherEncodings(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("names are text on " + runtime.GOOS)
	}
	tr, err := Folder(t.Context(), made(t, "H\xe4user/M\xfcller.png", "Häuser/1.png"))
	if err != nil {
		t.Fatal(err)
	}
	if got := list(t, tr, false); !slices.Equal(got, []string{"Häuser/1.png", "Häuser/Müller.png"}) {
		t.Errorf("files %q", got)
	}
	if notes := fmt.Sprint(tr.Notes); !strings.Contains(notes, "2 names are not in UTF-8, and read as Windows 1252") {
		t.Errorf("notes %s", notes)
	}
}

// zipOf makes a zip with files that hold their names.
func zipOf(t testing.TB, headers ...*zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, h := range headers {
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, h.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func header(name string) *zip.FileHeader { return &zip.FileHeader{Name: name, Method: zip.Deflate} }

func TestZipNames(t *testing.T) {
	// "猫" in Shift JIS.
	sjis := &zip.FileHeader{Name: "\x94L/1.png", Method: zip.Deflate, NonUTF8: true}
	field := append([]byte{1}, binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte("\x94L/2.png")))...)
	field = append(field, "猫/2.png"...)
	extra := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, 0x7075), uint16(len(field)))
	told := &zip.FileHeader{Name: "\x94L/2.png", Method: zip.Deflate, NonUTF8: true, Extra: append(extra, field...)}
	data := zipOf(t, header("./cat/1.png"), header("dog/./2.png"), header(`bird\3.png`), header("cat//4.png"),
		header("__MACOSX/cat/._1.png"), header("cat/.DS_Store"), sjis, told, header("../up.png"), header("/root.png"),
		header("a/../../b.png"), header(`C:\x.png`))
	tr, err := Zip(bytes.NewReader(data), int64(len(data)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"bird/3.png", "cat/1.png", "cat/4.png", "dog/2.png", "root.png", "x.png", "öL/1.png", "猫/2.png"}
	if got := list(t, tr, false); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	tricks := 0
	for _, f := range tr.Files {
		if errors.Is(f.Err, ErrTrick) {
			tricks++
		}
	}
	if notes := fmt.Sprint(tr.Notes); tricks != 2 || !strings.Contains(notes, "a name is not in UTF-8") {
		t.Errorf("%d tricks, notes %s", tricks, notes)
	}
}

// Each way of packing is read, or named with what to do.
func TestZipMethods(t *testing.T) {
	for method, want := range map[uint16]string{
		9: "Deflate64", 14: "LZMA", 95: "xz", 98: "PPMd", 77: "method 77", 99: "with its password",
	} {
		data := zipOf(t, &zip.FileHeader{Name: "a.png", Method: zip.Store})
		for _, mark := range []struct {
			magic string
			at    int
		}{{"PK\x03\x04", 8}, {"PK\x01\x02", 10}} {
			binary.LittleEndian.PutUint16(data[bytes.Index(data, []byte(mark.magic))+mark.at:], method)
		}
		tr, err := Zip(bytes.NewReader(data), int64(len(data)), Limits{})
		if err != nil || len(tr.Files) != 1 || tr.Files[0].Err == nil || !strings.Contains(tr.Files[0].Err.Error(), want) {
			t.Errorf("method %d: %v, want %q", method, tr.Files[0].Err, want)
		}
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(methodZstd, zstd.ZipCompressor())
	w, err := z.CreateHeader(&zip.FileHeader{Name: "a.png", Method: methodZstd})
	if err == nil {
		_, err = io.WriteString(w, "a.png")
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	tr, err := Zip(bytes.NewReader(b.Bytes()), int64(b.Len()), Limits{})
	if err != nil || !slices.Equal(list(t, tr, true), []string{"a.png"}) {
		t.Errorf("Zstandard: %v", err)
	}
}

// tarOf makes a tar with files that hold their names, and a link.
func tarOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(name)), Format: tar.FormatPAX})
		if err == nil {
			_, err = io.WriteString(w, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "link.png", Typeflag: tar.TypeSymlink, Linkname: "b/10.png"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packed(t testing.TB, data []byte, pack func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pack(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func inGzip(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func inZstd(w io.Writer) io.WriteCloser {
	z, err := zstd.NewWriter(w)
	if err != nil {
		panic(err)
	}
	return z
}

// A tar has the same files however it is compressed, one by one and in a row.
func TestTar(t *testing.T) {
	names := []string{"b/10.png", "b/9.png", "a/1.png", strings.Repeat("long", 60) + ".png", ".hidden/x", "../up"}
	plain := tarOf(t, names...)
	want := []string{"a/1.png", "b/9.png", "b/10.png", "link.png", strings.Repeat("long", 60) + ".png"}
	for name, data := range map[string][]byte{
		"a.tar": plain, "a.tar.gz": packed(t, plain, inGzip), "a.tgz": packed(t, plain, inGzip),
		"a.tar.zst": packed(t, plain, inZstd), "no ending": packed(t, plain, inZstd), "a": plain,
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		tr, err := Archive(path, Limits{})
		if err != nil || tr == nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := list(t, tr, true); !slices.Equal(got, want) {
			t.Errorf("%s: files %q, want %q", name, got, want)
		}
		if tr.Sequential() {
			var walked []string
			err := tr.Walk(func(i int, content io.Reader) error {
				data, err := io.ReadAll(content)
				if tr.Files[i].Err == nil && string(data) != held(tr.Files[i].Name) {
					t.Errorf("%s holds %q", tr.Files[i].Name, data)
				}
				if tr.Files[i].Err == nil {
					walked = append(walked, tr.Files[i].Name)
				}
				return err
			})
			slices.Sort(walked)
			sorted := slices.Clone(want)
			slices.Sort(sorted)
			if err != nil || !slices.Equal(walked, sorted) {
				t.Errorf("%s: walked %q, %v", name, walked, err)
			}
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A tarEntry is an entry of a test's tar. Files hold their names.
type tarEntry struct {
	name, to string // to: of a link
	kind     byte
}

// Links open the files that they lead to, whatever the archive.
func TestTarLinks(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range []tarEntry{
		{"./a/1.png", "", tar.TypeReg}, {"a/hard.png", "./a/1.png", tar.TypeLink}, {"b/soft.png", "../a/1.png", tar.TypeSymlink},
		{"b/again.png", "soft.png", tar.TypeSymlink}, {"b/rooted.png", "/a/hard.png", tar.TypeSymlink}, {"b/early.png", "../z.png", tar.TypeSymlink},
		{"z.png", "", tar.TypeReg}, {"circle", "circle2", tar.TypeSymlink}, {"circle2", "circle", tar.TypeSymlink},
		{"folder", "a", tar.TypeSymlink}, {"dead.png", "../../x.png", tar.TypeSymlink}, {"pipe", "", tar.TypeFifo},
	} {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.to, Mode: 0o644}
		if e.kind == tar.TypeReg {
			h.Size = int64(len(e.name))
		}
		err := w.WriteHeader(h)
		if err == nil && e.kind == tar.TypeReg {
			_, err = io.WriteString(w, e.name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a/1.png": "./a/1.png", "a/hard.png": "./a/1.png", "b/soft.png": "./a/1.png", "b/again.png": "./a/1.png",
		"b/rooted.png": "./a/1.png", "b/early.png": "z.png", "z.png": "z.png"}
	for name, data := range map[string][]byte{"a.tar": b.Bytes(), "a.tgz": packed(t, b.Bytes(), inGzip)} {
		tr := archived(t, name, data)
		got := map[string]string{}
		take := func(i int, r io.Reader) error {
			data, err := io.ReadAll(r)
			got[tr.Files[i].Name] = string(data)
			return err
		}
		bad := 0
		for i, f := range tr.Files {
			switch r, err := f.Open(); {
			case err != nil:
				bad++
			case !tr.Sequential():
				if err := errors.Join(take(i, r), r.Close()); err != nil {
					t.Error(err)
				}
			default:
				_ = r.Close()
			}
		}
		if tr.Sequential() {
			if err := tr.Walk(take); err != nil {
				t.Error(err)
			}
		}
		if notes := fmt.Sprint(tr.Notes); !maps.Equal(got, want) || bad != 4 || !strings.Contains(notes, "not followed: folder") {
			t.Errorf("%s: %q, %d cannot be used, notes %s", name, got, bad, notes)
		}
	}
}

// archived writes an archive and lists its files.
func archived(t *testing.T, name string, data []byte) *Tree {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	tr, err := Archive(path, Limits{})
	if err != nil || tr == nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	return tr
}

// Of files of one name the last counts, and a zip may have links and a program before it.
func TestZipEntries(t *testing.T) {
	link := header("b/soft.png")
	link.SetMode(0o777 | fs.ModeSymlink)
	data := zipOf(t, header("a/1.png"), header("a/2.png"), header("./a/1.png"), link)
	tr := archived(t, "a.exe", append([]byte("#!/bin/sh\n"), data...))
	if got := list(t, tr, false); !slices.Equal(got, []string{"a/1.png", "a/2.png"}) {
		t.Errorf("files %q", got)
	}
	if notes := fmt.Sprint(tr.Notes); !strings.Contains(notes, "a name is twice in the archive, and the last of both counts: a/1.png") {
		t.Errorf("notes %s", notes)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range []struct{ name, text string }{{"a/1.png", "one"}, {"b/soft.png", "../a/1.png"}, {"b/dead.png", "x.png"}} {
		h := header(e.name)
		if e.text != "one" {
			h.SetMode(0o777 | fs.ModeSymlink)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, e.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	tr = archived(t, "a.zip", b.Bytes())
	if got := list(t, tr, false); !slices.Equal(got, []string{"a/1.png", "b/soft.png"}) {
		t.Errorf("files %q", got)
	}
	for _, f := range tr.Files {
		if f.Name == "b/dead.png" && (f.Err == nil || !strings.Contains(f.Err.Error(), "it leads to b/x.png")) {
			t.Error(f.Err)
		}
	}
}

func TestArchiveRefuses(t *testing.T) {
	plain := tarOf(t, "a.png", "b.png")
	for _, c := range []struct {
		name, file string
		data       []byte
		want       string // of the error, or of a note
	}{
		{"half a zip", "a.zip", zipOf(t, header("a.png"))[:60], "the zip is cut off or damaged (not a valid zip file): copy"},
		{"a tar without an end", "a.tar", plain[:1100], "cut off or damaged after a.png"},
		{"a tar cut off in its first header", "a.tar.gz", packed(t, plain[:300], inGzip), "the archive is cut off: copy it again"},
		{"text called a tar", "a.tar.gz", packed(t, []byte(strings.Repeat("text", 300)), inGzip), "not a tar archive that can be read"},
		{"a tar cut off between files", "a.tar", plain[:1024], "cut off or damaged after a.png"},
		{"a compressed tar cut off between files", "a.tgz", packed(t, plain[:1024], inGzip), "cut off or damaged after a.png"},
		{"a part of several", "a.zip.002", []byte("any"), "it is a part of an archive that was split"},
		{"the first part of several", "a.z01", []byte("PK\x07\x08PK\x03\x04"), "it is a part of an archive that was split"},
		{"the last part of several", "a.zip", []byte("anyPK\x05\x06\x01\x00" + strings.Repeat("\x00", 16)), "it is a part of an archive that was split"},
		{"gzip cut off", "a.tar.gz", packed(t, plain, inGzip)[:20], "copy"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		tr, err := Archive(path, Limits{})
		text := fmt.Sprint(err)
		if err == nil {
			text = fmt.Sprint(tr.Notes)
		}
		if !strings.Contains(text, c.want) || strings.Contains(text, "zip: "+"zip:") {
			t.Errorf("%s: %s, want %q", c.name, text, c.want)
		}
	}
	for _, data := range [][]byte{nil, []byte("text"), packed(t, []byte("text"), inGzip)} {
		path := filepath.Join(t.TempDir(), "a.bin")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if tr, err := Archive(path, Limits{}); tr != nil || err != nil {
			t.Errorf("%q: %v, %v", data, tr, err)
		}
	}
}

// A small archive may unpack to much. A large claim must fit the size of the archive.
func TestLimits(t *testing.T) {
	lim := Limits{Unpacked: 1000}
	for _, c := range []struct {
		unpacked, size uint64
		want           bool
	}{{1000, 1, false}, {1001, 1, true}, {64_000, 1001, false}, {64_064, 1001, true}, {1 << 40, 0, true}} {
		if got := lim.tooLarge(c.unpacked, c.size); got != c.want {
			t.Errorf("%d bytes in %d: %v", c.unpacked, c.size, got)
		}
	}
}

// fuzzArchive lists anything as an archive, and reads it. Memory is bounded by the input.
func fuzzArchive(t *testing.T, data []byte, open func() (*Tree, error)) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tr, err := open()
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*len(data)+16<<20); got > limit {
		t.Errorf("%d bytes were allocated for an input of %d, more than %d", got, len(data), limit)
	}
	if err != nil || tr == nil {
		return
	}
	for _, f := range tr.Files[:min(len(tr.Files), 20)] {
		if strings.HasPrefix(f.Name, "../") && f.Err == nil {
			t.Errorf("%q leaves the archive", f.Name)
		}
		if r, err := f.Open(); err == nil {
			_, _ = io.CopyN(io.Discard, r, 1<<16)
			_ = r.Close()
		}
	}
}

func FuzzZip(f *testing.F) {
	f.Add(zipOf(f, header("cat/1.png"), header("../x"), header(`a\b`)))
	f.Add(zipOf(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzArchive(t, data, func() (*Tree, error) { return Zip(bytes.NewReader(data), int64(len(data)), Limits{Unpacked: 1 << 20}) })
	})
}

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, "a/1.png", "../x", ".hidden"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzArchive(t, data, func() (*Tree, error) { return Tar(bytes.NewReader(data), int64(len(data))) })
	})
}

func FuzzCompressedTar(f *testing.F) {
	plain := tarOf(f, "a/1.png", "b/2.png")
	f.Add(packed(f, plain, inGzip))
	f.Add(packed(f, plain, inZstd))
	f.Fuzz(func(t *testing.T, data []byte) {
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		fuzzArchive(t, data, func() (*Tree, error) { return CompressedTar(open, int64(len(data)), Limits{Unpacked: 1 << 20}) })
	})
}
