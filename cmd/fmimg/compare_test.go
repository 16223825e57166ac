package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The comparison draws a picture, and writes a table or JSON. An error is one line.
func TestCompare(t *testing.T) {
	s := newShell(t)
	const tiny = "compare --data moons --budget 0.0002 --samples 20 --resolution 4 "
	s.must(tiny + "--out a.png")
	if _, err := os.Stat("a.png"); err != nil || !strings.Contains(s.stdout, "flow-matching-ot") || !strings.Contains(s.stdout, "the truth") {
		t.Errorf("%v, %q", err, s.stdout)
	}
	s.must(tiny + "--json")
	var result struct {
		Methods []struct {
			Method string
			Steps  int
		}
	}
	if err := json.Unmarshal([]byte(s.stdout), &result); err != nil || len(result.Methods) != 5 || result.Methods[1].Method != "cnf" || result.Methods[1].Steps < 1 {
		t.Errorf("%v, %s", err, s.stdout)
	}
	if err := os.WriteFile("bad.csv", []byte("1,2\n3,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]struct {
		status int
		text   string
	}{
		"compare --out a.png":                        {exitUsage, "--data is needed: one of moons"},
		"compare --data moons":                       {exitUsage, "--out is needed"},
		"compare --data moons --out a.jpg":           {exitUsage, "must end in .png"},
		"compare --data rings --out a.png":           {exitUsage, "--data rings: known are moons"},
		"compare --data moons --json --budget 0":     {exitUsage, "--budget 0"},
		"compare --data bad.csv --out a.png":         {exitFailed, "compare: bad.csv: line 2: \"x\" is no number"},
		"compare --data none.csv --out a.png":        {exitFailed, "none.csv"},
		"compare --data moons --out missing/dir.png": {exitFailed, "missing"},
	} {
		if status := s.run(line); status != want.status || !strings.Contains(s.stderr, want.text) || strings.Count(s.stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want.text)
		}
	}
}
