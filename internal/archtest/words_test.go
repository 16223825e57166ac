package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commandWords match a flag, and a command of the program.
var commandWords = regexp.MustCompile("(^|[\\s`(])--[a-z]|\\bfmimg (bench|classifier|compare|completion|data|distill|" +
	"edit|eval|field|generate|likelihood|man|model|train|version)\\b")

// ownWords are the folders of programs, which have flags of their own.
var ownWords = []string{"cmd/", "tools/", "bench/peer/", "bench/quality/", "bench/same/", "internal/emulate/"}

// Only a program says how its flags are called: a library that names one would mislead those who
// call it, and the flag could not be renamed in one place.
func TestFlagsInLibraries(t *testing.T) {
	const root = "../.."
	files, err := goFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	programs := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		short, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		short = filepath.ToSlash(short)
		found, err := flagsIn(short, text)
		if err != nil {
			t.Fatal(err)
		}
		if isProgram(short) {
			programs += len(found)
			continue
		}
		for _, broken := range found {
			t.Error(broken)
		}
	}
	// The help texts of cmd have dozens; a handful means that nothing was searched.
	if programs < 20 {
		t.Errorf("found only %d texts with flags in the programs", programs)
	}
}

func isProgram(name string) bool {
	for _, folder := range ownWords {
		if strings.HasPrefix(name, folder) {
			return true
		}
	}
	return false
}

// flagsIn lists the strings of a file that name a flag or a command, with their positions.
func flagsIn(name string, text []byte) ([]string, error) {
	var found []string
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if ok && literal.Kind == token.STRING && commandWords.MatchString(strings.Trim(literal.Value, "\"`")) {
			found = append(found, fmt.Sprintf("%s: %s names a flag or a command: only cmd may",
				files.Position(literal.Pos()), literal.Value))
		}
		return true
	})
	return found, nil
}

func TestFlagsIn(t *testing.T) {
	for text, want := range map[string]int{
		`"choose --size 28"`:                    1,
		`"--size"`:                              1,
		"`It takes a class: (--class 0)`":       1,
		`"go on with fmimg train"`:              1,
		`"the version of fmimg that wrote it"`:  0,
		`"a--b" + "--" + "size 28"`:             0,
		`"" // fmimg train --size is a comment`: 0,
	} {
		got, err := flagsIn("a.go", []byte("package a\n\nvar _ = "+text))
		if err != nil || len(got) != want {
			t.Errorf("%s: %q, %v, want %d", text, got, err, want)
		}
	}
}
