package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A platform is an operating system and an architecture, as Go names them.
type platform struct{ system, architecture string }

// executable returns the name of the program there.
func (p platform) executable() string {
	if p.system == "windows" {
		return "fmimg.exe"
	}
	return "fmimg"
}

// A binary is the program of a platform.
type binary struct {
	platform
	program []byte
	info    *buildinfo.BuildInfo
}

// A release is what all files of it are made from.
type release struct {
	Version  string    // of the program, such as v0.1.0
	Commit   string    // in full
	Modified bool      // whether the clone differs from the commit
	Time     time.Time // of the commit, and of all files
	Binaries []binary
	Texts    texts
}

// texts are the files that go along with a program.
type texts struct {
	license, readme, changelog, others []byte // others: the licences of all that is linked
	man, completions                   []entry
}

// build builds the program for platforms, and what goes along with it. scratch is an empty folder.
func build(ctx context.Context, repository, scratch string, platforms []platform) (*release, error) {
	r := &release{}
	var err error
	if r.Time, err = commitTime(ctx, repository); err != nil {
		return nil, err
	}
	for _, p := range platforms {
		path := filepath.Join(scratch, p.system+"-"+p.architecture, p.executable())
		b, err := compile(ctx, repository, path, p)
		if err != nil {
			return nil, err
		}
		r.Binaries = append(r.Binaries, b)
	}
	if err := r.identify(); err != nil {
		return nil, err
	}
	here := filepath.Join(scratch, "here", "fmimg")
	if _, err := compile(ctx, repository, here, platform{runtime.GOOS, runtime.GOARCH}); err != nil {
		return nil, err
	}
	r.Texts, err = r.write(ctx, repository, here, filepath.Join(scratch, "man"))
	return r, err
}

// commitTime returns the time of the commit, or that of SOURCE_DATE_EPOCH.
func commitTime(ctx context.Context, repository string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, err := output(exec.CommandContext(ctx, "git", "-C", repository, "log", "-1", "--format=%ct"))
		if err != nil {
			return time.Time{}, err
		}
		text = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time of the commit: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// compile builds the program for a platform. The tags are those of the Makefile. What the
// environment could change is set, so that builders agree.
func compile(ctx context.Context, repository, path string, p platform) (binary, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-tags=nodynamic", "-ldflags=-s -w", "-o", path, "./cmd/fmimg")
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.system, "GOARCH="+p.architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	if _, err := output(cmd); err != nil {
		return binary{}, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return binary{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	return binary{p, program, info}, err
}

// identify reads from the programs which commit they are.
func (r *release) identify() error {
	info := r.Binaries[0].info
	r.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			r.Commit = s.Value
		case "vcs.modified":
			r.Modified = s.Value == "true"
		}
	}
	if r.Commit == "" {
		return errors.New("the program does not know its commit: build it in a clone of its own, not in a worktree of git or an unpacked archive")
	}
	return nil
}

// shells are those that fmimg writes completions for, and the names of the files.
var shells = map[string]string{"bash": "fmimg.bash", "zsh": "_fmimg", "fish": "fmimg.fish", "powershell": "fmimg.ps1"}

// write collects the texts: those of the repository, and those that the program writes about
// itself. folder does not exist yet.
func (r *release) write(ctx context.Context, repository, program, folder string) (texts, error) {
	var t texts
	for name, text := range map[string]*[]byte{"LICENSE": &t.license, "README.md": &t.readme, "CHANGELOG.md": &t.changelog} {
		var err error
		if *text, err = os.ReadFile(filepath.Join(repository, name)); err != nil {
			return t, err
		}
	}
	var err error
	if t.others, err = licenses(ctx, repository, r.Binaries); err != nil {
		return t, err
	}
	cmd := exec.CommandContext(ctx, program, "man", folder)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.Time.Unix(), 10))
	if _, err := output(cmd); err != nil {
		return t, err
	}
	if t.man, err = folderEntries(folder); err != nil {
		return t, err
	}
	for shell, name := range shells {
		text, err := output(exec.CommandContext(ctx, program, "completion", shell))
		if err != nil {
			return t, err
		}
		t.completions = append(t.completions, entry{name: name, data: text})
	}
	slices.SortFunc(t.completions, byName)
	return t, nil
}

// output runs a command and returns what it writes. An error has the command's own words.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
