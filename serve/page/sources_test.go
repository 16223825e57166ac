package page

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// texts returns the files of the page by their names.
func texts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range load() {
		if f.contentType == "" {
			t.Errorf("%s: its kind has no content type", f.name)
		}
		all[f.name] = string(f.text)
	}
	if len(all) < 20 {
		t.Fatalf("found only %d files", len(all))
	}
	return all
}

// What the Content-Security-Policy forbids is not there: it would do nothing in a browser.
func TestNothingInline(t *testing.T) {
	for _, forbidden := range []struct{ what, pattern, ends string }{
		{"a script without a file", `<script(?:\s[^>]*)?>[^<]`, ".html"},
		{"a style sheet inside the page", `<style`, ".html .svg"},
		{"a style of an element", `\sstyle\s*=`, ".html .svg"},
		{"a handler of an event", `\son[a-z]+\s*=`, ".html .svg"},
		{"a javascript: address", `javascript:`, ".html .svg .js"},
		{"text run as a script", `\b(?:eval|Function)\(`, ".js"},
		{"text read as HTML", `innerHTML|outerHTML|insertAdjacentHTML|document\.write`, ".js"},
		{"a style attribute set", `setAttribute\("style"|cssText`, ".js"},
	} {
		pattern := regexp.MustCompile(forbidden.pattern)
		for name, text := range texts(t) {
			if found := pattern.FindString(text); found != "" && strings.Contains(forbidden.ends, path.Ext(name)) {
				t.Errorf("%s: %s: %q", name, forbidden.what, found)
			}
		}
	}
}

var address = regexp.MustCompile(`(?i)(?:https?|wss?):\/\/[^\s"')]+|(?:src|href|url\(|from|import)\s*=?\s*["']?\/\/[^\s"')]+`)

// Everything comes from the server itself.
func TestNothingFromElsewhere(t *testing.T) {
	for name, text := range texts(t) {
		for _, found := range address.FindAllString(text, -1) {
			if found != "http://www.w3.org/2000/svg" { // the name of a language
				t.Errorf("%s: %s", name, found)
			}
		}
	}
}

var (
	idInHTML   = regexp.MustCompile(`\sid="([^"]+)"`)
	refersToID = regexp.MustCompile(`\s(?:for|aria-controls|aria-labelledby|aria-describedby)="([^"]+)"`)
	usedID     = regexp.MustCompile(`\b(?:byId|copyOf)\("([^"]+)"\)`)
	usedFile   = regexp.MustCompile(`(?:from "\./|"/page/)([^"]+)"`)
)

// An id that a script or a label names is in index.html, once.
func TestIdentifiers(t *testing.T) {
	all := texts(t)
	var ids []string
	for _, match := range idInHTML.FindAllStringSubmatch(all["index.html"], -1) {
		if slices.Contains(ids, match[1]) {
			t.Errorf("index.html has two elements #%s", match[1])
		}
		ids = append(ids, match[1])
	}
	if len(ids) < 50 {
		t.Fatalf("found only %d ids", len(ids))
	}
	for _, match := range refersToID.FindAllStringSubmatch(all["index.html"], -1) {
		for id := range strings.FieldsSeq(match[1]) {
			if !slices.Contains(ids, id) {
				t.Errorf("index.html refers to #%s, which is not there", id)
			}
		}
	}
	for name, text := range all {
		for _, match := range usedID.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(ids, match[1]) {
				t.Errorf("%s uses #%s, which is not in index.html", name, match[1])
			}
		}
	}
}

// A file that another one names is there, and each file is named by one.
func TestFilesAreNamed(t *testing.T) {
	all := texts(t)
	named := map[string]bool{"index.html": true}
	for name, text := range all {
		for _, match := range usedFile.FindAllStringSubmatch(text, -1) {
			named[match[1]] = true
			if _, ok := all[match[1]]; !ok {
				t.Errorf("%s names %s, which is not there", name, match[1])
			}
		}
	}
	for name := range all {
		if !named[name] {
			t.Errorf("no file names %s", name)
		}
	}
}

var (
	function  = regexp.MustCompile(`(?m)^(?:export )?(?:async )?function (\w+)\(([^)]*)\)`)
	annotated = regexp.MustCompile(`(?s)\*/\s*$`)
)

// A function with parameters says what they are, and no line is longer than a screen.
func TestScriptsAreDescribed(t *testing.T) {
	functions := 0
	for name, text := range texts(t) {
		if path.Ext(name) != ".js" {
			continue
		}
		if !strings.HasPrefix(text, "// ") {
			t.Errorf("%s does not begin with what it is for", name)
		}
		for _, at := range function.FindAllStringSubmatchIndex(text, -1) {
			functions++
			if at[4] < at[5] && !annotated.MatchString(text[:at[0]]) {
				t.Errorf("%s: %s has no description of its parameters", name, text[at[2]:at[3]])
			}
		}
		for i, line := range strings.Split(text, "\n") {
			if len([]rune(line)) > 120 {
				t.Errorf("%s:%d: a line of %d characters", name, i+1, len(line))
			}
		}
	}
	if functions < 30 {
		t.Errorf("found only %d functions", functions)
	}
}

// reader is a script of Node that reads modules, as a browser does, and runs none of them.
const reader = `
	const { SourceTextModule } = require("node:vm");
	const files = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
	for (const [identifier, text] of Object.entries(files)) new SourceTextModule(text, { identifier });
`

// Node reads the scripts.
func TestScriptsAreRead(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: there is no node to check the scripts")
	}
	scripts := texts(t)
	maps.DeleteFunc(scripts, func(name, _ string) bool { return path.Ext(name) != ".js" })
	read := func(scripts map[string]string) ([]byte, error) {
		input, err := json.Marshal(scripts)
		if err != nil {
			t.Fatal(err)
		}
		check := exec.CommandContext(t.Context(), node, "--no-warnings", "--experimental-vm-modules", "--eval", reader)
		check.Stdin = bytes.NewReader(input)
		return check.CombinedOutput()
	}
	if out, err := read(scripts); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := read(map[string]string{"wrong.js": "import { from"}); err == nil {
		t.Error("node reads what is wrong")
	}
}
