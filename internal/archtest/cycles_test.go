package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A compiled package is what go list says about a package that it built.
type compiled struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// TestFileCycles reports the files of a package that use each other, so that none of them can be
// read first. It does not fail because of them: go test -v shows the report.
func TestFileCycles(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds all packages")
	}
	packages, err := listCompiled("../..")
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for _, p := range packages {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	imports := importer.ForCompiler(fset, "gc", open)
	for _, p := range packages {
		if p.DepOnly {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		uses, err := fileUses(fset, files, imports)
		if err != nil {
			t.Errorf("%s: %v", p.ImportPath, err)
		}
		for _, cycle := range cycles(uses) {
			t.Logf("%s: %s use each other", inside(p.ImportPath), strings.Join(cycle, ", "))
		}
	}
}

// listCompiled builds the packages below a folder, and all packages that they need, and returns
// them.
func listCompiled(folder string) ([]compiled, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly", "./...")
	cmd.Dir = folder
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	var all []compiled
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p compiled
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// fileUses returns, for each file of a package, the other files whose functions, types, methods,
// variables and constants it names.
func fileUses(fset *token.FileSet, files []*ast.File, imports types.Importer) (map[string][]string, error) {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imports}
	pkg, err := conf.Check("p", fset, files, info)
	if err != nil {
		return nil, err
	}
	base := func(p token.Pos) string { return filepath.Base(fset.Position(p).Filename) }
	uses := map[string][]string{}
	for _, f := range files {
		uses[base(f.Pos())] = nil
	}
	for ident, object := range info.Uses {
		if object.Pkg() != pkg || !declared(pkg, object) {
			continue
		}
		from, to := base(ident.Pos()), base(object.Pos())
		if from != to && !slices.Contains(uses[from], to) {
			uses[from] = append(uses[from], to)
		}
	}
	return uses, nil
}

// declared reports whether an object is declared by the package itself, as a method or at the top
// level. Fields, parameters and local names are not.
func declared(pkg *types.Package, object types.Object) bool {
	if f, ok := object.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return object.Parent() == pkg.Scope()
}

// cycles returns the groups of names in which each leads to all others, sorted.
func cycles(uses map[string][]string) [][]string {
	reach := map[string]map[string]bool{} // what each leads to
	for name := range uses {
		seen := map[string]bool{}
		for todo := []string{name}; len(todo) > 0; {
			next := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, to := range uses[next] {
				if !seen[to] {
					seen[to] = true
					todo = append(todo, to)
				}
			}
		}
		reach[name] = seen
	}
	var found [][]string
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		known := func(group []string) bool { return slices.Contains(group, name) }
		if !reach[name][name] || slices.ContainsFunc(found, known) {
			continue
		}
		var group []string
		for other := range reach[name] {
			if reach[other][name] {
				group = append(group, other)
			}
		}
		slices.Sort(group)
		found = append(found, group)
	}
	return found
}

func TestCycles(t *testing.T) {
	for _, c := range []struct {
		name string
		uses map[string][]string
		want string
	}{
		{"none", map[string][]string{"a": {"b", "c"}, "b": {"c"}, "c": nil}, "[]"},
		{"two", map[string][]string{"a": {"b"}, "b": {"a"}, "c": {"a"}}, "[[a b]]"},
		{"a way round", map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, "[[a b c]]"},
		{"two groups", map[string][]string{"a": {"b", "c"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}, "[[a b] [c d]]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fmt.Sprint(cycles(c.uses)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestFileUses(t *testing.T) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, text := range []string{
		"package p\n\ntype T struct{ n int }\n\nfunc f(t T) { t.m(); g() }",
		"package p\n\nfunc (t T) m() { _ = t.n }",
		"package p\n\nfunc g() { var T int; _ = T }",
	} {
		f, err := parser.ParseFile(fset, fmt.Sprintf("%c.go", 'a'+len(files)), text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	uses, err := fileUses(fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range uses {
		slices.Sort(list)
	}
	if got := fmt.Sprint(uses); got != "map[a.go:[b.go c.go] b.go:[a.go] c.go:[]]" {
		t.Errorf("got %s", got)
	}
}
