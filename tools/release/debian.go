package main

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"path"
	"strings"
	"time"
)

// debian returns the Debian package of a platform: deb(5). It is written here, as the libraries
// that write such packages bring along git and OpenPGP, for what is an archive of two archives.
func (r *release) debian(b binary) (name string, data []byte, err error) {
	entries, err := r.installed(b)
	if err != nil {
		return "", nil, err
	}
	content, err := tarGz(below("./", withFolders(entries)), r.Time)
	if err != nil {
		return "", nil, err
	}
	control, err := tarGz([]entry{
		{name: "./control", data: r.control(b, entries)},
		{name: "./md5sums", data: sums(entries)},
	}, r.Time)
	if err != nil {
		return "", nil, err
	}
	data = ar([]entry{
		{name: "debian-binary", data: []byte("2.0\n")},
		{name: "control.tar.gz", data: control},
		{name: "data.tar.gz", data: content},
	}, r.Time)
	return fmt.Sprintf("fmimg_%s_%s.deb", r.number(), b.architecture), data, nil
}

// installed returns the files that the package installs.
func (r *release) installed(b binary) ([]entry, error) {
	const doc = "usr/share/doc/fmimg/"
	copyright := bytes.Join([][]byte{r.Texts.license, r.Texts.others}, []byte("\n"))
	entries := []entry{
		{name: "usr/bin/fmimg", mode: 0o755, data: b.program},
		{name: doc + "copyright", data: copyright},
		{name: doc + "README.md", data: r.Texts.readme},
	}
	changelog, err := gzipped(r.Texts.changelog)
	if err != nil {
		return nil, err
	}
	entries = append(entries, entry{name: doc + "changelog.gz", data: changelog})
	for _, e := range r.Texts.completions {
		folder, known := map[string]string{
			"fmimg.bash": "usr/share/bash-completion/completions/fmimg",
			"_fmimg":     "usr/share/zsh/vendor-completions/_fmimg",
			"fmimg.fish": "usr/share/fish/vendor_completions.d/fmimg.fish",
		}[e.name]
		if known {
			entries = append(entries, entry{name: folder, data: e.data})
		}
	}
	for _, e := range r.Texts.man {
		page, err := gzipped(e.data)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: path.Join("usr/share/man/man1", e.name+".gz"), data: page})
	}
	return entries, nil
}

// debianVersion returns the version as Debian orders them: 0.1.0~rc1 comes before 0.1.0.
func (r *release) debianVersion() string { return strings.ReplaceAll(r.number(), "-", "~") }

// control returns the description of the package: deb-control(5).
func (r *release) control(b binary, entries []entry) []byte {
	kib := 0
	for _, e := range entries {
		kib += (len(e.data) + 1023) / 1024
	}
	return fmt.Appendf(nil, `Package: fmimg
Version: %s
Architecture: %s
Maintainer: The fmimg authors <fmimg@users.noreply.github.com>
Installed-Size: %d
Section: graphics
Priority: optional
Homepage: https://github.com/fmimg/fmimg
Description: train small image generators and draw images, on the CPU
 fmimg trains small image generators by flow matching and draws images
 from them. It is one static program, with a model of digits inside.
`, r.debianVersion(), b.architecture, kib)
}

// sums returns the MD5 of each file, which dpkg checks what is installed by.
func sums(entries []entry) []byte {
	var out []byte
	for _, e := range withFolders(entries) {
		if !strings.HasSuffix(e.name, "/") {
			out = fmt.Appendf(out, "%x  %s\n", md5.Sum(e.data), e.name)
		}
	}
	return out
}

// ar returns an archive as ar(5) has it, of the common format. Names have at most 15 bytes.
func ar(entries []entry, at time.Time) []byte {
	out := []byte("!<arch>\n")
	for _, e := range entries {
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", e.name, at.Unix(), 0, 0, 0o100644, len(e.data))
		out = append(out, e.data...)
		if len(e.data)%2 == 1 {
			out = append(out, '\n')
		}
	}
	return out
}
