package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fmimg/fmimg"

// anyLibrary lets a folder import any module that has no owner in libraryOwners.
const anyLibrary = "*"

// A rule says what the packages of one folder may import besides the standard library, themselves
// and internal.
type rule struct {
	folder    string   // first element of the path inside the module, "." for its root
	imports   []string // folders of ours
	tests     []string // further folders of ours that its test files may import
	libraries []string // modules of others; its test files may import any
	test      bool     // of a package: then no library has an owner, as micro-kernels' own tests ask the CPU too
}

// rules is the table of who may import whom, along the flow of data: asm knows nothing, cmd only
// what it drives. A folder that is not in it may not exist.
var rules = []rule{
	{folder: "."},
	{folder: "asm"},
	{folder: "kernels", imports: []string{"asm"}, libraries: []string{"github.com/klauspost/cpuid/v2"}},
	{folder: "safetensors"},
	{folder: "nn", imports: []string{"kernels", "safetensors"}},
	{folder: "unet", imports: []string{"kernels", "nn", "safetensors"}},
	{folder: "metrics", imports: []string{"kernels"}, libraries: []string{"gonum.org/v1/gonum"}},
	{folder: "ode"},
	{folder: "flow", imports: []string{"ode"}},
	{folder: "bijection", imports: []string{"ode"}},
	{folder: "toy"},
	{folder: "compare", imports: []string{"bijection", "flow", "kernels", "nn", "ode", "toy"}, libraries: []string{"github.com/go-analyze/charts"}},
	{folder: "realnvp", imports: []string{"bijection", "kernels", "nn", "safetensors"}, tests: []string{"flow"}},
	{folder: "models"},
	{folder: "dataset", libraries: []string{anyLibrary}},
	{folder: "pipeline", imports: []string{"bijection", "dataset", "flow", "kernels", "metrics", "models", "nn", "ode", "realnvp", "safetensors", "unet"}, libraries: []string{anyLibrary}},
	{folder: "bench", imports: []string{"dataset", "flow", "kernels", "nn", "unet", "pipeline"}, libraries: []string{anyLibrary}},
	{folder: "cmd", imports: []string{"compare", "dataset", "pipeline", "bench"}, tests: []string{"kernels", "safetensors", "unet"}, libraries: []string{anyLibrary}},
	{folder: "internal", libraries: []string{anyLibrary}},
}

// libraryOwners names the one folder for each library that only one may import.
var libraryOwners = map[string]string{
	"github.com/klauspost/cpuid/v2": "kernels", // the only place that asks what the CPU can do
}

// builds are the ways to build that show every file: by system, architecture and tag.
var builds = []struct{ os, arch, tags string }{
	{"linux", "amd64", ""},
	{"linux", "arm64", ""},
	{"darwin", "arm64", ""},
	{"windows", "amd64", ""},
	{"linux", "amd64", "noasm"},
	{"linux", "amd64", "purego"},
}

// A node is what go list says of a package.
type node struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImports(t *testing.T) {
	for _, b := range builds {
		t.Run(strings.Trim(b.os+"-"+b.arch+"-"+b.tags, "-"), func(t *testing.T) {
			graph, err := list(b.os, b.arch, b.tags)
			if err != nil {
				t.Fatal(err)
			}
			// The module holds at least its root and the folders of the core; fewer means that go
			// list looked elsewhere, and that this test proves nothing.
			if len(ours(graph)) < 5 {
				t.Fatalf("go list found only %d packages of %s", len(ours(graph)), module)
			}
			for _, broken := range violations(rules, graph) {
				t.Error(broken)
			}
		})
	}
}

// list returns the module's packages and all that they depend on. Cgo is on, so that a file that
// imports "C" shows.
func list(system, arch, tags string) ([]node, error) {
	cmd := exec.Command("go", "list", "-e", "-deps", "-tags="+tags,
		"-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	var graph []node
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var n node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return graph, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		graph = append(graph, n)
	}
}

// ours returns the packages of the module.
func ours(graph []node) []node {
	return slices.DeleteFunc(slices.Clone(graph), func(n node) bool { return folder(n.ImportPath) == "" })
}

// violations lists the imports that the rules forbid, in the order of the graph.
func violations(rules []rule, graph []node) []string {
	var found []string
	for _, n := range ours(graph) {
		from := folder(n.ImportPath)
		i := slices.IndexFunc(rules, func(r rule) bool { return r.folder == from })
		if i < 0 {
			found = append(found, fmt.Sprintf("%s: folder %s is not in the table of imports", n.ImportPath, from))
			continue
		}
		for _, to := range n.Imports {
			found = append(found, rules[i].check(n.ImportPath, to)...)
		}
		relaxed := rules[i]
		relaxed.imports = append(slices.Clone(relaxed.imports), relaxed.tests...)
		relaxed.libraries, relaxed.test = []string{anyLibrary}, true
		for _, to := range slices.Concat(n.TestImports, n.XTestImports) {
			found = append(found, relaxed.check("tests of "+n.ImportPath, to)...)
		}
	}
	return found
}

// check returns what is wrong with an import, if anything.
func (r rule) check(who, to string) []string {
	switch target := folder(to); {
	case target == "":
		return r.checkLibrary(who, to)
	case strings.HasSuffix(who, " "+to):
		return nil // a package's own external test
	case r.folder == "internal":
		return []string{fmt.Sprintf("%s imports %s: internal may import nothing of ours", who, to)}
	case target == r.folder, target == "internal", slices.Contains(r.imports, target):
		return nil
	}
	return []string{fmt.Sprintf("%s imports %s: %s may import %v of ours", who, to, r.folder, r.imports)}
}

func (r rule) checkLibrary(who, to string) []string {
	first, _, _ := strings.Cut(to, "/")
	if to == "C" {
		return []string{who + " uses cgo"}
	}
	if !strings.Contains(first, ".") {
		return nil // the standard library
	}
	for library, owner := range libraryOwners {
		if within(to, library) && r.folder != owner && !r.test {
			return []string{fmt.Sprintf("%s imports %s: only %s may", who, to, owner)}
		}
	}
	for _, library := range r.libraries {
		if library == anyLibrary || within(to, library) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s imports %s: of libraries %s may import %v", who, to, r.folder, r.libraries)}
}

// within reports whether an import path is a module's or lies in it.
func within(to, library string) bool { return to == library || strings.HasPrefix(to, library+"/") }

// folder returns the top folder of a package of ours, "." for the module's root and "" for others.
func folder(importPath string) string {
	if importPath == module {
		return "."
	}
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

// TestViolations feeds the checker graphs that are right and wrong in one thing each.
func TestViolations(t *testing.T) {
	pkg := func(name string, imports ...string) node {
		return node{ImportPath: path.Join(module, name), Imports: prefixed(imports)}
	}
	test := func(name string, imports ...string) node {
		return node{ImportPath: path.Join(module, name), XTestImports: prefixed(imports)}
	}
	for _, c := range []struct {
		name string
		node node
		want string // part of the only message; "" for none
	}{
		{"allowed", pkg("unet", "./nn", "./kernels", "./internal/x", "math"), ""},
		{"same folder", pkg("dataset", "./dataset/mnist"), ""},
		{"library", pkg("pipeline", "golang.org/x/sys/unix"), ""},
		{"owned library at home", pkg("kernels", "github.com/klauspost/cpuid/v2"), ""},
		{"library in a test of the core", test("flow", "pgregory.net/rapid"), ""},
		{"test sees more", test("cmd/fmimg", "./unet"), ""},
		{"external test of internal", test("internal/x", "./internal/x"), ""},
		{"of others", node{ImportPath: "golang.org/x/sys/unix", Imports: []string{module + "/asm"}}, ""},
		{"skips a layer", pkg("nn", "./asm"), "nn imports " + module + "/asm"},
		{"upwards", pkg("kernels", "./nn"), "kernels may import [asm]"},
		{"mathematics knows a file format", pkg("flow", "./dataset"), "flow may import [ode]"},
		{"command below its pipeline", pkg("cmd/fmimg", "./unet"), "cmd may import [compare dataset pipeline bench]"},
		{"pipeline names assembly", pkg("pipeline", "./asm"), "pipeline may import"},
		{"internal knows us", pkg("internal/x", "./flow"), "internal may import nothing"},
		{"internal knows internal", pkg("internal/x", "./internal/y"), "internal may import nothing"},
		{"test of another layer", test("flow", "./unet"), "tests of " + module + "/flow imports"},
		{"library in the core", pkg("nn", "gonum.org/v1/gonum/mat"), "of libraries nn may import []"},
		{"evaluation's linear algebra", pkg("metrics", "gonum.org/v1/gonum/mat", "./kernels"), ""},
		{"evaluation knows its data", pkg("metrics", "./dataset"), "metrics may import [kernels]"},
		{"owned library in a test", test("asm", "github.com/klauspost/cpuid/v2"), ""},
		{"owned library elsewhere", pkg("pipeline", "github.com/klauspost/cpuid/v2"), "only kernels may"},
		{"cgo", pkg("kernels", "C"), "uses cgo"},
		{"unknown folder", pkg("misc", "math"), "folder misc is not in the table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := violations(rules, []node{c.node})
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("unexpected: %q", got)
			case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
				t.Errorf("got %q, want one message with %q", got, c.want)
			}
		})
	}
}

// prefixed turns "./x" into the import path of folder x.
func prefixed(imports []string) []string {
	out := slices.Clone(imports)
	for i, s := range out {
		if rest, ok := strings.CutPrefix(s, "./"); ok {
			out[i] = path.Join(module, rest)
		}
	}
	return out
}

// TestRulesPointDown proves that the table itself has no cycle: each folder imports only those that
// come before it.
func TestRulesPointDown(t *testing.T) {
	var seen []string
	for _, r := range rules {
		for _, to := range r.imports {
			if !slices.Contains(seen, to) {
				t.Errorf("%s may import %s, which does not come before it in the table", r.folder, to)
			}
		}
		seen = append(seen, r.folder)
	}
}
