package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An entry is a file of an archive, or a folder, whose name ends with a slash.
type entry struct {
	name string
	mode int64 // 0: 0644, and 0755 for a folder
	data []byte
}

func byName(a, b entry) int { return strings.Compare(a.name, b.name) }

// permissions returns the mode of an entry.
func (e entry) permissions() int64 {
	switch {
	case e.mode != 0:
		return e.mode
	case strings.HasSuffix(e.name, "/"):
		return 0o755
	}
	return 0o644
}

// folderEntries returns the files of a folder, in order.
func folderEntries(folder string) ([]entry, error) {
	names, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(folder, name.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, entry{name: name.Name(), data: data})
	}
	return all, nil
}

// below returns entries whose names begin with a folder.
func below(folder string, entries []entry) []entry {
	moved := slices.Clone(entries)
	for i := range moved {
		moved[i].name = folder + moved[i].name
	}
	return moved
}

// withFolders adds the folders that entries lie in, and sorts all.
func withFolders(entries []entry) []entry {
	all := slices.Clone(entries)
	known := map[string]bool{}
	for _, e := range all {
		known[e.name] = true
	}
	for _, e := range entries {
		for folder := path.Dir(path.Clean(e.name)); folder != "."; folder = path.Dir(folder) {
			if !known[folder+"/"] {
				known[folder+"/"] = true
				all = append(all, entry{name: folder + "/"})
			}
		}
	}
	slices.SortFunc(all, byName)
	return all
}

// tarOf returns a tar archive of entries, in their order. All belong to root and have one time.
func tarOf(entries []entry, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.permissions(), Size: int64(len(e.data)), ModTime: at, Uname: "root", Gname: "root", Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// gzipped compresses data. No name and no time is noted.
func gzipped(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// tarGz returns a compressed tar archive.
func tarGz(entries []entry, at time.Time) ([]byte, error) {
	data, err := tarOf(entries, at)
	if err != nil {
		return nil, err
	}
	return gzipped(data)
}

// zipOf returns a zip archive of entries, in their order.
func zipOf(entries []entry, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at}
		h.SetMode(os.FileMode(e.permissions()))
		if strings.HasSuffix(e.name, "/") {
			h.SetMode(os.ModeDir | os.FileMode(e.permissions()))
			h.Method = zip.Store
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// archive returns the archive of a platform: the program, its licences, man pages and completions,
// in a folder of its own.
func (r *release) archive(b binary) (name string, data []byte, err error) {
	folder := fmt.Sprintf("fmimg_%s_%s_%s", r.number(), b.system, b.architecture)
	entries := slices.Concat(
		[]entry{
			{name: b.executable(), mode: 0o755, data: b.program},
			{name: "LICENSE", data: r.Texts.license},
			{name: "LICENSES-OF-OTHERS.txt", data: r.Texts.others},
			{name: "README.md", data: r.Texts.readme},
			{name: "CHANGELOG.md", data: r.Texts.changelog},
		},
		below("completions/", r.Texts.completions), below("man/", r.Texts.man))
	entries = withFolders(below(folder+"/", entries))
	if b.system == "windows" {
		data, err = zipOf(entries, r.Time)
		return folder + ".zip", data, err
	}
	data, err = tarGz(entries, r.Time)
	return folder + ".tar.gz", data, err
}

// number returns the version as files have it: v0.1.0 is 0.1.0.
func (r *release) number() string { return strings.TrimPrefix(r.Version, "v") }

// checksums returns the SHA-256 of each file, as sha256sum writes and checks them.
func checksums(files []file) []byte {
	var lines []string
	for _, f := range files {
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(f.data), f.name))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return []byte(strings.Join(lines, ""))
}
