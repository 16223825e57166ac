package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// program is a small program with the commands that a release runs.
const program = `package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	switch os.Args[1] {
	case "man":
		os.Mkdir(os.Args[2], 0o755)
		os.WriteFile(filepath.Join(os.Args[2], "fmimg.1"), []byte("page of "+os.Getenv("SOURCE_DATE_EPOCH")), 0o644)
	case "completion":
		fmt.Println("words for", os.Args[2])
	}
}
`

// clone makes a repository with the program, at a commit with the tag v0.1.0, in a new folder.
func clone(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module github.com/fmimg/fmimg\n\ngo 1.26.0\n", "cmd/fmimg/main.go": program,
		"LICENSE": "terms", "README.md": "# fmimg", "CHANGELOG.md": "# Changes",
	} {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "First"}, {"tag", "v0.1.0"}} {
		git := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder}, args...)...)
		git.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
			"GIT_AUTHOR_DATE=2026-11-29T12:00:00Z", "GIT_COMMITTER_DATE=2026-11-29T12:00:00Z", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return folder
}

// released builds a release of a repository for some platforms and returns its files.
func released(t *testing.T, repository, platforms string) (files map[string][]byte, stderr string) {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "")
	out := filepath.Join(t.TempDir(), "release")
	var said bytes.Buffer
	if err := run(t.Context(), []string{"-repo", repository, "-out", out, "-platforms", platforms}, &said); err != nil {
		t.Fatal(err)
	}
	entries, err := folderEntries(out)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, e := range entries {
		files[e.name] = e.data
	}
	return files, said.String()
}

// Two clones give the same bytes, and the names say the version and the platform.
func TestReproducible(t *testing.T) {
	here := "linux_" + linuxHere()
	one, _ := released(t, clone(t), "linux/"+linuxHere())
	other, _ := released(t, clone(t), "linux/"+linuxHere())
	for _, name := range []string{"SHA256SUMS", "fmimg_0.1.0.cdx.json", "fmimg_0.1.0_" + linuxHere() + ".deb",
		"fmimg_0.1.0_" + here + ".tar.gz", "fmimg_0.1.0_" + here + "_image.tar"} {
		if len(one[name]) == 0 || !bytes.Equal(one[name], other[name]) {
			t.Errorf("%s: %d bytes, and others in another clone", name, len(one[name]))
		}
	}
	if len(one) != 5 || len(other) != 5 {
		t.Errorf("%d and %d files", len(one), len(other))
	}
	names := tarNames(t, one["fmimg_0.1.0_"+here+".tar.gz"])
	folder := "fmimg_0.1.0_" + here + "/"
	if want := []string{folder, folder + "CHANGELOG.md", folder + "LICENSE", folder + "LICENSES-OF-OTHERS.txt", folder + "README.md",
		folder + "completions/", folder + "completions/_fmimg", folder + "completions/fmimg.bash", folder + "completions/fmimg.fish",
		folder + "completions/fmimg.ps1", folder + "fmimg", folder + "man/", folder + "man/fmimg.1"}; !slices.Equal(names, want) {
		t.Errorf("the archive holds %q", names)
	}
}

// tarNames returns the names in a compressed archive, and checks owners and times.
func tarNames(t *testing.T, data []byte) (names []string) {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unpacked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "root" || h.ModTime.UTC().Format("2006-01-02 15:04:05") != "2026-11-29 12:00:00" {
			t.Errorf("%s is of %d %s at %v", h.Name, h.Uid, h.Uname, h.ModTime.UTC())
		}
		names = append(names, h.Name)
	}
}

// A clone with changes says so, in the name of its files too.
func TestChangedClone(t *testing.T) {
	folder := clone(t)
	if err := os.WriteFile(filepath.Join(folder, "README.md"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	files, stderr := released(t, folder, "linux/"+linuxHere())
	if name := "fmimg_0.1.0+dirty_linux_" + linuxHere() + ".tar.gz"; len(files[name]) == 0 {
		t.Errorf("there is no %s", name)
	}
	if !strings.Contains(stderr, "is not what is committed: it names itself v0.1.0+dirty") {
		t.Errorf("it says %q", stderr)
	}
}

// linuxHere is this machine's architecture, or that of most machines.
func linuxHere() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "amd64"
}

// What cannot be built is refused before anything is written.
func TestRefused(t *testing.T) {
	out := filepath.Join(t.TempDir(), "release")
	for want, args := range map[string][]string{
		`"linux/mips" is none of`: {"-platforms", "linux/amd64,linux/mips"},
		`"amd64" is none of`:      {"-platforms", "amd64"},
		`"x" is no flag`:          {"x"},
		"git -C":                  {"-repo", t.TempDir(), "-platforms", "linux/amd64"},
	} {
		err := run(t.Context(), append([]string{"-out", out}, args...), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
}

// A module says its terms in files of many names, and one that says nothing is refused.
func TestLicenseFiles(t *testing.T) {
	folder := t.TempDir()
	if _, err := licenseFiles(folder); err == nil {
		t.Error("a module without terms may be passed on")
	}
	for _, name := range []string{"LICENSE", "license.go", "a/UNLICENSE", "a/LICENCE.md", "b/COPYING", "b/NOTICE.txt", "lib/LICENSE.libheif", "licensed.txt", "testdata/LICENSE"} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := licenseFiles(folder)
	var names []string
	for _, f := range files {
		names = append(names, f.name)
	}
	if want := []string{"LICENSE", "a/LICENCE.md", "a/UNLICENSE", "b/COPYING", "b/NOTICE.txt", "lib/LICENSE.libheif"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v", names, err)
	}
}

// A release that is written twice holds the files of the second one alone.
func TestWrite(t *testing.T) {
	out := filepath.Join(t.TempDir(), "release")
	for _, name := range []string{"b", "a"} {
		if err := write(out, []file{{name, []byte("abc")}}, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := folderEntries(out)
	// FIPS 180-2, B.1
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"
	if err != nil || len(entries) != 2 || entries[0].name != "SHA256SUMS" || string(entries[0].data) != abc {
		t.Errorf("%v, %v", entries, err)
	}
}
