package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fmimg/fmimg/bench"
	"github.com/fmimg/fmimg/compare"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/convert"
	"github.com/fmimg/fmimg/pipeline/distill"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/evaluate"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/field"
	"github.com/fmimg/fmimg/pipeline/judge"
	"github.com/fmimg/fmimg/pipeline/likelihood"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/pipeline/train"
)

// optionFolders are those whose structs of options are looked at, below the root of the module.
var optionFolders = []string{"pipeline", "bench", "compare"}

// resolved returns the zero value of each struct of options with its defaults filled in, by package
// and name.
func resolved() map[string]any {
	return map[string]any{
		"pipeline.Compute":         pipeline.Compute{}.WithDefaults(),
		"pipeline.Arithmetic":      pipeline.Arithmetic{},
		"run.Options":              run.Options{}.WithDefaults(),
		"run.Budget":               run.Budget{}.WithDefaults(),
		"run.Recipe":               run.Recipe{}.WithDefaults(),
		"run.Upkeep":               run.Upkeep{},
		"feed.DataOptions":         feed.DataOptions{}.WithDefaults(),
		"train.Options":            train.Options{}.WithDefaults(),
		"train.NetworkOptions":     train.NetworkOptions{}.WithDefaults(),
		"train.MatchOptions":       train.MatchOptions{}.WithDefaults(),
		"distill.Options":          distill.Options{}.WithDefaults(),
		"classify.Options":         classify.Options{}.WithDefaults(),
		"classify.Recipe":          classify.Recipe{}.WithDefaults(),
		"classify.Warp":            classify.Warp{}.WithDefaults(),
		"model.Method":             model.Method{}.WithDefaults(),
		"model.DensityMethod":      model.DensityMethod{}.WithDefaults(),
		"picture.GridOptions":      picture.GridOptions{}.WithDefaults(),
		"sample.Options":           sample.Options{}.WithDefaults(),
		"sample.GenerateOptions":   sample.GenerateOptions{}.WithDefaults(),
		"evaluate.Options":         evaluate.Options{}.WithDefaults(),
		"likelihood.Options":       likelihood.Options{}.WithDefaults(),
		"field.Options":            field.Options{},
		"judge.SelfOptions":        judge.SelfOptions{},
		"edit.Options":             edit.Options{}.WithDefaults(),
		"edit.InpaintOptions":      edit.InpaintOptions{}.WithDefaults(),
		"edit.InterpolateOptions":  edit.InterpolateOptions{}.WithDefaults(),
		"edit.VaryOptions":         edit.VaryOptions{}.WithDefaults(),
		"bench.Options":            bench.TrainOptions{}.WithDefaults().Options,
		"bench.TrainOptions":       bench.TrainOptions{}.WithDefaults(),
		"bench.GenerateOptions":    bench.GenerateOptions{}.WithDefaults(),
		"bench.ClusterOptions":     bench.ClusterOptions{}.WithDefaults(),
		"bench.KernelOptions":      bench.KernelOptions{}.WithDefaults(),
		"convert.ImportOptions":    convert.ImportOptions{}.WithDefaults(),
		"convert.ONNXOptions":      convert.ONNXOptions{},
		"compare.Options":          compare.Options{}.WithDefaults(),
		"convert.DiffusersOptions": convert.DiffusersOptions{},
	}
}

// inWords are the documented defaults that depend on other options, on the model, the data or the
// machine. A documented default that begins otherwise is a value, which is compared with the real
// one.
var inWords = []string{
	"GOMAXPROCS", "this one alone", "MNIST", "the best of this machine", "the fastest on the instruction set", "all but generic and the unchosen, where there are others", "all",
	"the newest run", "a new one under runs/", "what the model was trained on", "that of MNIST",
	"a quarter of the batch, at most 8", "the first from 1024 on", "as many as the rest of the budget allows",
	"about every minute", "about ten in a run", "as often as takes 1 % of the time",
	"as they are, pictures 32", "what is there", "the network's own", "drawn weights", "that of Objective", "as there",
	"the names of their folders", "those of Data", "label where", "that of Sample, else", "[model.SuggestedGuideShare] for networks", "[DefaultGuideShare], or 1 for networks", "each image a random one",
	"as nearly square as the images can be laid out", "in the run folder of Model, if it is one",
	"as many as take one to two minutes of two cores", "the averages where", "numbers, and no row",
	"curriculum for velocities, and uniform for other objectives", "so many that about 256 are of the largest class",
}

// A documented is a default that the comment of a field names.
type documented struct {
	field string
	value string // as the comment has it; "" where it has none
}

// TestDocumentedDefaults compares the defaults that the comments of options name with those that
// are filled in. An option with a default needs such a comment.
func TestDocumentedDefaults(t *testing.T) {
	known := resolved()
	checked := 0
	for name, fields := range optionStructs(t) {
		options, ok := known[name]
		if !ok {
			if strings.HasSuffix(name, "Options") {
				t.Errorf("%s: it is in no list of this test", name)
			}
			continue
		}
		delete(known, name)
		for _, f := range fields {
			if wrong := f.check(reflect.ValueOf(options).FieldByName(f.field)); wrong != "" {
				t.Errorf("%s.%s: %s", name, f.field, wrong)
			}
			checked++
		}
	}
	if len(known) > 0 {
		t.Errorf("no such structs: %v", slices.Sorted(maps.Keys(known)))
	}
	if checked < 100 {
		t.Errorf("only %d options were found", checked)
	}
}

// check says what is wrong with a documented default, "" for nothing. A struct of options is
// checked by itself.
func (d documented) check(is reflect.Value) string {
	inWord := func(words string) bool { return strings.HasPrefix(d.value, words) }
	switch {
	case d.value == "" && (is.IsZero() || is.Kind() == reflect.Struct), slices.ContainsFunc(inWords, inWord) && d.value != "":
		return ""
	case d.value == "":
		return fmt.Sprintf("its default %v is not documented", is)
	}
	first, _, _ := strings.Cut(strings.ReplaceAll(d.value, ", ", " "), " ")
	if first == "none" || first == "never" {
		if is.IsZero() || is.CanFloat() && is.Float() == option.None { // turned off
			return ""
		}
	} else if sameValue(first, is) {
		return ""
	}
	return fmt.Sprintf("the comment says %q, and the default is %v", first, is)
}

// sameValue reports whether a text is that of a value.
func sameValue(text string, is reflect.Value) bool {
	switch is.Kind() {
	case reflect.Float64:
		v, err := strconv.ParseFloat(text, 64)
		return err == nil && v == is.Float()
	case reflect.Int64: // a duration
		v, err := time.ParseDuration(text)
		return err == nil && int64(v) == is.Int()
	}
	return text == fmt.Sprint(is)
}

// optionStructs returns the documented defaults of the fields of all exported structs in the
// folders of options.
func optionStructs(t *testing.T) map[string][]documented {
	found := map[string][]documented{}
	for _, folder := range optionFolders {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok || !spec.Name.IsExported() {
					return true
				}
				if s, ok := spec.Type.(*ast.StructType); ok {
					found[file.Name.Name+"."+spec.Name.Name] = documentedDefaults(s)
				}
				return false
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// defaultText finds what a comment says that 0 or the empty value stands for.
var defaultText = regexp.MustCompile(`(?:^|[;.] )(?:0|empty|zero|nil|Both 0): (.+?)(?:;|\. |\.?$)`)

// documentedDefaults returns those of the named fields of a struct that are values.
func documentedDefaults(s *ast.StructType) []documented {
	var all []documented
	for _, field := range s.Fields.List {
		switch field.Type.(type) {
		case *ast.FuncType, *ast.StructType:
			continue
		}
		text := strings.Join(strings.Fields(field.Doc.Text()+" "+field.Comment.Text()), " ")
		for _, name := range field.Names {
			d := documented{field: name.Name}
			if m := defaultText.FindStringSubmatch(text); m != nil {
				d.value = m[1]
			}
			all = append(all, d)
		}
	}
	return all
}

// TestWrongDefaultsAreFound shows the check comments that say what is not so.
func TestWrongDefaultsAreFound(t *testing.T) {
	source := `package p
type Options struct {
	// Right is a number; 0: 8; below 0: none.
	Right float64
	// Wrong is another; 0: 9, of others 8.
	Wrong float64
	Silent string
	Name string // empty: midpoint
	// None is a number; 0: none.
	None int
}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	is := reflect.ValueOf(struct {
		Right, Wrong float64
		Silent, Name string
		None         int
	}{8, 8, "base", "adams2", 3})
	var got []string
	for _, d := range documentedDefaults(file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)) {
		got = append(got, d.check(is.FieldByName(d.field)))
	}
	want := []string{
		"", `the comment says "9", and the default is 8`, "its default base is not documented",
		`the comment says "midpoint", and the default is adams2`, `the comment says "none", and the default is 3`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
