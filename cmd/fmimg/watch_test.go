//go:build !js

package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline/run"
)

// pageLine finds the address of the page in what a training says.
var pageLine = regexp.MustCompile(
	`watch it at (http://127\.0\.0\.1:\d+)/#runs\?run=(\S+): the page ends with the training`)

// A training serves a page of its own run, on which it can be stopped. That is no failure. The
// server is gone afterwards.
func TestWatch(t *testing.T) {
	t.Chdir(t.TempDir())
	cmd := self("train --data mnist --preset tiny --paired 64 --batch 4 --steps 1000000 --out all/digits --watch")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hangs := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	defer hangs.Stop()
	var said strings.Builder
	site := ""
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if m := pageLine.FindStringSubmatch(lines.Text()); m != nil && site == "" {
			if site = m[1]; m[2] != "digits" {
				t.Errorf("the page shows %s", m[2])
			}
			stopOn(t, site)
		}
	}
	if err := cmd.Wait(); err != nil || site == "" || !strings.Contains(said.String(), "go on with fmimg train --resume") {
		t.Errorf("%v\n%s", err, said.String())
	}
	if c, err := run.ReadConfig(filepath.Join("all", "digits")); err != nil || c.Finished || c.Error != "" {
		t.Errorf("saved as %+v, %v", c, err)
	}
	if resp, err := http.Get(site + "/healthz"); err == nil {
		resp.Body.Close()
		t.Error("the server is still there")
	}
}

// stopOn looks at the run by the server of its page, and stops it.
func stopOn(t *testing.T, site string) {
	var r struct {
		Status string
		Can    struct{ Stop, Delete bool }
	}
	resp, err := http.Get(site + "/v1/runs/digits")
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil || r.Status != "training" || !r.Can.Stop || r.Can.Delete {
		t.Errorf("status %d: %+v, %v", resp.StatusCode, r, err)
	}
	stopped, err := http.Post(site+"/v1/runs/digits/stop", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Error(err)
		return
	}
	defer stopped.Body.Close()
	if stopped.StatusCode != http.StatusAccepted {
		t.Errorf("stopping: status %d", stopped.StatusCode)
	}
}

// What is wrong with the address of the page is said before anything is written.
func TestWatchMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"--watch-addr 127.0.0.1:0":       "--watch-addr 127.0.0.1:0: it is the address of a page: add --watch",
		"--watch --watch-addr 0.0.0.0:0": "--watch-addr 0.0.0.0:0: other machines reach it",
		"--watch --watch-addr nowhere":   "--watch-addr nowhere: ",
		"--watch --watch-addr :x":        "--watch-addr :x: ",
	} {
		s := newShell(t)
		if status := s.run("train --data mnist --steps 1 " + line); status != exitUsage ||
			!strings.Contains(s.stderr, want) || strings.Count(s.stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
		if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
			t.Errorf("%s: wrote %v, %v", line, entries, err)
		}
	}
}
