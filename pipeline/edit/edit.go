package edit

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// Options say which images to change, by which model. What is done with them is up to [Inpaint],
// [Interpolate] and [Vary], which take more options. The zero value of each option is its default.
type Options struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which
	// is part of the program.
	Model string
	// Out is FILE.png, with a row for each image, or pair of images; needed.
	Out string

	// In are pictures of any size, cropped and resized as a data set's; empty: those of Data.
	In []string
	// Data names the images, those that training does not see, that Index counts; empty: what the
	// model was trained on.
	Data string
	// Index are numbers of images of Data, from 0.
	Index []int

	// Class lists classes that the images take in turn, as for [sample.Options]; empty: those of
	// Data's labels where the model has them, else none, where the model has that.
	Class string
	// Count is the number of images made of each; 0: 8, of [Inpaint] 6.
	Count int

	// Guidance is that of [model.Method]; 0: 1.
	Guidance float64
	// Solver is a name of ode.SolverNames; empty: midpoint.
	Solver string
	// Steps are those of the solver; 0: 40, of [Inpaint] by resampling 20.
	Steps int
	// Tol is the error that dopri5 allows a step; 0: 1e-4.
	Tol float64
	// Seed is that of the noise. The command takes 1 unless it is told another.
	Seed uint64
	pipeline.Compute

	// Padding is that of [picture.GridOptions]; 0: 2; below 0: none.
	Padding int
	// Scale is that of [picture.GridOptions]; 0: 2.
	Scale int

	// OnEvent is told of progress, by one goroutine at a time; may be nil.
	OnEvent func(pipeline.Event)
}

// An Result says what was made.
type Result struct {
	Path      string
	Inputs    int
	Images    int // made of them
	Model     string
	RoundTrip float64 // of Interpolate: root mean square over the pixels, in [-1,1], of what inversion and the way back change
}

const (
	defaultEdits      = 8
	defaultScale      = 2
	defaultEditSteps  = 40
	defaultEditSolver = "midpoint" // whose way back undoes the way there more nearly
	maxEdited         = 1 << 12    // inputs
)

// WithDefaults fills in what has one default for all models.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Count, defaultEdits)
	option.SetDefault(&o.Guidance, 1)
	option.SetDefault(&o.Solver, defaultEditSolver)
	option.SetDefault(&o.Steps, defaultEditSteps)
	option.SetDefault(&o.Tol, model.DefaultTol)
	o.Compute = o.Compute.WithDefaults()
	option.SetDefault(&o.Padding, picture.DefaultPadding)
	option.SetDefault(&o.Scale, defaultScale)
	return o
}

// validate reports the first option that cannot be used with any model, and tries the output.
func (o *Options) validate() error {
	sample := sample.Options{Method: model.Method{Guidance: o.Guidance, Solver: o.Solver, Steps: o.Steps, Tol: o.Tol}, Threads: o.Threads}
	switch {
	case o.Out == "":
		return option.Errorf("out", nil, "is needed: name a file, such as edited.png")
	case !strings.HasSuffix(strings.ToLower(o.Out), ".png"):
		return option.Errorf("out", o.Out, "its name must end in .png")
	case len(o.In) == 0 && len(o.Index) == 0:
		return option.Errorf("in", nil, "is needed: name pictures, or images of a data set by data and index")
	case len(o.In) > 0 && (o.Data != "" || len(o.Index) > 0):
		return option.Errorf("in", strings.Join(o.In, ","),
			"images are files, or those of a data set by data and index: give one of the two")
	case len(o.In) > maxEdited || len(o.Index) > maxEdited:
		return option.Errorf("index", nil,
			"%d images are too many for one picture: at most %d", max(len(o.In), len(o.Index)), maxEdited)
	}
	if err := sample.Validate(); err != nil {
		return err
	}
	if err := option.Between("count", o.Count, 1, maxEdited); err != nil {
		return err
	}
	if err := pipeline.ValidateISA(o.ISA); err != nil {
		return err
	}
	if slices.ContainsFunc(o.In, func(in string) bool { return regular.Same(in, o.Out) }) {
		return option.Errorf("out", o.Out, "is one of the pictures: name another file")
	}
	return atomicfile.Probe(o.Out)
}

// An editor changes images by a model, with workers of its own.
type editor struct {
	opt      Options
	ck       *model.Checkpoint
	net      *model.UNet
	predicts model.Prediction // by the network
	solver   ode.Solver
	how      string // images are made, for their picture
	inputs   *picture.Images
	known    []int32 // the classes of the inputs: of Class, or those of the data's labels as the model counts them; -1 for none
	crew     *crew.Crew
	nets     []model.Replica // of the workers
	fields   []*model.VelocityDrawer

	mu   sync.Mutex
	done int
	err  error
}

// newEditor opens the model and the images; begin must follow.
func newEditor(ctx context.Context, o Options) (*editor, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	ck, u, err := model.OpenUNet(o.Model, o.ISA)
	if err != nil {
		return nil, err
	}
	if regular.Same(ck.Path, o.Out) {
		return nil, option.Errorf("out", o.Out, "is the model: name another file")
	}
	e := &editor{opt: o, ck: ck, net: u}
	if e.predicts, err = u.Velocity(ck.Path); err != nil {
		return nil, err
	}
	if e.solver, err = ode.NewSolver(o.Solver, o.Steps, o.Tol); err != nil {
		return nil, err
	}
	e.how = e.solver.String()
	if len(o.In) > 0 {
		err = e.readFiles()
	} else {
		err = e.readData(ctx)
	}
	if err != nil {
		return nil, err
	}
	err = e.settleClasses()
	return e, err
}

// begin starts the workers for a picture of so many rows and columns, once all mistakes are found; close ends them.
// train says that the networks' gradients are needed.
func (e *editor) begin(rows, cols int, train bool) error {
	if err := e.checkPicture(rows, cols); err != nil {
		return err
	}
	e.crew = crew.New(e.opt.Threads)
	for range e.opt.Threads {
		net := e.net.NewReplica(sample.ReplicaImages, train)
		e.nets = append(e.nets, net)
		e.fields = append(e.fields, model.NewVelocityDrawer(net, sample.ReplicaImages, e.ck.Shape().Len()))
	}
	e.emit(pipeline.Event{Kind: pipeline.Started, Path: e.ck.Path, Text: fmt.Sprintf("%s: editing %s", sample.DescribeCheckpoint(e.ck), text.Count(e.inputs.Len(), "image", "images"))})
	return nil
}

func (e *editor) close() { e.crew.Close() }

func (e *editor) emit(event pipeline.Event) {
	if e.opt.OnEvent != nil {
		e.opt.OnEvent(event)
	}
}

// readFiles reads the pictures.
func (e *editor) readFiles() error {
	e.inputs = picture.Blank(e.ck.Shape(), len(e.opt.In))
	e.known = slices.Repeat([]int32{-1}, len(e.opt.In))
	for i, path := range e.opt.In {
		pixels, err := e.readPicture(path, "in")
		if err != nil {
			return err
		}
		copy(e.inputs.Pixels[i*len(pixels):], pixels)
	}
	return nil
}

// readPicture reads a file in the shape of the model's images; name is that of the option, for errors.
func (e *editor) readPicture(path, name string) ([]float32, error) {
	s := e.ck.Shape()
	if s.Height != s.Width {
		return nil, option.Errorf(name, path,
			"pictures become squares, and the model's images are %dx%d: use data and index",
			s.Height, s.Width)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, option.Errorf(name, path, "%v: name a picture", regular.Reason(err))
	}
	return dataset.ReadPicture(path, s.Height, s.Channels)
}

// readData takes images of a data set, and their classes.
func (e *editor) readData(ctx context.Context) error {
	name := e.opt.Data
	option.SetDefault(&name, e.ck.Meta.Data)
	if name == "" {
		return option.Errorf("data", nil, "is needed: the model does not say what it was trained on")
	}
	set, err := e.ck.DataRequest(name, "data", e.opt.Threads, e.opt.OnEvent).Open(ctx)
	if err != nil {
		return err
	}
	source := set.Test
	if source == nil {
		source = set.Train
	}
	classes := model.MatchClasses(source.Classes(), e.ck.Meta.Classes)
	e.inputs = picture.Blank(e.ck.Shape(), len(e.opt.Index))
	d := e.inputs.ImageLen()
	for i, index := range e.opt.Index {
		if index < 0 || index >= source.Len() {
			return option.Errorf("index", index, "%s holds images 0-%d", source.Name(), source.Len()-1)
		}
		class := int32(-1)
		if label := source.Image(index, e.inputs.Pixels[i*d:(i+1)*d]); label >= 0 {
			class = int32(classes[label])
		}
		e.known = append(e.known, class)
	}
	return nil
}

// settleClasses lets the images take the classes that are asked for in turn.
func (e *editor) settleClasses() error {
	labels := e.ck.Labels()
	if _, err := e.ck.SettleGuidance(e.ck.Path, e.opt.Guidance); err != nil {
		return err
	}
	switch {
	case e.opt.Class != "" && labels.Rows() == 0:
		return option.Errorf("class", e.opt.Class, "%s takes no class", model.ModelName(e.ck.Path))
	case e.opt.Class != "":
		turn, err := e.ck.ClassList().Parse(e.opt.Class)
		if err != nil {
			return err
		}
		for i := range e.known {
			e.known[i] = turn[i%len(turn)]
		}
	case labels.Rows() > 0 && !labels.Null && slices.Contains(e.known, -1):
		return option.Errorf("class", nil,
			"is needed: %s draws no image without one, and nobody knows those of the images",
			model.ModelName(e.ck.Path))
	}
	return nil
}

// row returns the row of label_emb for a class, that of "no class" for -1.
func (e *editor) row(class int32) int32 {
	if class < 0 {
		return e.ck.Labels().NullRow()
	}
	return class
}

// each lets the workers solve for n states, a few at a time: solve is given the velocity under the states' classes, where
// its states begin, and their numbers. done more of Total states are finished with each.
func (e *editor) each(ctx context.Context, out []float32, classes []int32, total int, solve func(ctx context.Context, worker, from int, f ode.Field, x []float32) error) error {
	d, n, labels := e.ck.Shape().Len(), len(classes), e.ck.Labels()
	draw := model.Drawing{Guidance: e.opt.Guidance, Null: labels.NullRow(), Plan: model.Plan{Predicts: e.predicts}}
	if labels.Rows() > 0 {
		for _, class := range classes {
			draw.Labels = append(draw.Labels, e.row(class))
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	size := min(sample.ReplicaImages, max(1, (n+len(e.nets)-1)/len(e.nets)))
	err := e.crew.Each(ctx, len(e.nets), (n+size-1)/size, func(worker, chunk int) {
		from, to := chunk*size, min(n, (chunk+1)*size)
		err := solve(ctx, worker, from, e.fields[worker].Field(&draw, from), out[from*d:to*d])
		e.mu.Lock()
		defer e.mu.Unlock()
		if err != nil {
			if e.err == nil {
				e.err = err
			}
			stop()
			return
		}
		e.done += to - from
		e.emit(pipeline.Event{Kind: pipeline.Sampled, Images: e.done, Total: total})
	})
	if e.err != nil {
		return e.err
	}
	return err
}

// write writes rows of images, cols each, as a PNG that says how they were made.
func (e *editor) write(rows *picture.Images, cols int, texts ...picture.Text) error {
	o := &e.opt
	img, err := picture.Grid(rows, picture.GridOptions{Rows: rows.Len() / cols, Cols: cols, Padding: o.Padding, Scale: o.Scale})
	if err != nil {
		return err
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error { return picture.WritePNG(w, img, append(e.texts(), texts...)) })
}

func (e *editor) texts() []picture.Text {
	o := &e.opt
	t := []picture.Text{
		{"Software", "fmimg " + pipeline.Version()}, {"fmimg.version", pipeline.Version()}, {"fmimg.model", e.ck.Hash},
		{"fmimg.seed", strconv.FormatUint(o.Seed, 10)}, {"fmimg.solver", e.how}, {"fmimg.guidance", fmt.Sprint(o.Guidance)},
	}
	if e.ck.Labels().Rows() > 0 {
		t = append(t, picture.Text{"fmimg.classes", picture.JoinInts(e.known)})
	}
	return t
}

// checkPicture bounds the picture before the work.
func (e *editor) checkPicture(rows, cols int) error {
	s := e.ck.Shape()
	if err := (picture.GridOptions{Rows: rows, Cols: cols, Padding: e.opt.Padding, Scale: e.opt.Scale}).Validate(s.Height, s.Width); err != nil {
		return option.Errorf("count", e.opt.Count, "%s", err.Error()) // as it is: about the grid of the picture
	}
	if !sample.FitsMemory(s, rows*cols) {
		return option.Errorf("count", e.opt.Count, "so many images do not fit into one picture")
	}
	return nil
}

// repeated returns each class so many times.
func repeated(classes []int32, times int) []int32 {
	var all []int32
	for _, class := range classes {
		all = append(all, slices.Repeat([]int32{class}, times)...)
	}
	return all
}

// input returns the pixels of an input.
func (e *editor) input(i int) []float32 {
	d := e.inputs.ImageLen()
	return e.inputs.Pixels[i*d : (i+1)*d]
}

// VaryOptions say how far images may change.
type VaryOptions struct {
	Options
	// Level is how much of the way to noise an image goes before it is drawn again, in (0, 1]; 0:
	// 0.5.
	Level float64
}

// WithDefaults fills in what has one default for all models.
func (o VaryOptions) WithDefaults() VaryOptions {
	o.Options = o.Options.WithDefaults()
	option.SetDefault(&o.Level, defaultLevel)
	return o
}

const defaultLevel = 0.5

// Vary draws variations: an image is put on the path at t = 1 − level with fresh noise, x_t = α_t·x1 + σ_t·x0, and from
// there the flow is solved forward (Meng et al. 2022, "SDEdit", for a flow). What noise has hidden is drawn anew.
// A row is an image and its variations. A mistake in the options is an [*OptionError].
func Vary(ctx context.Context, o VaryOptions) (*Result, error) {
	o = o.WithDefaults()
	if !(o.Level > 0 && o.Level <= 1) {
		return nil, option.Errorf("level", o.Level, "a share of the way to noise, above 0 and at most 1, is needed")
	}
	e, err := newEditor(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	if err := e.begin(n, count+1, false); err != nil {
		return nil, err
	}
	defer e.close()
	varied := make([]float32, n*count*d)
	from := 1 - o.Level
	c := e.predicts.Path.At(from)
	for i := range n * count {
		x := varied[i*d : (i+1)*d]
		editNoise(x, o.Seed, i/count, i%count, 0)
		flow.Interpolate(x, x, e.input(i/count), c)
	}
	err = e.each(ctx, varied, repeated(e.known, count), n*count, func(ctx context.Context, _, _ int, f ode.Field, x []float32) error {
		_, err := e.solver.Solve(ctx, f, x, len(x)/d, from, 1)
		return err
	})
	if err != nil {
		return nil, err
	}
	rows := e.rows(n, count+1)
	for i := range n {
		rows.Pixels = append(append(rows.Pixels, e.input(i)...), varied[i*count*d:(i+1)*count*d]...)
	}
	err = e.write(rows, count+1, picture.Text{"fmimg.edit", "variations"}, picture.Text{"fmimg.level", fmt.Sprint(o.Level)})
	return &Result{Path: e.opt.Out, Inputs: n, Images: n * count, Model: e.ck.Path}, err
}

// rows returns images without pixels that have room for rows of cols each.
func (e *editor) rows(n, cols int) *picture.Images {
	rows := *e.inputs
	rows.Pixels = make([]float32, 0, n*cols*e.inputs.ImageLen())
	return &rows
}

// InterpolateOptions say how images become each other.
type InterpolateOptions struct {
	Options
}

// Interpolate carries pairs of images, the first and the second, the third and the fourth, …, to their noise by solving
// the flow backwards, walks between the two along the sphere that noise lies on ([flow.Slerp]), and solves forward. A
// row is the first image, Count images on the way, of which the first and the last are the two after the
// round trip, and the second image. A mistake in the options is an [*OptionError].
func Interpolate(ctx context.Context, o InterpolateOptions) (*Result, error) {
	e, err := newEditor(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	switch {
	case n%2 != 0:
		return nil, option.Errorf("in", nil, "%s no pairs: name an even number of images", pairless(n))
	case count < 2:
		return nil, option.Errorf("count", count, "the two ends are part of the way: at least 2")
	}
	classes, err := e.pairClasses()
	if err != nil {
		return nil, err
	}
	if err := e.begin(n/2, count+2, false); err != nil {
		return nil, err
	}
	defer e.close()
	solve := func(t0, t1 float64) func(context.Context, int, int, ode.Field, []float32) error {
		return func(ctx context.Context, _, _ int, f ode.Field, x []float32) error {
			_, err := e.solver.Solve(ctx, f, x, len(x)/d, t0, t1)
			return err
		}
	}
	total := n + n/2*count
	noise := slices.Clone(e.inputs.Pixels)
	if err := e.each(ctx, noise, repeated(classes, 2), total, solve(1, 0)); err != nil {
		return nil, err
	}
	way := make([]float32, n/2*count*d)
	for i := range n / 2 * count {
		pair := noise[i/count*2*d:][:2*d]
		flow.Slerp(way[i*d:(i+1)*d], pair[:d], pair[d:], float64(i%count)/float64(count-1))
	}
	if err := e.each(ctx, way, repeated(classes, count), total, solve(0, 1)); err != nil {
		return nil, err
	}
	return e.writeWay(way)
}

// pairless words how many images there are.
func pairless(n int) string {
	if n == 1 {
		return "1 image makes"
	}
	return fmt.Sprintf("%d images make", n)
}

// writeWay writes the pairs with the images between them.
func (e *editor) writeWay(way []float32) (*Result, error) {
	n, count, d := e.inputs.Len(), e.opt.Count, e.inputs.ImageLen()
	rows, squares := e.rows(n/2, count+2), 0.0
	for i := range n / 2 {
		between := way[i*count*d : (i+1)*count*d]
		a, b := e.input(2*i), e.input(2*i+1)
		rows.Pixels = slices.Concat(rows.Pixels, a, between, b)
		squares += squaredDistance(a, between[:d]) + squaredDistance(b, between[(count-1)*d:])
	}
	off := math.Sqrt(squares / float64(n*d))
	err := e.write(rows, count+2, picture.Text{"fmimg.edit", "interpolation"}, picture.Text{"fmimg.round-trip-error", strconv.FormatFloat(off, 'g', 3, 64)})
	return &Result{Path: e.opt.Out, Inputs: n, Images: n / 2 * count, Model: e.ck.Path, RoundTrip: off}, err
}

// pairClasses returns the class of each pair: the one that both images have, or none.
func (e *editor) pairClasses() ([]int32, error) {
	labels := e.ck.Labels()
	var classes []int32
	for i := 0; i < len(e.known); i += 2 {
		class := e.known[i]
		if e.known[i+1] != class {
			class = -1
		}
		if class < 0 && labels.Rows() > 0 && !labels.Null {
			return nil, option.Errorf("class", nil,
				"is needed: the two images have different ones, and %s always needs one", model.ModelName(e.ck.Path))
		}
		classes = append(classes, class)
	}
	return classes, nil
}

func squaredDistance(a, b []float32) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += float64(d * d)
	}
	return sum
}
