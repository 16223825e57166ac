package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// licenseName matches the files that a module states its terms in.
var licenseName = regexp.MustCompile(`(?i)^((un)?licen[sc]e|copying|notice)(s?\.(md|txt)|[.-][a-z0-9]+)?$`)

// licenses returns the terms of Go and of all modules that are linked into the programs, one after
// the other. A module without terms is an error: nobody may pass it on.
func licenses(ctx context.Context, repository string, binaries []binary) ([]byte, error) {
	root, err := output(exec.CommandContext(ctx, "go", "env", "GOROOT"))
	if err != nil {
		return nil, err
	}
	terms, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "LICENSE"))
	if err != nil {
		return nil, err
	}
	out := []byte("fmimg is made with the work of others. These are their terms.\n")
	out = appendTerms(out, "Go and its standard library", terms)
	folders, err := moduleFolders(ctx, repository)
	if err != nil {
		return nil, err
	}
	for _, m := range modules(binaries) {
		files, err := licenseFiles(folders[m.Path])
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", m.Path, err)
		}
		for _, f := range files {
			out = appendTerms(out, m.Path+" "+m.Version+", "+f.name, f.data)
		}
	}
	return out, nil
}

// licenseFiles returns the files of a module's folder that state its terms, in order. Test data has
// terms of its own, and is linked into nothing.
func licenseFiles(folder string) ([]file, error) {
	var found []file
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || !licenseName.MatchString(d.Name()) || filepath.Ext(path) == ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		found = append(found, file{filepath.ToSlash(name), text})
		return err
	})
	if err == nil && len(found) == 0 {
		err = errors.New("it states no terms to pass it on by")
	}
	return found, err
}

// appendTerms appends a text under a title.
func appendTerms(out []byte, title string, text []byte) []byte {
	line := strings.Repeat("=", 80)
	return fmt.Appendf(out, "\n%s\n%s\n%s\n\n%s\n", line, title, line, bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
}

// moduleFolders returns where the modules lie that the repository needs, by their paths.
func moduleFolders(ctx context.Context, repository string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-json=Path,Dir", "all")
	cmd.Dir = repository
	out, err := output(cmd)
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return folders, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		folders[m.Path] = m.Dir
	}
}
