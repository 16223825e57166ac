package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// widest is the number of columns that a line with a comment, or a line of Markdown, may have. A
// tab counts as tabWidth columns.
const (
	widest   = 100
	tabWidth = 4
)

// wideFolders are the folders, and the files of the root, whose lines are still to be cut.
var wideFolders = []string{
	"ARCHITECTURE.md", "CHANGELOG.md", "README.md", "doc.go",
	"asm", "bench", "cmd", "compare", "docs", "flow", "kernels", "metrics", "nn", "pipeline", "realnvp", "toy", "unet",
}

// ownNarrow are packages in wideFolders that are done.
var ownNarrow = []string{"bench/same"}

func TestColumns(t *testing.T) {
	const root = "../.."
	checked := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		short := filepath.ToSlash(strings.TrimPrefix(name, filepath.Clean(root)+string(filepath.Separator)))
		if d.IsDir() {
			if name != root && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		measure := measureFor(d.Name())
		if measure == nil || !ready(short) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		wide, err := measure(short, string(text))
		for _, line := range wide {
			t.Errorf("%s: more than %d columns", line, widest)
		}
		checked++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 5 {
		t.Errorf("only %d files were found", checked)
	}
}

// measureFor returns the function that finds the wide lines of a file. It is nil when any line may
// be wide.
func measureFor(name string) func(name, text string) ([]string, error) {
	switch filepath.Ext(name) {
	case ".go":
		return wideComments
	case ".md":
		return wideMarkdown
	}
	return nil
}

// ready reports whether a file's lines must be narrow by now.
func ready(name string) bool {
	below := func(folder string) bool { return within(name, folder) }
	return slices.ContainsFunc(ownNarrow, below) || !slices.ContainsFunc(wideFolders, below)
}

// wideComments returns the positions of lines that hold a comment and are too wide. Lines of
// generated files may be wide. So may a comment that is one long word, such as an address.
func wideComments(name, text string) ([]string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return nil, err
	}
	lines := strings.Split(text, "\n")
	var wide []string
	for _, group := range file.Comments {
		for _, c := range group.List {
			first, last := fset.Position(c.Pos()), fset.Position(c.End())
			for n := first.Line; n <= last.Line; n++ {
				comment := lines[n-1]
				if n == first.Line {
					comment = comment[first.Column-1:]
				}
				if columns(lines[n-1]) > widest && len(strings.Fields(comment)) > 2 && !directive(comment) {
					wide = append(wide, fmt.Sprintf("%s:%d", name, n))
				}
			}
		}
	}
	return wide, nil
}

// directive reports whether a comment is read by a tool, and must stay in one line.
func directive(comment string) bool {
	return strings.HasPrefix(comment, "//go:") || strings.HasPrefix(comment, "//nolint")
}

// columns returns the width of a line.
func columns(line string) int {
	n := 0
	for _, r := range line {
		if n++; r == '\t' {
			n += tabWidth - 1
		}
	}
	return n
}

// target matches the addresses of links. Nobody reads them, and a line break would cut them.
var target = regexp.MustCompile(`\]\([^)]*\)|<?https?://[^\s)>]*>?`)

// wideMarkdown returns the positions of lines that are too wide. Tables and blocks of code may be
// wide. The addresses of links do not count.
func wideMarkdown(name, text string) ([]string, error) {
	var wide []string
	code := false
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			code = !code
		}
		if code || strings.HasPrefix(trimmed, "|") || strings.HasPrefix(line, "    ") {
			continue
		}
		if utf8.RuneCountInString(target.ReplaceAllString(line, "]")) > widest {
			wide = append(wide, fmt.Sprintf("%s:%d", name, n))
		}
	}
	return wide, nil
}

func TestWideComments(t *testing.T) {
	long := strings.Repeat("word ", 20)
	for _, c := range []struct {
		name, text, want string
	}{
		{"narrow", "package p // fine\n", "[]"},
		{"100 columns", "package p\n\n// " + strings.TrimSpace(strings.Repeat("words ", 16)) + " x\n", "[]"},
		{"101 columns", "package p\n\n// " + strings.TrimSpace(strings.Repeat("words ", 16)) + " xyz\n", "[p.go:3]"},
		{"long word", "package p\n\n// " + strings.Repeat("x", 120) + "\n", "[]"},
		{"behind code", "package p\n\nvar number = 1 // " + long + "\n", "[p.go:3]"},
		{"tabs", "package p\n\nfunc f() {\n\t\t\t// " + strings.Repeat("words ", 15) + "\n}\n", "[p.go:4]"},
		{"second line of a block", "package p\n\n/* a\n" + long + "b */\n", "[p.go:4]"},
		{"code alone", "package p\n\nvar s = `" + long + "`\n", "[]"},
		{"slashes in a string", "package p\n\nvar s = `// " + long + "`\n", "[]"},
		{"directive", "package p\n\n//go:generate " + long + "\n", "[]"},
		{"generated", "// Code generated by x. DO NOT EDIT.\n\npackage p\n\n// " + long + "\n", "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := wideComments("p.go", c.text)
			if err != nil || fmt.Sprint(got) != c.want {
				t.Errorf("got %v, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestWideMarkdown(t *testing.T) {
	long := strings.Repeat("word ", 21)
	for _, c := range []struct {
		name, text, want string
	}{
		{"narrow", "# Title\n\ntext\n", "[]"},
		{"wide", "# Title\n\n" + long + "\n", "[a.md:3]"},
		{"letters, not bytes", strings.Repeat("é", 100) + "\n", "[]"},
		{"table", "| " + long + "|\n", "[]"},
		{"code", "```sh\n" + long + "\n```\n" + long + "\n", "[a.md:4]"},
		{"indented code", "    " + long + "\n", "[]"},
		{"link", "see [here](https://example.org/" + strings.Repeat("x", 100) + ")\n", "[]"},
		{"bare address", "https://example.org/" + strings.Repeat("x", 100) + "\n", "[]"},
		{"text around a link", long + "[here](x)\n", "[a.md:1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := wideMarkdown("a.md", c.text); fmt.Sprint(got) != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}
