package sample

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/gif"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/safetensors"
)

// trained returns a model with random weights.
var trained = sync.OnceValue(func() *model.Checkpoint {
	ck, err := model.Read(bytes.NewReader(roomtest.NamedCheckpoint.Bytes()), pipeline.Arithmetic{})
	if err != nil {
		panic(err)
	}
	return ck
})

// drawn returns the images first..first+n-1 of the options.
func drawn(t *testing.T, o Options, first, n int) *picture.Images {
	t.Helper()
	s, err := NewSampler(trained(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	images, err := s.Draw(context.Background(), first, n)
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// An image is the same to the bit beside any other images, for any number of threads, with solvers
// of fixed and of adaptive steps.
func TestImageDependsOnItsIndexAlone(t *testing.T) {
	roomtest.NoLeaks(t)
	for _, solver := range []string{"midpoint", "dopri5"} {
		o := Options{Count: 13, Seed: 5, Threads: 2}
		o.Method = model.Method{Solver: solver, Steps: 2, Tol: 0.1, Guidance: 2}
		want := drawn(t, o, 0, 13)
		for _, c := range []struct{ threads, count, first, n int }{
			{1, 13, 0, 13}, {3, 64, 0, 13}, {2, 1, 11, 1}, {2, 3, 4, 7},
		} {
			o.Threads, o.Count = c.threads, c.count
			got := drawn(t, o, c.first, c.n)
			part := want.Slice(c.first, c.first+c.n)
			if !slices.Equal(got.Pixels, part.Pixels) || !slices.Equal(got.Labels, part.Labels) {
				t.Errorf("%s: images %d..%d with %+v differ", solver, c.first, c.first+c.n-1, c)
			}
		}
	}
	a, b := drawn(t, Options{Seed: 5}, 0, 2), drawn(t, Options{Seed: 6}, 0, 2)
	if slices.Equal(a.Pixels, b.Pixels) || slices.Equal(a.Slice(0, 1).Pixels, a.Slice(1, 2).Pixels) {
		t.Error("other seeds and indices give the same images")
	}
}

// Images take listed classes in turn, and random ones are equally frequent.
func TestListedClasses(t *testing.T) {
	images := drawn(t, Options{Count: 7, Class: "two,0-1", Method: model.Method{Steps: 1}}, 0, 7)
	if want := []int32{2, 0, 1, 2, 0, 1, 2}; !slices.Equal(images.Labels, want) {
		t.Errorf("classes %v, want %v in turn", images.Labels, want)
	}
	images = drawn(t, Options{Count: 9, Class: "two,0", PerClass: 3, Method: model.Method{Steps: 1}}, 1, 8)
	if want := []int32{2, 2, 0, 0, 0, 2, 2, 2}; !slices.Equal(images.Labels, want) {
		t.Errorf("classes %v of images 1 to 8, want %v, three of each", images.Labels, want)
	}
	none := drawn(t, Options{Count: 2, Class: "none", Method: model.Method{Steps: 1}}, 0, 2)
	if want := []int32{3, 3}; !slices.Equal(none.Labels, want) {
		t.Errorf("classes %v, want the one that means none", none.Labels)
	}
	random := drawn(t, Options{Count: 300, Method: model.Method{Steps: 1, Solver: "euler"}}, 0, 300)
	for class := range int32(3) {
		n := 0
		for _, l := range random.Labels {
			if l == class {
				n++
			}
		}
		if math.Abs(float64(n)-100) > 5*8.2 { // deviation sqrt(300·2/9) = 8.2
			t.Errorf("class %d was drawn %d times of 300", class, n)
		}
	}
}

// With one Euler step from t = 0, guidance W must give x + v_none + W(v_class − v_none).
func TestGuidance(t *testing.T) {
	step := func(class string, w float64) []float32 {
		o := Options{Class: class, Method: model.Method{Guidance: w, Solver: "euler", Steps: 1}}
		return drawn(t, o, 0, 1).Pixels
	}
	class, none, guided := step("1", 1), step("none", 1), step("1", 3)
	for i := range guided {
		want := none[i] + 3*(class[i]-none[i])
		if math.Abs(float64(guided[i]-want)) > 1e-5 {
			t.Fatalf("pixel %d is %v, want %v", i, guided[i], want)
		}
	}
	if slices.Equal(class, none) {
		t.Error("the class changes nothing: the test proves nothing")
	}
	// A model that was trained for guidance has a default. Guidance changes nothing for images of
	// no class.
	if !slices.Equal(step("1", 0), step("1", model.DefaultGuidance)) ||
		!slices.Equal(step("none", 0), none) || !slices.Equal(step("none", 5), none) {
		t.Error("the default guidance is another")
	}
}

// The default guidance is 1 where a model was not trained for guidance.
func TestDefaultGuidance(t *testing.T) {
	for path, want := range map[string]float64{
		roomtest.SmallModel(t, true, 0):  model.DefaultGuidance,
		roomtest.SmallModel(t, false, 0): 1,
		roomtest.NoNullClass(t):          1,
	} {
		o := GenerateOptions{Model: path, Out: filepath.Join(t.TempDir(), "a.png")}
		o.Sample.Steps = 1
		result, err := Generate(t.Context(), o)
		if err != nil || result.Guidance != want {
			t.Errorf("guidance %v of %s, want %v: %v", result.Guidance, path, want, err)
		}
	}
}

// layOut settles the grid and the classes from the options that are given and from the number of
// classes.
func TestLayOut(t *testing.T) {
	const img, folder = "a.png", "a/"
	for _, c := range []struct {
		out          string
		listed       int
		rows, cols   int
		count        int
		wantRows     int
		wantCols     int
		wantCount    int
		wantPerClass int
	}{
		{out: img, listed: 0, wantRows: 8, wantCols: 8, wantCount: 64, wantPerClass: 1},
		{out: img, listed: 1, wantRows: 8, wantCols: 8, wantCount: 64, wantPerClass: 1},
		{out: img, listed: 10, wantRows: 10, wantCols: 8, wantCount: 80, wantPerClass: 8},
		{out: "a.gif", listed: 2, wantRows: 2, wantCols: 8, wantCount: 16, wantPerClass: 8},
		{out: folder, listed: 10, wantRows: 8, wantCols: 8, wantCount: 64, wantPerClass: 1},
		{out: "a.npy", listed: 10, wantRows: 8, wantCols: 8, wantCount: 64, wantPerClass: 1},
		{out: img, listed: 10, rows: 10, cols: 4, wantRows: 10, wantCols: 4, wantCount: 40, wantPerClass: 4},
		{out: folder, listed: 10, rows: 10, cols: 4, wantRows: 10, wantCols: 4, wantCount: 40, wantPerClass: 4},
		{out: img, listed: 10, rows: 10, cols: 4, count: 30, wantRows: 10, wantCols: 4, wantCount: 30, wantPerClass: 4},
		{out: img, listed: 10, rows: 1, cols: 10, wantRows: 1, wantCols: 10, wantCount: 10, wantPerClass: 1},
		{out: img, listed: 10, rows: 4, cols: 10, wantRows: 4, wantCols: 10, wantCount: 40, wantPerClass: 1},
		{out: img, listed: 4, count: 16, wantRows: 4, wantCols: 4, wantCount: 16, wantPerClass: 1},
	} {
		o := GenerateOptions{Grid: picture.GridOptions{Rows: c.rows, Cols: c.cols}, Sample: Options{Count: c.count}}
		form, err := outputFor(c.out)
		if err != nil {
			t.Fatal(err)
		}
		o.layOut(form, c.listed)
		s := o.Sample.WithDefaults()
		if o.Grid.Rows != c.wantRows || o.Grid.Cols != c.wantCols ||
			s.Count != c.wantCount || s.PerClass != c.wantPerClass {
			t.Errorf("%+v: grid %dx%d of %d images, %d of each class", c, o.Grid.Rows, o.Grid.Cols, s.Count, s.PerClass)
		}
	}
}

// A picture has a row for each class, by number or name. Its text lists the classes, and image i
// has the same pixels as when it is drawn alone.
func TestClassRows(t *testing.T) {
	var stdout bytes.Buffer
	o := GenerateOptions{Model: roomtest.NamedModel(t), Out: "-", Stdout: &stdout}
	o.Sample.Class, o.Sample.Steps = "2,zero", 1
	o.Grid.Padding = option.None
	if _, err := Generate(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	want := [2]string{"fmimg.classes", strings.Repeat("2,", 8) + "0" + strings.Repeat(",0", 7)}
	if got := roomtest.ReadTexts(t, stdout.Bytes()); !slices.Contains(got, want) {
		t.Errorf("texts %v, want %v", got, want)
	}
	grid, err := png.Decode(&stdout)
	if err != nil || grid.Bounds() != image.Rect(0, 0, 8*8, 2*8) {
		t.Fatalf("picture %v, %v", grid.Bounds(), err)
	}
	ck, err := model.Open(o.Model, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSampler(ck, Options{Count: 16, Class: "0", Method: model.Method{Steps: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	images, err := s.Draw(context.Background(), 9, 1)
	if err != nil {
		t.Fatal(err)
	}
	one, err := picture.Grid(images, picture.GridOptions{Padding: option.None})
	if err != nil {
		t.Fatal(err)
	}
	for y := range 8 {
		for x := range 8 {
			if got, want := grid.At(8+x, 8+y), one.At(x, y); got != want {
				t.Fatalf("pixel %d,%d of image 9 is %v, want %v", x, y, got, want)
			}
		}
	}
}

func TestGenerateFiles(t *testing.T) {
	dir := t.TempDir()
	layout := picture.GridOptions{Rows: 2, Cols: 3, Padding: option.None}
	o := GenerateOptions{Model: roomtest.NamedModel(t), Grid: layout}
	o.Sample = Options{Seed: 9, Class: "0-2", Method: model.Method{Steps: 2}}
	generate := func(name string) string {
		t.Helper()
		p := o
		p.Out = filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			p.Out += "/"
		}
		if _, err := Generate(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		return p.Out
	}
	grid := roomtest.ReadPNG(t, generate("a.png"))
	if h, w := grid.Bounds().Dy(), grid.Bounds().Dx(); h != 16 || w != 24 {
		t.Errorf("grid of %dx%d pixels", h, w)
	}

	// The array has the header that NumPy's documentation describes, and the images behind it.
	npy, err := os.ReadFile(generate("a.npy"))
	if err != nil {
		t.Fatal(err)
	}
	header := "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (6, 8, 8, 1), }"
	if !bytes.HasPrefix(npy, []byte(header)) || npy[127] != '\n' || len(npy) != 128+4*6*64 {
		t.Errorf("npy of %d bytes: %q", len(npy), npy[:128])
	}

	folder := generate("images/")
	for i := range 6 {
		one := roomtest.ReadPNG(t, filepath.Join(folder, "00000"+strconv.Itoa(i)+".png"))
		for y := range 8 {
			for x := range 8 {
				if one.At(x, y) != grid.At(i%3*8+x, i/3*8+y) {
					t.Fatalf("image %d of the folder is not the one of the grid", i)
				}
			}
		}
	}
	testGIF(t, generate("a.gif"), 3)
}

func testGIF(t *testing.T, path string, frames int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	movie, err := gif.DecodeAll(file)
	if err != nil || len(movie.Image) != frames {
		t.Fatalf("%d frames, %v, want %d", len(movie.Image), err, frames)
	}
	if slices.Equal(movie.Image[0].Pix, movie.Image[frames-1].Pix) {
		t.Error("nothing moves")
	}
}

func TestProvenance(t *testing.T) {
	modelPath := roomtest.NamedModel(t)
	for precision, recorded := range map[string]string{"f32": "", "bf16": "bf16"} {
		var stdout bytes.Buffer
		o := GenerateOptions{Model: modelPath, Out: "-", Stdout: &stdout}
		o.Sample = Options{Count: 2, Seed: 9, Class: "1,2", Method: model.Method{Steps: 2, Guidance: 1.5}}
		o.Precision = precision
		if _, err := Generate(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, text := range roomtest.ReadTexts(t, stdout.Bytes()) {
			got[text[0]] = text[1]
		}
		for key, want := range map[string]string{
			"Software": "fmimg " + pipeline.Version(), "fmimg.version": pipeline.Version(),
			"fmimg.seed": "9", "fmimg.solver": "abm2", "fmimg.steps": "2",
			"fmimg.guidance": "1.5", "fmimg.classes": "1,2", "fmimg.model": roomtest.DataHash(t, modelPath),
			"fmimg.precision": recorded,
		} {
			if got[key] != want {
				t.Errorf("in %s, %s is %q, want %q", precision, key, got[key], want)
			}
		}
	}
}

func TestGenerateOptionErrors(t *testing.T) {
	model, dir := roomtest.NamedModel(t), t.TempDir()
	for _, c := range []struct {
		option string
		change func(*GenerateOptions)
	}{
		{"out", func(o *GenerateOptions) { o.Out = "" }},
		{"out", func(o *GenerateOptions) { o.Out = "samples.jpg" }},
		{"grid", func(o *GenerateOptions) { o.Grid = picture.GridOptions{Rows: 100000, Cols: 100000} }},
		{"grid", func(o *GenerateOptions) { o.Grid = picture.GridOptions{Rows: 5000, Cols: 5000} }},
		{"count", func(o *GenerateOptions) { o.Sample.Count = -4 }},
		{"count", func(o *GenerateOptions) { o.Grid, o.Sample.Count = picture.GridOptions{Rows: 2, Cols: 2}, 5 }},
		{"count", func(o *GenerateOptions) { o.Out, o.Sample.Count = filepath.Join(dir, "a.npy"), 1<<22+1 }},
		{"steps", func(o *GenerateOptions) { o.Sample.Steps = -1 }},
		{"steps", func(o *GenerateOptions) { o.Out, o.Sample.Steps = filepath.Join(dir, "a.gif"), 100000 }},
		{"solver", func(o *GenerateOptions) { o.Sample.Solver = "rk5" }},
		{"tol", func(o *GenerateOptions) { o.Sample.Tol = math.NaN() }},
		{"guidance", func(o *GenerateOptions) { o.Sample.Guidance = math.NaN() }},
		{"class", func(o *GenerateOptions) { o.Sample.Class = "0-9" }},
		{"per-class", func(o *GenerateOptions) { o.Sample.PerClass = -1 }},
		{"threads", func(o *GenerateOptions) { o.Sample.Threads = -1 }},
		{"isa", func(o *GenerateOptions) { o.ISA = "mmx" }},
		{"precision", func(o *GenerateOptions) { o.Precision = "f16" }},
		{"padding", func(o *GenerateOptions) { o.Grid = picture.GridOptions{Rows: 1, Cols: 1, Padding: 1 << 20} }},
	} {
		o := GenerateOptions{Model: model, Out: filepath.Join(dir, "a.png")}
		c.change(&o)
		_, err := Generate(context.Background(), o)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != c.option {
			t.Errorf("error %v, want one about %s", err, c.option)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Files that cannot be written or read are found before the work. The error names them.
func TestGenerateFileErrors(t *testing.T) {
	modelPath, dir := roomtest.NamedModel(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old.png"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	twin := filepath.Join(t.TempDir(), "model.npy")
	if err := os.Link(modelPath, twin); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(t.TempDir(), model.File)
	if err := os.Mkdir(odd, 0o755); err != nil {
		t.Fatal(err)
	}
	one := safetensors.Tensor{Name: "a", DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}}
	file := &safetensors.File{Tensors: []safetensors.Tensor{one}}
	foreign := roomtest.WriteTensors(t, t.TempDir(), "foreign.safetensors", file)
	long := strings.Repeat("x", 300)
	for name, o := range map[string]GenerateOptions{
		"no/such":                           {Model: modelPath, Out: filepath.Join(dir, "no", "such", "a.png")},
		"not empty":                         {Model: modelPath, Out: dir},
		"no-model":                          {Model: "no-model", Out: filepath.Join(dir, "a.png")},
		model.File:                          {Model: dir, Out: filepath.Join(dir, "a.png")},
		"old.png":                           {Model: filepath.Join(dir, "old.png"), Out: filepath.Join(dir, "a.png")},
		"there is a file of this name":      {Model: modelPath, Out: filepath.Join(dir, "old.png") + "/"},
		"out " + twin + ": is the model":    {Model: twin, Out: twin},
		long:                                {Model: modelPath, Out: filepath.Join(dir, long+".png")},
		"it is a folder: name a run folder": {Model: filepath.Dir(odd), Out: filepath.Join(dir, "a.png")},
		"fmimg.config":                      {Model: foreign, Out: filepath.Join(dir, "a.png")},
	} {
		o.Sample.OnEvent = func(e pipeline.Event) { t.Errorf("%s: work began: %+v", name, e) }
		_, err := Generate(context.Background(), o)
		if err == nil || !strings.Contains(filepath.ToSlash(err.Error()), filepath.ToSlash(name)) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestGenerateInterrupted(t *testing.T) {
	roomtest.NoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	out := filepath.Join(t.TempDir(), "a.png")
	o := GenerateOptions{Model: roomtest.NamedModel(t), Out: out}
	o.Sample = Options{Count: 100, Threads: 1, Method: model.Method{Steps: 3}}
	o.Sample.OnEvent = func(e pipeline.Event) {
		if e.Kind == pipeline.Sampled {
			cancel()
		}
	}
	if _, err := Generate(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a picture was written all the same")
	}
}

// Images of no class can be asked for in a model with a class of that name, and the notes on it are
// sent.
func TestNoClassBesideAClassOfThatName(t *testing.T) {
	ck, err := model.Read(bytes.NewReader(roomtest.NamedCheckpoint.Bytes()), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	ck.Meta.Classes = []string{"zero", "none", "two"}
	for _, c := range []struct {
		options Options
		row     int32
		notes   int
	}{
		{Options{Class: "none"}, 1, 1}, {Options{Class: `"none"`}, 1, 0}, {Options{Class: "3"}, 3, 0},
		{Options{Class: "none", NoClass: true}, 3, 0},
	} {
		notes := 0
		c.options.OnEvent = func(e pipeline.Event) {
			if e.Kind == pipeline.Noted {
				notes++
			}
		}
		images, err := Draw(context.Background(), ck, c.options)
		if err != nil || images.Labels[0] != c.row || notes != c.notes {
			t.Errorf("%q, no class %v: row %v with %d notes, %v", c.options.Class, c.options.NoClass, images.Labels, notes, err)
		}
	}
}
