package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/pipeline"
)

func TestCures(t *testing.T) {
	full := fmt.Errorf("save: %w; the checkpoint of step 7 is kept", &fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC})
	for _, c := range []struct {
		err  error
		want string
	}{
		{full, ": free some space, or name a place on another disk; the checkpoint of step 7 is kept"},
		{fmt.Errorf("a: %w", syscall.EACCES), ": ask its owner for permission, or name another place"},
		{fmt.Errorf("a: %w: create it first", syscall.ENOENT), ": create it first"},
		{fmt.Errorf("a: %w", syscall.ENOENT), ": check the spelling"},
		{context.Canceled, context.Canceled.Error()},
	} {
		if got := withCure(c.err.Error(), c.err); !strings.HasSuffix(got, c.want) || strings.Count(got, c.want) != 1 {
			t.Errorf("got %q, want it to end in %q", got, c.want)
		}
	}
}

// What cannot be found in a folder that is gone has another cure.
func TestFolderGone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems keep the folder that a process is in")
	}
	folder := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	t.Setenv("PWD", "")
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if got := withCure("a: "+syscall.ENOENT.Error(), syscall.ENOENT); !strings.Contains(got, "is gone: change to another one") {
		t.Errorf("got %q", got)
	}
}

// brokenWriter fails every write.
type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// The command fails when its results do not reach stdout, whatever writes them. A reader that went
// away is not a failure.
func TestBrokenStdout(t *testing.T) {
	newShell(t)
	for _, line := range []string{"version", "version --json", "--help", "completion bash", tinyRun + " --steps 1 --json", tinyRun + " --steps 1"} {
		for err, want := range map[error]string{
			&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}: "no space left on device: free some space",
			syscall.EPIPE: "",
		} {
			var stderr strings.Builder
			a := &app{stdout: brokenWriter{err}, stderr: &stderr, environ: func(string) (string, bool) { return "", false }, join: cluster.Join}
			status := a.run(context.Background(), strings.Fields(line))
			text := strings.TrimSpace(stderr.String())
			last := text[strings.LastIndex(text, "\n")+1:]
			if failed := want != ""; (status == exitFailed) != failed || !strings.Contains(last, want) || strings.Contains(last, "stdout") != failed {
				t.Errorf("%s on a stdout with %v: status %d, %q", line, err, status, stderr.String())
			}
		}
	}
}

// A run that --stop-after stops has not failed.
func TestStopAfter(t *testing.T) {
	s := newShell(t)
	s.must(tinyRun + " --steps 4 --stop-after 2 --out run1")
	if s.stdout != "run1\n" || !strings.Contains(s.stderr, "stopped after step 2 of 4 and saved in run1: go on with fmimg train --resume --out run1") {
		t.Errorf("stdout %q, stderr %q", s.stdout, s.stderr)
	}
}

// Names in other people's files neither clear the screen nor begin a line that looks like ours.
func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"T-shirt/top, é 字": "T-shirt/top, é 字", "\x1b[2Jred\a": `\x1b[2Jred\a`, "a\nfmimg: b": `a\nfmimg: b`, "it's": "it's", "\u202e'": `\u202e'`,
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q becomes %s, want %s", text, got, want)
		}
	}
	if got := news(pipeline.Event{Kind: pipeline.Noted, Text: "a\x1bb"}); got != `a\x1bb` {
		t.Errorf("a note became %q", got)
	}
}
