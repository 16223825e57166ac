package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Where things are on the emulated machine.
const (
	guestPath  = "/init"      // this program, which Linux starts first
	jobsPath   = "/jobs.json" // the jobs
	modulePath = "/module"    // as this module: the tests and files of packages
)

// Lines with these beginnings tell the host where the output of a job begins and ends.
const (
	startMark = "@@ start " // and the job's name
	endMark   = "@@ end "   // and "ok" or what went wrong
)

// A job is a test binary with its arguments.
type job struct {
	Name   string // of the package, such as kernels
	Folder string // in which it runs
	Args   []string
}

// build returns the files of the RAM disk, by path without a leading slash: this program, and the
// tests and files of the packages.
func build(ctx context.Context, o options, scratch string) (map[string][]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	if files[guestPath[1:]], err = os.ReadFile(self); err != nil {
		return nil, err
	}
	var jobs []job
	for _, name := range o.packages {
		folder := path.Join(modulePath, name)
		binary := filepath.Join(scratch, "tests")
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-o", binary, "./"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if _, err := output(cmd); err != nil {
			return nil, err
		}
		if files[path.Join(folder, "tests")[1:]], err = os.ReadFile(binary); err != nil {
			return nil, fmt.Errorf("%s has no tests: %w", name, err)
		}
		if err := addFolder(files, name); err != nil {
			return nil, err
		}
		args := []string{"-test.v", "-test.run=" + o.tests, "-test.skip=" + o.skip}
		jobs = append(jobs, job{Name: name, Folder: folder, Args: args})
	}
	files[jobsPath[1:]], err = json.Marshal(jobs)
	return files, err
}

// addFolder adds the files of a package, which tests may read: sources and test data.
func addFolder(files map[string][]byte, name string) error {
	return filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			data, err := os.ReadFile(file)
			files[path.Join(modulePath, filepath.ToSlash(file))[1:]] = data
			return err
		case file != filepath.Clean(name) && !strings.Contains(file, "testdata"):
			return fs.SkipDir // another package
		}
		return nil
	})
}
