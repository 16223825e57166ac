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

// anyLibrary lets a package import any module that has no owner in libraryOwners.
const anyLibrary = "*"

// A rule says what some packages may import besides the standard library and internal. A pattern is
// the path of a package inside the module, "." for its root; with "/..." at its end it means the
// packages below it too.
type rule struct {
	packages  string   // a pattern
	imports   []string // patterns of packages of ours
	tests     []string // further patterns, which the test files may import
	libraries []string // modules of others; test files may import any
	test      bool     // a rule for test files: they may import libraries that have an owner too
}

// rules is the table of who may import whom. Of several rows that match a package the first one
// holds. Each row imports only rows above it. A package without a row is an error. A row without a
// package is allowed.
var rules = []rule{
	// Mathematics, formats and data.
	{packages: "asm/..."},
	{packages: "kernels", imports: []string{"asm"}, libraries: []string{"github.com/klauspost/cpuid/v2"}},
	{packages: "kernels/kernelstest", imports: []string{"kernels"}},
	{packages: "safetensors"},
	{packages: "ode", tests: []string{"ode/odetest"}},
	{packages: "ode/odetest", imports: []string{"ode"}},
	{packages: "flow", imports: []string{"ode"}, tests: []string{"ode/odetest"}},
	{packages: "bijection", imports: []string{"ode"}},
	{packages: "nn", imports: []string{"kernels", "safetensors"}, tests: []string{"kernels/kernelstest"}},
	{packages: "unet", imports: []string{"kernels", "nn", "safetensors"}, tests: []string{"kernels/kernelstest"}},
	{packages: "unet/diffusers", imports: []string{"kernels", "safetensors", "unet"}},
	{packages: "realnvp", imports: []string{"bijection", "kernels", "nn", "safetensors"}, tests: []string{"flow"}},
	{packages: "dataset/decode", libraries: []string{"github.com/disintegration/imaging", "golang.org/x/image",
		"github.com/gen2brain/avif", "github.com/gen2brain/heic", "github.com/gen2brain/jpegxl",
		"github.com/tetratelabs/wazero"}},
	{packages: "dataset/tree", libraries: []string{"github.com/klauspost/compress", "golang.org/x/text"}},
	{packages: "dataset/array", imports: []string{"dataset/tree"}},
	{packages: "dataset/rows",
		libraries: []string{"github.com/klauspost/compress", "github.com/parquet-go/parquet-go"}},
	{packages: "dataset/cluster", libraries: []string{"gonum.org/v1/gonum"}},
	{packages: "dataset", imports: []string{"dataset/array", "dataset/cluster", "dataset/decode", "dataset/rows", "dataset/tree"}},
	{packages: "metrics", imports: []string{"kernels"}, tests: []string{"kernels/kernelstest"},
		libraries: []string{"gonum.org/v1/gonum"}},
	{packages: "models"},
	// What is loaded into a browser goes past the pipeline, whose data sets and pictures are 26 MB.
	{packages: "web", imports: []string{"flow", "kernels", "unet"}, tests: []string{"models", "pipeline/..."}},
	{packages: "web/wasm", imports: []string{"kernels", "web"}},
	{packages: "toy"},
	{packages: "compare", imports: []string{"bijection", "flow", "kernels", "nn", "ode", "toy"},
		libraries: []string{"github.com/go-analyze/charts"}},
	{packages: "cluster", libraries: []string{"github.com/ebitengine/purego"}},

	// The rooms of the pipeline, over what all of them share.
	{packages: "pipeline", imports: []string{"cluster", "dataset", "flow", "kernels"}},
	{packages: "pipeline/engine", imports: []string{"cluster", "kernels", "nn"}, tests: []string{"dataset", "flow", "unet"}},
	{packages: "pipeline/feed", imports: []string{"dataset", "flow", "pipeline"}},
	{packages: "pipeline/picture", imports: []string{"dataset", "pipeline"},
		libraries: []string{"github.com/go-analyze/charts"}},
	{packages: "pipeline/model",
		imports: []string{"bijection", "dataset", "flow", "kernels", "models", "nn", "ode", "realnvp", "safetensors",
			"unet", "unet/diffusers", "pipeline", "pipeline/feed"}},
	{packages: "pipeline/sample",
		imports: []string{"cluster", "flow", "ode", "pipeline", "pipeline/model", "pipeline/picture"},
		tests:   []string{"kernels", "models", "safetensors", "unet"}},
	{packages: "pipeline/run",
		imports: []string{"cluster", "dataset", "kernels", "nn", "ode", "safetensors", "unet", "pipeline",
			"pipeline/engine", "pipeline/feed", "pipeline/model", "pipeline/picture", "pipeline/sample"},
		libraries: []string{"github.com/gofrs/flock"}},
	{packages: "pipeline/distill",
		imports: []string{"cluster", "flow", "kernels", "ode", "safetensors", "unet", "pipeline", "pipeline/engine",
			"pipeline/feed", "pipeline/model", "pipeline/picture", "pipeline/run", "pipeline/sample"},
		tests: []string{"pipeline/edit", "pipeline/field", "pipeline/likelihood", "pipeline/train"}},
	{packages: "pipeline/train",
		imports: []string{"bijection", "cluster", "dataset", "flow", "kernels", "models", "ode", "realnvp", "safetensors",
			"unet", "pipeline", "pipeline/engine", "pipeline/feed", "pipeline/model", "pipeline/picture",
			"pipeline/run", "pipeline/sample"},
		tests: []string{"nn", "unet/diffusers", "pipeline/distill", "pipeline/edit", "pipeline/field", "pipeline/likelihood"}},
	{packages: "pipeline/classify",
		imports: []string{"dataset", "flow", "kernels", "metrics", "nn", "safetensors", "pipeline",
			"pipeline/engine", "pipeline/feed", "pipeline/run"},
		tests: []string{"kernels/kernelstest"}},
	{packages: "pipeline/judge",
		imports: []string{"dataset", "flow", "kernels", "metrics", "nn", "safetensors", "pipeline",
			"pipeline/classify", "pipeline/engine", "pipeline/feed", "pipeline/run"},
		tests: []string{"kernels/kernelstest"}},
	{packages: "pipeline/evaluate",
		imports: []string{"cluster", "dataset", "kernels", "metrics", "pipeline", "pipeline/classify", "pipeline/feed",
			"pipeline/judge", "pipeline/model", "pipeline/picture", "pipeline/sample"},
		tests: []string{"safetensors", "unet"}},
	{packages: "pipeline/likelihood",
		imports: []string{"bijection", "cluster", "dataset", "metrics", "ode", "pipeline", "pipeline/feed", "pipeline/model",
			"pipeline/picture", "pipeline/sample"}},
	{packages: "pipeline/edit",
		imports: []string{"dataset", "flow", "ode", "pipeline", "pipeline/feed", "pipeline/model", "pipeline/picture",
			"pipeline/sample"}},
	{packages: "pipeline/convert",
		imports: []string{"dataset", "flow", "kernels", "nn", "ode", "safetensors", "unet", "unet/diffusers",
			"pipeline", "pipeline/model"},
		tests: []string{"pipeline/sample", "pipeline/train", "pipeline/distill"}},
	{packages: "pipeline/field",
		imports: []string{"flow", "ode", "safetensors", "unet", "pipeline", "pipeline/engine", "pipeline/model",
			"pipeline/sample"},
		tests: []string{"kernels"}},

	// What people and programs use.
	{packages: ".", imports: []string{"pipeline/..."}, tests: []string{"dataset"}},
	{packages: "bench/same"}, // must not depend on what may have changed
	{packages: "bench/peer", tests: []string{"pipeline/train", "unet"}},
	{packages: "bench", libraries: []string{anyLibrary},
		imports: []string{"cluster", "dataset", "flow", "kernels", "safetensors", "unet", "pipeline", "pipeline/engine",
			"pipeline/feed", "pipeline/model", "pipeline/sample", "pipeline/train"}},
	{packages: "bench/quality", imports: []string{"bench", "pipeline/evaluate"}, libraries: []string{anyLibrary}},
	{packages: "serve/draw", imports: []string{"dataset", "flow", "kernels", "models", "ode", "pipeline/..."},
		tests: []string{"realnvp", "safetensors"}},
	{packages: "serve/problem", imports: []string{"pipeline", "serve/draw"}},
	{packages: "serve/runs", imports: []string{"dataset", "pipeline/...", "serve/problem"}, libraries: []string{anyLibrary}},
	{packages: "serve/page", tests: []string{"serve", "serve/draw", "pipeline/..."}},
	{packages: "serve/guard", imports: []string{"serve/problem"}, libraries: []string{"golang.org/x/net/netutil"}},
	{packages: "serve/api", imports: []string{"dataset", "dataset/decode", "serve/draw", "serve/problem", "pipeline/..."}, libraries: []string{anyLibrary}},
	{packages: "serve", imports: []string{"serve/api", "serve/draw", "serve/guard", "serve/page", "serve/problem", "serve/runs", "pipeline/..."}, libraries: []string{anyLibrary}},
	{packages: "cmd/...", imports: []string{"bench", "cluster", "compare", "dataset", "pipeline/...", "serve", "serve/draw"},
		tests: []string{"kernels", "ode", "safetensors", "unet"}, libraries: []string{anyLibrary}},

	// What no user should see: it knows nothing of ours, but for the helpers of the rooms' tests.
	{packages: "internal/roomtest", imports: []string{"cluster", "kernels", "safetensors", "unet"}},
	{packages: "internal/emulate", imports: []string{"kernels"}, libraries: []string{anyLibrary}},
	{packages: "internal/...", libraries: []string{anyLibrary}},
}

// libraryOwners names the one package for each library that only one may import.
var libraryOwners = map[string]string{
	"github.com/klauspost/cpuid/v2": "kernels", // the only place that asks what the CPU can do
	"github.com/ebitengine/purego":  "cluster", // no program with it is static
}

// builds are the ways to build that together use every file: by system, architecture and tag.
var builds = []struct{ os, arch, tags string }{
	{"linux", "amd64", ""},
	{"linux", "arm64", ""},
	{"linux", "386", ""},
	{"darwin", "arm64", ""},
	{"windows", "amd64", ""},
	{"js", "wasm", ""},
	{"linux", "amd64", "noasm"},
	{"linux", "amd64", "purego"},
	{"linux", "amd64", "mpi"},
	{"linux", "amd64", "nodynamic"},
	{"js", "wasm", "nodynamic"},
}

// A node is what go list says about a package.
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
			// The module holds its root and the folders of the core at least. Fewer mean that go
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

// list returns the packages of the module and all packages that they need. Cgo is on, so that go
// list shows a file that imports "C".
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
	return slices.DeleteFunc(slices.Clone(graph), func(n node) bool { return inside(n.ImportPath) == "" })
}

// violations lists the imports that the rules forbid, in the order of the graph.
func violations(rules []rule, graph []node) []string {
	var found []string
	for _, n := range ours(graph) {
		from := inside(n.ImportPath)
		i := slices.IndexFunc(rules, func(r rule) bool { return covers(r.packages, from) })
		if i < 0 {
			found = append(found, fmt.Sprintf("%s is not in the table of imports", n.ImportPath))
			continue
		}
		for _, to := range n.Imports {
			found = append(found, rules[i].check(from, from, to)...)
		}
		relaxed := rules[i]
		relaxed.imports = slices.Concat(relaxed.imports, relaxed.tests)
		relaxed.libraries, relaxed.test = []string{anyLibrary}, true
		for _, to := range slices.Concat(n.TestImports, n.XTestImports) {
			found = append(found, relaxed.check("tests of "+from, from, to)...)
		}
	}
	return found
}

// check returns what is wrong with an import of package from, if anything. who names from in
// messages.
func (r rule) check(who, from, to string) []string {
	target := inside(to)
	if target == "" {
		return r.checkLibrary(who, from, to)
	}
	switch {
	case r.test && target == from: // a package's own external test
		return nil
	case covers("internal/...", target):
		return nil
	case slices.ContainsFunc(r.imports, func(pattern string) bool { return covers(pattern, target) }):
		return nil
	}
	return []string{fmt.Sprintf("%s imports %s: %s may import %v of ours", who, target, r.packages, r.imports)}
}

func (r rule) checkLibrary(who, from, to string) []string {
	first, _, _ := strings.Cut(to, "/")
	if to == "C" {
		return []string{who + " uses cgo"}
	}
	if !strings.Contains(first, ".") {
		return nil // the standard library
	}
	for library, owner := range libraryOwners {
		if within(to, library) && from != owner && !r.test {
			return []string{fmt.Sprintf("%s imports %s: only %s may", who, to, owner)}
		}
	}
	for _, library := range r.libraries {
		if library == anyLibrary || within(to, library) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s imports %s: of libraries %s may import %v", who, to, r.packages, r.libraries)}
}

// within reports whether an import path is the path of a module or lies in it.
func within(to, library string) bool { return to == library || strings.HasPrefix(to, library+"/") }

// inside returns the path of a package of ours inside the module, "." for its root and "" for
// others.
func inside(importPath string) string {
	if importPath == module {
		return "."
	}
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	return rest
}

// covers reports whether a pattern means a package, or all packages that another pattern means.
func covers(pattern, path string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(strings.TrimSuffix(path, "/..."), below)
	}
	return pattern == path
}

// TestViolations gives the checker graphs that are right, or wrong in one thing.
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
		{"a folder of a row", pkg("asm/gen", "math"), ""},
		{"library", pkg("bench", "golang.org/x/sys/unix"), ""},
		{"owned library at home", pkg("kernels", "github.com/klauspost/cpuid/v2"), ""},
		{"library in a test of the core", test("flow", "pgregory.net/rapid"), ""},
		{"test sees more", test("cmd/fmimg", "./unet"), ""},
		{"external test", test("flow", "./flow"), ""},
		{"external test of internal", test("internal/x", "./internal/x"), ""},
		{"of others", node{ImportPath: "golang.org/x/sys/unix", Imports: []string{module + "/asm"}}, ""},
		{"all rooms", pkg("cmd/fmimg", "./pipeline", "./pipeline/sample"), ""},
		{"skips a layer", pkg("nn", "./asm"), "nn imports asm"},
		{"upwards", pkg("kernels", "./nn"), "kernels may import [asm]"},
		{"generated code knows its generator", pkg("kernels", "./asm/gen"), "kernels may import [asm]"},
		{"mathematics knows a file format", pkg("flow", "./dataset"), "flow may import [ode]"},
		{"solvers know a network", pkg("ode", "./flow"), "ode may import []"},
		{"command below its pipeline", pkg("cmd/fmimg", "./unet"), "cmd/... may import"},
		{"pipeline names assembly", pkg("pipeline", "./asm"), "pipeline may import"},
		{"a room reads another one backwards", pkg("pipeline/sample", "./pipeline/train"),
			"pipeline/sample may import"},
		{"a room reads the whole", pkg("pipeline/engine", "./pipeline"), "pipeline/engine may import [cluster kernels nn]"},
		{"internal knows us", pkg("internal/x", "./flow"), "internal/... may import []"},
		{"internal knows internal", pkg("internal/x", "./internal/y"), ""},
		{"test of another layer", test("flow", "./unet"), "tests of flow imports"},
		{"library in the core", pkg("nn", "gonum.org/v1/gonum/mat"), "of libraries nn may import []"},
		{"evaluation's linear algebra", pkg("metrics", "gonum.org/v1/gonum/mat", "./kernels"), ""},
		{"evaluation knows its data", pkg("metrics", "./dataset"), "metrics may import"},
		{"owned library in a test", test("asm", "github.com/klauspost/cpuid/v2"), ""},
		{"owned library elsewhere", pkg("pipeline", "github.com/klauspost/cpuid/v2"), "only kernels may"},
		{"cgo", pkg("kernels", "C"), "uses cgo"},
		{"unknown folder", pkg("misc", "math"), "misc is not in the table"},
		{"unknown room", pkg("pipeline/misc", "math"), "pipeline/misc is not in the table"},
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

// TestRulesPointDown proves that the table itself has no cycle: each row imports only rows above
// it.
func TestRulesPointDown(t *testing.T) {
	for i, r := range rules {
		for _, pattern := range r.imports {
			found := false
			for k, other := range rules {
				if !covers(pattern, other.packages) && !covers(other.packages, pattern) {
					continue
				}
				found = true
				if k >= i {
					t.Errorf("%s may import %s, whose row does not stand above", r.packages, other.packages)
				}
			}
			if !found {
				t.Errorf("%s may import %s, which has no row", r.packages, pattern)
			}
		}
	}
}

// TestRowsAreReached checks that no row is hidden by a row above it.
func TestRowsAreReached(t *testing.T) {
	for i, r := range rules {
		for _, above := range rules[:i] {
			if covers(above.packages, r.packages) {
				t.Errorf("the row of %s is hidden by the one of %s", r.packages, above.packages)
			}
		}
	}
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"flow", "flow", true}, {"flow", "flow/x", false}, {"flow", "flowing", false},
		{"asm/...", "asm", true}, {"asm/...", "asm/gen", true}, {"asm/...", "asmx", false},
		{"pipeline/...", "pipeline/...", true}, {"pipeline", "pipeline/...", false},
	} {
		if covers(c.pattern, c.path) != c.want {
			t.Errorf("covers(%q, %q) = %v", c.pattern, c.path, !c.want)
		}
	}
}
