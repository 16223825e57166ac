package main

import (
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// sample is a release of nothing.
func sample(version string) (*release, binary) {
	info := func(deps ...*debug.Module) *buildinfo.BuildInfo {
		return &buildinfo.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "github.com/fmimg/fmimg", Version: version}, Deps: deps}
	}
	linux := binary{platform{"linux", "arm64"}, []byte("program"), info(
		&debug.Module{Path: "example.org/B", Version: "v1.0.0+incompatible", Sum: "h1:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
		&debug.Module{Path: "example.org/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/new", Version: "v2.0.0"}})}
	windows := binary{platform{"windows", "amd64"}, []byte("program"), info(&debug.Module{Path: "example.org/a", Version: "v0.1.0"})}
	return &release{
		Version: version, Commit: "ce3d42a0123456789abcdef0123456789abcdef0", Time: time.Unix(1.8e9, 0).UTC(),
		Binaries: []binary{linux, windows},
		Texts: texts{license: []byte("terms"), completions: []entry{{name: "_fmimg"}, {name: "fmimg.ps1"}},
			man: []entry{{name: "fmimg.1", data: []byte("page")}}},
	}, linux
}

// Windows gets what it can open without more programs.
func TestZip(t *testing.T) {
	r, _ := sample("v0.1.0")
	name, data, err := r.archive(r.Binaries[1])
	if err != nil || name != "fmimg_0.1.0_windows_amd64.zip" {
		t.Fatal(name, err)
	}
	packed, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := packed.Open("fmimg_0.1.0_windows_amd64/fmimg.exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Mode() != 0o755 || info.Size() != int64(len("program")) || !info.ModTime().Equal(r.Time) {
		t.Errorf("%+v, %v", info, err)
	}
}

// Debian's own programs read the package, and order the versions.
func TestDebian(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("SKIPPED: there is no dpkg-deb to read the package")
	}
	r, b := sample("v0.1.0")
	name, data, err := r.debian(b)
	if err != nil || name != "fmimg_0.1.0_arm64.deb" {
		t.Fatal(name, err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, field := range [][2]string{{"Package", "fmimg"}, {"Version", "0.1.0"}, {"Architecture", "arm64"}} {
		out, err := output(exec.CommandContext(t.Context(), "dpkg-deb", "-f", path, field[0]))
		if err != nil || strings.TrimSpace(string(out)) != field[1] {
			t.Errorf("%s: %q, %v", field[0], out, err)
		}
	}
	folder := t.TempDir()
	if _, err := output(exec.CommandContext(t.Context(), "dpkg-deb", "-R", path, folder)); err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "md5sum", "--check", "--quiet", "DEBIAN/md5sums")
	check.Dir = folder
	if _, err := output(check); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(folder, "usr/bin/fmimg"))
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	for _, pair := range [][2]string{{"v0.1.0-rc.1", "v0.1.0"}, {"v0.0.0-20261129112413-ce3d42a01234", "v0.1.0"}, {"v0.1.0", "v0.1.1-0.20261129112413-ce3d42a01234"}} {
		first, _ := sample(pair[0])
		then, _ := sample(pair[1])
		if err := exec.CommandContext(t.Context(), "dpkg", "--compare-versions", first.debianVersion(), "lt", then.debianVersion()).Run(); err != nil {
			t.Errorf("%s is not before %s", first.debianVersion(), then.debianVersion())
		}
	}
}

// The image is whole, and says how it is run.
func TestImage(t *testing.T) {
	r, b := sample("v0.1.0+dirty")
	name, data, err := r.image(b)
	if err != nil || name != "fmimg_0.1.0+dirty_linux_arm64_image.tar" {
		t.Fatal(name, err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "arm64" || config.Created != (v1.Time{Time: r.Time}) ||
		!slices.Equal(config.Config.Entrypoint, []string{"/fmimg"}) || config.Config.User != "65534:65534" {
		t.Errorf("%+v", config)
	}
}

// The inventory has the modules of all platforms once, in order, with what go.sum says of them.
func TestInventory(t *testing.T) {
	r, _ := sample("v0.1.0")
	name, data, err := r.inventory()
	if err != nil || name != "fmimg_0.1.0.cdx.json" {
		t.Fatal(name, err)
	}
	var bom struct {
		SerialNumber string
		Metadata     struct{ Timestamp string }
		Components   []struct {
			PURL   string
			Hashes []struct{ Content string }
		}
	}
	if err := json.Unmarshal(data, &bom); err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, c := range bom.Components {
		urls = append(urls, c.PURL)
	}
	if want := []string{"pkg:golang/std@1.26.8", "pkg:golang/example.org/b@v1.0.0%2Bincompatible", "pkg:golang/example.org/a@v0.1.0",
		"pkg:golang/example.org/new@v2.0.0"}; !slices.Equal(urls, want) {
		t.Errorf("%q", urls)
	}
	// Of the text "abc" (FIPS 180-2, B.1), as is the sum above.
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := bom.Components[1].Hashes; len(got) != 1 || got[0].Content != abc {
		t.Errorf("hashes %v", got)
	}
	if bom.Metadata.Timestamp != "2027-01-15T08:00:00Z" || !strings.HasPrefix(bom.SerialNumber, "urn:uuid:") || len(bom.SerialNumber) != 45 {
		t.Errorf("%+v", bom)
	}
	other, _ := sample("v0.1.1")
	if _, again, _ := other.inventory(); strings.Contains(string(again), bom.SerialNumber) {
		t.Error("two releases have one serial number")
	}
}
