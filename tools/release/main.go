// Command release builds what people download: an archive for each platform, Debian packages,
// images of containers, a list of what is inside (CycloneDX) and checksums. The same commit and the
// same Go give the same bytes, in whatever folder and on whatever machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// everywhere are the platforms of a release.
const everywhere = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run builds the release that the arguments ask for.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	repository := flags.String("repo", ".", "`folder` of a clone of fmimg")
	out := flags.String("out", "dist/release", "`folder` to write into; what is there is removed first")
	platforms := flags.String("platforms", everywhere, "`list` of systems and architectures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	wanted, err := parsePlatforms(*platforms)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "fmimg-release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	r, err := build(ctx, *repository, scratch, wanted)
	if err != nil {
		return err
	}
	if r.Modified {
		fmt.Fprintf(stderr, "release: note: %s is not what is committed: it names itself %s\n", *repository, r.Version)
	}
	files, err := r.files()
	if err != nil {
		return err
	}
	return write(*out, files, stderr)
}

// parsePlatforms reads a list such as linux/amd64,windows/arm64.
func parsePlatforms(list string) ([]platform, error) {
	var all []platform
	for text := range strings.SplitSeq(list, ",") {
		system, architecture, ok := strings.Cut(text, "/")
		if !ok || !strings.Contains(","+everywhere+",", ","+text+",") {
			return nil, fmt.Errorf("-platforms %s: %q is none of %s", list, text, everywhere)
		}
		all = append(all, platform{system, architecture})
	}
	return all, nil
}

// A file is one that people download.
type file struct {
	name string
	data []byte
}

// files returns all files of a release, without their checksums.
func (r *release) files() ([]file, error) {
	var all []file
	add := func(name string, data []byte, err error) error {
		all = append(all, file{name, data})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for _, b := range r.Binaries {
		name, data, err := r.archive(b)
		if err := add(name, data, err); err != nil {
			return nil, err
		}
		if b.system != "linux" {
			continue
		}
		name, data, err = r.debian(b)
		if err := add(name, data, err); err != nil {
			return nil, err
		}
		name, data, err = r.image(b)
		if err := add(name, data, err); err != nil {
			return nil, err
		}
	}
	name, data, err := r.inventory()
	if err := add(name, data, err); err != nil {
		return nil, err
	}
	return all, nil
}

// write writes the files and their checksums into a folder, and nothing else is in it.
func write(folder string, files []file, stderr io.Writer) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, f := range append(files, file{"SHA256SUMS", checksums(files)}) {
		path := filepath.Join(folder, f.name)
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(stderr, path)
	}
	return nil
}
