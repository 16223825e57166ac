package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// inventory returns the list of what the programs are made of (an SBOM), as CycloneDX has it in
// JSON. The programs themselves say which modules are linked into them.
func (r *release) inventory() (name string, data []byte, err error) {
	main := component(cdx.ComponentTypeApplication, r.Binaries[0].info.Main.Path, r.Version, "")
	components := []cdx.Component{component(cdx.ComponentTypeLibrary, "std", strings.TrimPrefix(r.Binaries[0].info.GoVersion, "go"), "")}
	for _, m := range modules(r.Binaries) {
		components = append(components, component(cdx.ComponentTypeLibrary, m.Path, m.Version, m.Sum))
	}
	var needs []string
	for _, c := range components {
		needs = append(needs, c.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(main.BOMRef, r.Commit, r.Time.String())
	bom.Metadata = &cdx.Metadata{Timestamp: r.Time.Format(time.RFC3339), Component: &main}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &needs}}
	var out bytes.Buffer
	err = cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	return fmt.Sprintf("fmimg_%s.cdx.json", r.number()), out.Bytes(), err
}

// modules returns the modules that any of the programs holds, by their paths. Replaced modules
// stand for those that they replace.
func modules(binaries []binary) []*debug.Module {
	all := map[string]*debug.Module{}
	for _, b := range binaries {
		for _, m := range b.info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			all[m.Path] = m
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *debug.Module) int { return cmp.Compare(a.Path, b.Path) })
}

// component describes a module. sum is that of go.sum, or empty.
func component(kind cdx.ComponentType, path, version, sum string) cdx.Component {
	url := "pkg:golang/" + strings.ToLower(path) + "@" + strings.ReplaceAll(version, "+", "%2B")
	c := cdx.Component{Type: kind, BOMRef: url, Name: path, Version: version, PackageURL: url}
	if hash, ok := strings.CutPrefix(sum, "h1:"); ok {
		if raw, err := base64.StdEncoding.DecodeString(hash); err == nil {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
		}
	}
	return c
}

// serial returns a number of the form that CycloneDX asks for, of words rather than at random: a
// UUID of version 8.
func serial(words ...string) string {
	id := sha256.Sum256([]byte(strings.Join(words, "\n")))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
