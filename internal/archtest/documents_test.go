package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A document is a file in Markdown.
type document struct {
	path  string
	prose []string // its lines, blank where they are code
}

// documents returns all documents of the repository.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	for _, name := range repositoryFiles(t, ".md") {
		path := filepath.Join(repository, name)
		all = append(all, document{path, prose(read(t, path))})
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// prose returns the lines of a text in Markdown, blank where they are code.
func prose(text string) []string {
	lines := strings.Split(text, "\n")
	fenced := false
	for i, line := range lines {
		fence := strings.HasPrefix(line, "```")
		if fenced || fence || strings.HasPrefix(line, "    ") {
			lines[i] = ""
		}
		fenced = fenced != fence
	}
	return lines
}

var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// Links lead to files that are there, and to headings that are in them.
func TestDocumentsLinks(t *testing.T) {
	all := documents(t)
	if len(all) < 10 {
		t.Fatalf("found only %d documents", len(all))
	}
	for _, doc := range all {
		for _, match := range link.FindAllStringSubmatch(strings.Join(doc.prose, "\n"), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, ":") {
				continue // elsewhere
			}
			path := doc.path
			if target != "" {
				path = filepath.Join(filepath.Dir(doc.path), filepath.FromSlash(target))
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: link to %s: %v", doc.path, match[1], err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, path)), anchor) {
				t.Errorf("%s: link to %s: no such heading", doc.path, match[1])
			}
		}
	}
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors returns the names by which GitHub links to the headings of a text.
func anchors(text string) []string {
	var names []string
	for _, line := range prose(text) {
		if title := strings.TrimLeft(line, "#"); title != line {
			title = notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			names = append(names, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return names
}

var (
	symbolLink = regexp.MustCompile("\\[`([\\w.]+)`\\]\\(([^()#\\s]+\\.go)\\)")
	testName   = regexp.MustCompile("`((?:Test|Example)[A-Z]\\w*)`")
	pathName   = regexp.MustCompile("`([\\w.-]+(?:/[\\w.-]+)+\\.(?:go|py|md|json|jsonl))`")
)

// A link whose text is a name leads to the file that declares it, a test that is named is in some
// file, and a file that is named is there.
func TestDocumentsNames(t *testing.T) {
	tests := testNames(t)
	for _, doc := range documents(t) {
		text := strings.Join(doc.prose, "\n")
		for _, match := range symbolLink.FindAllStringSubmatch(text, -1) {
			path := filepath.Join(filepath.Dir(doc.path), filepath.FromSlash(match[2]))
			name := match[1][strings.LastIndex(match[1], ".")+1:]
			if !slices.Contains(topLevel(t, path), name) {
				t.Errorf("%s: %s does not declare %s", doc.path, match[2], name)
			}
		}
		for _, match := range testName.FindAllStringSubmatch(text, -1) {
			if !tests[match[1]] {
				t.Errorf("%s: there is no %s", doc.path, match[1])
			}
		}
		for _, match := range pathName.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(repository, filepath.FromSlash(match[1]))); err != nil {
				t.Errorf("%s: %v", doc.path, err)
			}
		}
	}
}

// topLevel returns the names that a Go file declares at its top level, methods among them.
func topLevel(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	var names []string
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

// testNames returns the names of all tests and examples.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, path := range repositoryFiles(t, ".go") {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, name := range topLevel(t, filepath.Join(repository, path)) {
			names[name] = true
		}
	}
	return names
}
