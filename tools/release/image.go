package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// image returns the image of a container, built from nothing, as "docker load" and "podman load"
// take it. It holds the program, its licences, and a folder for temporary files.
func (r *release) image(b binary) (file string, data []byte, err error) {
	layer, err := tarGz(withFolders([]entry{
		{name: "fmimg", mode: 0o755, data: b.program},
		{name: "licenses/LICENSE", data: r.Texts.license},
		{name: "licenses/LICENSES-OF-OTHERS.txt", data: r.Texts.others},
		{name: "tmp/", mode: 0o1777},
		{name: "work/", mode: 0o1777},
	}), r.Time)
	if err != nil {
		return "", nil, err
	}
	image, err := r.container(b, layer)
	if err != nil {
		return "", nil, err
	}
	tag, err := name.NewTag("fmimg:" + strings.ReplaceAll(r.number(), "+", "-"))
	if err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	err = tarball.Write(tag, image, &out)
	return fmt.Sprintf("fmimg_%s_%s_%s_image.tar", r.number(), b.system, b.architecture), out.Bytes(), err
}

// container returns an image of one layer. People mount a folder at /work, and run it as
// themselves.
func (r *release) container(b binary, layer []byte) (v1.Image, error) {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil }
	only, err := tarball.LayerFromOpener(open)
	if err != nil {
		return nil, err
	}
	image, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer: only, History: v1.History{Created: v1.Time{Time: r.Time}, CreatedBy: "tools/release"},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = b.system, b.architecture, v1.Time{Time: r.Time}
	config.Config = v1.Config{
		Entrypoint: []string{"/fmimg"}, WorkingDir: "/work", User: "65534:65534",
		Env: []string{"HOME=/tmp"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "fmimg",
			"org.opencontainers.image.version":  r.number(),
			"org.opencontainers.image.revision": r.Commit,
			"org.opencontainers.image.source":   "https://github.com/fmimg/fmimg",
			"org.opencontainers.image.licenses": "MIT",
		},
	}
	return mutate.ConfigFile(image, config)
}
