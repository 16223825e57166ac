package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// someDigits writes a folder of IDX files with the first training and test images of MNIST.
func someDigits(t *testing.T, train, test int) string {
	t.Helper()
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, part := range []struct {
		name   string
		source dataset.Source
		n      int
	}{{"train", set.Train, train}, {"t10k", set.Test, test}} {
		pixels, labels := digitBytes(part.source, part.n)
		roomtest.WriteIDX(t, filepath.Join(dir, part.name+"-images-idx3-ubyte"), pixels, part.n, 28, 28)
		roomtest.WriteIDX(t, filepath.Join(dir, part.name+"-labels-idx1-ubyte"), labels, part.n)
	}
	return dir
}

// digitBytes returns the first images of a source and their labels, as bytes.
func digitBytes(source dataset.Source, n int) (pixels, labels []byte) {
	image := make([]float32, 784)
	for i := range n {
		labels = append(labels, byte(source.Image(i, image)))
		for _, v := range image {
			pixels = append(pixels, dataset.ToByte(v))
		}
	}
	return pixels, labels
}

// asArray writes images of digits into a NumPy file.
func asArray(t *testing.T, pixels []byte) string {
	t.Helper()
	images := &picture.Images{Height: 28, Width: 28, Channels: 1}
	for _, b := range pixels {
		images.Pixels = append(images.Pixels, dataset.FromByte(b))
	}
	var buf bytes.Buffer
	if err := picture.WriteNPY(&buf, images); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "drawn.npy")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustEvaluate evaluates without an error.
func mustEvaluate(t *testing.T, o Options) *Report {
	t.Helper()
	e, err := Evaluate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Real digits that nobody trained on have scores like the floor, copies of training images are
// found out, and noise is bad in every score.
func TestEvaluateTellsImagesApart(t *testing.T) {
	roomtest.NoLeaks(t)
	const n = 200
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Data: someDigits(t, 600, n), Sample: sample.Options{Seed: 1, Threads: 2}}
	copies, _ := digitBytes(set.Train, n)
	o.Images = asArray(t, copies)
	copied := mustEvaluate(t, o)
	if copied.NearestDistance.Max != 0 || *copied.NearestRatio != 0 || *copied.Precision < 0.5 || copied.Count != n {
		t.Errorf("copies of training images: %s", asJSON(t, copied))
	}
	// Other test images are a sample of the same digits, as large as the floor's. The FID of 200
	// images in 64 features is mostly noise, but two samples differ by far less than a factor of
	// two.
	others := make([]byte, 0, n*784)
	pixels := make([]float32, 784)
	var asked []string
	for i := range n {
		asked = append(asked, set.Test.Classes()[set.Test.Image(5000+i, pixels)])
		for _, v := range pixels {
			others = append(others, dataset.ToByte(v))
		}
	}
	o.Images, o.Classes = asArray(t, others), strings.Join(asked, ",")
	fresh := mustEvaluate(t, o)
	if !(*fresh.FIDRatio > 0.5 && *fresh.FIDRatio < 2) || !(*fresh.NearestRatio > 0.8) ||
		!(*fresh.ClassAgreement > 0.97) {
		t.Errorf("real digits: %s", asJSON(t, fresh))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range others {
		others[i] = byte(rng.Uint32())
	}
	o.Images = asArray(t, others)
	noise := mustEvaluate(t, o)
	if !(*noise.FIDRatio > 20) || *noise.Precision > 0.1 || *noise.Recall > 0.1 ||
		!(*noise.ClassAgreement < 0.3) || !(*noise.KID > 10**fresh.KID) {
		t.Errorf("noise: %s", asJSON(t, noise))
	}
	if d := *fresh.Floor.FID - *noise.Floor.FID; d != 0 {
		t.Errorf("the floor depends on the images, by %g", d)
	}
}

// asJSON returns a report as text.
func asJSON(t *testing.T, e *Report) string {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// digitModel writes a model of digits with its first weights.
func digitModel(t *testing.T) string {
	t.Helper()
	cfg, err := unet.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.NumClasses, cfg.NullClass = 11, true
	net, err := unet.New(cfg, kernels.Best(), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	meta := model.Meta{
		Data: "mnist", Classes: set.Train.Classes(), PixelRange: [2]float64{-1, 1},
		Path: "linear", Objective: "velocity",
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := model.WriteCheckpoint(file, net, net.Params().Values, safetensors.F32, meta); err != nil {
		t.Fatal(err)
	}
	return path
}

// A model has the same scores as the pictures that it draws, for any number of threads. A curve has
// a point for each number of evaluations.
func TestEvaluateModel(t *testing.T) {
	roomtest.NoLeaks(t)
	o := Options{
		Model: digitModel(t), Data: someDigits(t, 600, 150), Count: 120, Quick: true, NFE: []int{2, 6},
		Sample: sample.Options{Class: "0-9", Seed: 4, Threads: 2, Method: model.Method{Solver: "euler", Steps: 2}},
	}
	want := mustEvaluate(t, o)
	if want.Evaluations != 4 || want.Count != 120 || want.NearestDistance != nil || want.KID != nil ||
		len(want.Curve) != 2 || want.Curve[1].Evaluations != 6 {
		t.Errorf("%s", asJSON(t, want))
	}
	o.Sample.Threads, o.NFE = 1, nil
	got := mustEvaluate(t, o)
	if *got.FID != *want.FID || !slices.Equal(got.Histogram, want.Histogram) ||
		*got.ClassAgreement != *want.ClassAgreement {
		t.Errorf("one thread: %s; two: %s", asJSON(t, got), asJSON(t, want))
	}
	folder := filepath.Join(t.TempDir(), "drawn") + "/"
	drawing := sample.Options{
		Count: 120, Class: "0-9", Seed: 4, Method: model.Method{Solver: "euler", Steps: 2},
	}
	to := sample.GenerateOptions{Model: o.Model, Out: folder, Sample: drawing}
	if _, err := sample.Generate(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	drawn := mustEvaluate(t, Options{
		Images: folder, Classes: "0-9", Data: o.Data, Quick: true, Sample: sample.Options{Seed: 4},
	})
	// Features of an image depend on its place in a chunk only in the last digits of a norm's sums.
	if math.Abs(*drawn.FID-*want.FID) > 1e-6**want.FID || *drawn.ClassAgreement != *want.ClassAgreement {
		t.Errorf("pictures: %s; model: %s", asJSON(t, drawn), asJSON(t, want))
	}
	var chart bytes.Buffer
	if err := want.WriteChart(&chart); err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(&chart); err != nil || m.Bounds().Dx() != 900 {
		t.Errorf("chart: %v", err)
	}
}

// A report says that a model drew in bfloat16. The judge computes in float32 all the same.
func TestEvaluateInBF16(t *testing.T) {
	o := Options{
		Model: digitModel(t), Data: someDigits(t, 600, 150), Count: 120, Quick: true,
		Sample: sample.Options{Class: "0-9", Seed: 4, Threads: 2, Method: model.Method{Solver: "euler", Steps: 2}},
	}
	o.Precision = "f32"
	full := mustEvaluate(t, o)
	o.Precision = "bf16"
	half := mustEvaluate(t, o)
	if half.DrawnIn != "bf16" || full.DrawnIn != "" || *half.Floor.FID != *full.Floor.FID {
		t.Errorf("f32: %s; bf16: %s", asJSON(t, full), asJSON(t, half))
	}
}

// If no class is asked for, a model draws each class as often as it occurs in the training data.
func TestEvaluateDrawsFrequentClasses(t *testing.T) {
	ck, err := model.Open(digitModel(t), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.Open(t.Context(), someDigits(t, 300, 100), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := &evaluator{opt: Options{Count: 300, Sample: sample.Options{Seed: 1}}, ck: ck, set: set}
	want, got := make([]int, 10), make([]int, 10)
	pixels := make([]float32, 784)
	for i := range 300 {
		want[set.Train.Image(i, pixels)]++
	}
	for _, class := range e.frequentClasses() {
		got[class]++
	}
	if !slices.Equal(got, want) {
		t.Errorf("classes %v, the data has %v", got, want)
	}
	ck.Meta.ClassCounts = []int{1, 1, 1, 0, 1, 1, 1, 0, 1, 1} // 3 and 7 were not learned
	for _, class := range e.frequentClasses() {
		if class == 3 || class == 7 {
			t.Errorf("class %d is drawn, which was not trained", class)
		}
	}
	ck.Meta.Classes = []string{"cat", "dog"} // classes that the data does not have
	if e.frequentClasses() != nil {
		t.Error("digits of a model that has other classes")
	}
}

// Each mistake in the options is an error about that option.
func TestEvaluateMistakes(t *testing.T) {
	modelPath, few := digitModel(t), someDigits(t, 120, 120)
	notes := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(notes, []byte("no images"), 0o600); err != nil {
		t.Fatal(err)
	}
	by := func(solver string) sample.Options { return sample.Options{Method: model.Method{Solver: solver}} }
	for _, c := range []struct {
		option string
		o      Options
	}{
		{"images", Options{Model: modelPath, Images: few}},
		{"classes", Options{Model: modelPath, Classes: "0-9"}},
		{"classes", Options{Images: few, Data: few, Classes: "0-12"}},
		{"count", Options{Model: modelPath, Count: 5}},
		{"count", Options{Model: modelPath, Count: -1}},
		// Each step of midpoint takes two evaluations.
		{"evaluations", Options{Model: modelPath, NFE: []int{3}, Sample: by("midpoint")}},
		{"evaluations", Options{Model: modelPath, NFE: []int{4}, Sample: by("dopri5")}},
		{"evaluations", Options{Images: few, NFE: []int{4}}},
		{"data", Options{Images: few, Data: "mnits"}},
		{"size", Options{Model: modelPath, Size: pipeline.Square(32)}},
		{"size", Options{Images: few, Data: few, Size: pipeline.Square(-1)}},
		{"image-channels", Options{Model: modelPath, ImageChannels: feed.RGBA}},
		{"image-channels", Options{Images: few, Data: few, ImageChannels: "cmyk"}},
		{"images", Options{Images: notes}},
		{"isa", Options{Model: modelPath, Arithmetic: pipeline.Arithmetic{ISA: "mmx"}}},
		{"precision", Options{Model: modelPath, Arithmetic: pipeline.Arithmetic{Precision: "f16"}}},
		{"guidance", Options{Model: modelPath, Sample: sample.Options{Method: model.Method{Guidance: math.NaN()}}}},
	} {
		_, err := Evaluate(t.Context(), c.o)
		wrong, ok := errors.AsType[*pipeline.OptionError](err)
		if !ok || wrong.Option != c.option {
			t.Errorf("%+v: %v, want a mistake in %s", c.o, err, c.option)
		}
	}
	_, err := Evaluate(t.Context(), Options{Model: modelPath, Data: few, Classifiers: []string{notes}})
	if err == nil || !strings.Contains(err.Error(), notes) {
		t.Errorf("a text for a classifier: %v", err)
	}
}

// A panel of judges looks at digits; a quick evaluation asks the first one alone, unless others are
// named.
func TestPanelOfDigits(t *testing.T) {
	set, err := dataset.Open(t.Context(), "mnist", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	copies, _ := digitBytes(set.Train, 150)
	o := Options{
		Images: asArray(t, copies), Data: someDigits(t, 400, 150), Quick: true,
		Sample: sample.Options{Seed: 1, Threads: 2},
	}
	alone := mustEvaluate(t, o)
	if alone.Panel != nil || alone.Kept != nil || alone.FID == nil || alone.Histogram == nil {
		t.Errorf("quick: %s", asJSON(t, alone))
	}
	o.Judges, o.Kept = []string{"pooled", "classifier", "random"}, true
	all := mustEvaluate(t, o)
	if p := all.Panel; p == nil || len(p.Judges) != 3 || p.Judges[0].Judge != "pooled" || p.Count != 150 || p.References != 150 {
		t.Fatalf("three judges: %s", asJSON(t, all))
	}
	// The first judge has the report's own scores, and each judge those that it has alone.
	if math.Abs(*all.FID-*all.Panel.Judges[0].Frechet.Value) > 1e-9 || math.Abs(*alone.FID-*all.Panel.Judges[1].Frechet.Value) > 1e-6**alone.FID {
		t.Errorf("FID %g, alone %g: %s", *all.FID, *alone.FID, asJSON(t, all))
	}
	if all.Kept == nil || all.Kept.Judge != "deep" || all.Kept.Frechet.Ratio == nil {
		t.Errorf("the judge that is kept: %s", asJSON(t, all))
	}
	product := 1.0
	for _, s := range all.Panel.Judges {
		product *= *s.Frechet.Ratio
	}
	if math.Abs(math.Cbrt(product)-*all.Panel.Frechet.Ratio) > 1e-9 {
		t.Errorf("the mean of %s", asJSON(t, all))
	}
	o.Sample.Threads = 1
	if got := mustEvaluate(t, o); asJSON(t, got)[:20] != asJSON(t, all)[:20] || *got.Panel.Sliced.Error != *all.Panel.Sliced.Error ||
		*got.Kept.Sliced.Ratio != *all.Kept.Sliced.Ratio {
		t.Errorf("one thread: %s; two: %s", asJSON(t, got), asJSON(t, all))
	}
}

// Images of another shape, without a classifier, have judges that need no labels, and no classes.
func TestPanelWithoutClassifier(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(4, 4))
	for _, part := range []struct {
		name string
		n    int
	}{{"train", 300}, {"t10k", 120}} {
		pixels := make([]byte, part.n*12*10)
		for i := range pixels {
			pixels[i] = byte(rng.Uint32())
		}
		roomtest.WriteIDX(t, filepath.Join(dir, part.name+"-images-idx3-ubyte"), pixels, part.n, 12, 10)
	}
	o := Options{Images: dir, Data: dir, Count: 120, JudgeSteps: 1, Sample: sample.Options{Seed: 1, Threads: 2}}
	var notes []string
	o.OnEvent = func(e pipeline.Event) { notes = append(notes, e.Text) }
	e := mustEvaluate(t, o)
	if e.Histogram != nil || e.ClassAgreement != nil || e.Classifier != "" || e.FID == nil || e.KID == nil ||
		e.Panel.Judges[len(e.Panel.Judges)-1].Judge != "random" {
		t.Errorf("%s", asJSON(t, e))
	}
	if !strings.Contains(strings.Join(notes, "\n"), "no classifier of "+dir) {
		t.Errorf("nothing says that classes are not counted: %q", notes)
	}
	for _, c := range []struct {
		option string
		change func(o *Options)
	}{
		{"judges", func(o *Options) { o.Judges = []string{"rnadom"} }},
		{"judges", func(o *Options) { o.Judges = []string{"random", "random"} }},
		{"classes", func(o *Options) { o.Classes = "0-9" }},
		{"kept", func(o *Options) { o.Kept = true }}, // which knows digits
		{"judge-file", func(o *Options) { o.Judges, o.JudgeFile = []string{"random"}, "judge" }},
	} {
		wrong := o
		c.change(&wrong)
		_, err := Evaluate(t.Context(), wrong)
		if got, ok := errors.AsType[*pipeline.OptionError](err); !ok || got.Option != c.option {
			t.Errorf("%v, want a mistake in %s", err, c.option)
		}
	}
}

// Classifiers from files are the panel, with the random judge, under the names of their files, or
// under their paths where two files have one name.
func TestPanelOfFiles(t *testing.T) {
	other := filepath.Join("..", "judge", "mnist", "deep.safetensors")
	path := filepath.Join(t.TempDir(), "deep.safetensors")
	file, err := os.ReadFile(filepath.Join("..", "judge", "mnist", "pooled.safetensors"))
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	digits := someDigits(t, 300, 120)
	o := Options{
		Images: digits, Data: digits, Count: 100, Classifiers: []string{other, path},
		Judges: []string{"deep", path, "random"}, Quick: true, Sample: sample.Options{Seed: 1, Threads: 2},
	}
	e := mustEvaluate(t, o)
	if p := e.Panel; len(p.Judges) != 3 || p.Judges[0].Judge != "deep" || p.Judges[1].Judge != path || e.Histogram == nil {
		t.Errorf("%s", asJSON(t, e))
	}
	o.Kept = true
	_, err = Evaluate(t.Context(), o)
	if wrong, ok := errors.AsType[*pipeline.OptionError](err); !ok || wrong.Option != "kept" {
		t.Errorf("a judge that is kept beside files: %v", err)
	}
}
