package edit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
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

// An editor changes images by a model, with workers of its own.
type editor struct {
	opt      Options
	ck       *model.Checkpoint
	net      *model.UNet
	predicts model.Prediction // what the network predicts
	method   model.Method     // settled, but for Solver and Steps
	solver   ode.Solver
	how      string // how images are made, for a text of the picture
	inputs   *picture.Images
	sizes    []pipeline.Size // of the files of the inputs; nil for inputs of a data set
	// classes are the classes of the inputs as the model numbers them, from Class or from the
	// labels of the data; -1: none.
	classes []int32

	crew   *crew.Crew
	nets   []model.Replica         // one for each worker
	fields []*model.VelocityDrawer // of the nets

	mu   sync.Mutex
	done int   // finished states
	err  error // the first error of a worker
}

// A solveFunc solves for the states x, from state number from on, with the velocity f under the
// classes of these states. It runs on a worker.
type solveFunc func(ctx context.Context, worker, from int, f ode.Field, x []float32) error

// newEditor opens the model and the images. The caller then calls begin.
func newEditor(ctx context.Context, o Options) (*editor, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	ck, u, err := model.OpenUNet(o.Model, o.Arithmetic)
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
	if err := e.settleGuidance(); err != nil {
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

// settleGuidance opens the guide, and settles how it or the class guides.
func (e *editor) settleGuidance() error {
	m, o := e.opt.method(), &e.opt
	var err error
	if m.Guide, err = e.ck.OpenGuide(o.Guide, o.Arithmetic); err != nil {
		return err
	}
	if regular.Same(m.GuideName(), o.Out) {
		return option.Errorf("out", o.Out, "is the guide: name another file")
	}
	e.method, err = e.ck.SettleGuidance(e.ck.Path, m)
	return err
}

// plan returns how drawers use the network and its guide.
func (e *editor) plan() model.Plan { return model.Plan{Guide: e.method.Guide, Predicts: e.predicts} }

// begin starts the workers, which close ends. The picture will have the given rows and columns.
// train says that gradients of the networks are needed.
func (e *editor) begin(rows, cols int, train bool) error {
	if err := e.checkPicture(rows, cols); err != nil {
		return err
	}
	e.crew = crew.New(e.opt.Threads)
	for range e.opt.Threads {
		net := e.net.NewReplica(sample.ReplicaImages, train)
		e.nets = append(e.nets, net)
		e.fields = append(e.fields, e.net.DrawerOf(net, sample.ReplicaImages, e.plan()))
	}
	what := fmt.Sprintf("%s: editing %s",
		sample.DescribeCheckpoint(e.ck), text.Count(e.inputs.Len(), "image", "images"))
	e.emit(pipeline.Event{Kind: pipeline.Started, Path: e.ck.Path, Text: what})
	if note, ok := e.ck.JoinNote(e.opt.Out, e.opt.Data); ok {
		e.emit(note)
	}
	return nil
}

// close ends the workers.
func (e *editor) close() { e.crew.Close() }

// emit sends an event.
func (e *editor) emit(event pipeline.Event) {
	if e.opt.OnEvent != nil {
		e.opt.OnEvent(event)
	}
}

// readFiles reads the inputs from pictures.
func (e *editor) readFiles() error {
	e.inputs = picture.Blank(e.ck.Shape(), len(e.opt.In))
	e.classes = slices.Repeat([]int32{-1}, len(e.opt.In))
	for i, path := range e.opt.In {
		if err := checkPicture(path, "in"); err != nil {
			return err
		}
		p, err := dataset.ReadPicture(path, dataset.PictureOptions{
			Width: e.inputs.Width, Height: e.inputs.Height, Channels: e.inputs.Channels, Fit: e.fit(),
		})
		if err != nil {
			return err
		}
		copy(e.input(i), p.Pixels)
		e.sizes = append(e.sizes, pipeline.Size{Width: p.Width, Height: p.Height})
		e.noteChanges(path, p)
	}
	return nil
}

// checkPicture returns an error where there is no such file. name is the option's.
func checkPicture(path, name string) error {
	if err := regular.Check(path); err != nil {
		return notPicture(path, name, err)
	}
	return nil
}

// notPicture returns the error of a path that is not a file. name is the option's.
func notPicture(path, name string, err error) error {
	wrong := option.Errorf(name, path, "%v", err)
	switch {
	case errors.Is(err, regular.ErrURL):
		return wrong
	case name == "mask":
		return wrong.Cured("name a picture, or a half of the images: %s, %s, %s or %s", LowerHalf, UpperHalf, LeftHalf, RightHalf)
	case errors.Is(err, regular.ErrFolder) && name == "in":
		return wrong.Cured("name one picture in it, or the folder with %v and its images with %v",
			option.Setting{Option: "data"}, option.Setting{Option: "index"})
	}
	return wrong.Cured("name a picture")
}

// fit returns how pictures are brought to the shape of the model's images.
func (e *editor) fit() dataset.Fit { return cmp.Or(e.opt.Fit, e.ck.Meta.Fit) }

// noteChanges says what of a picture is lost in the shape of the model's images.
func (e *editor) noteChanges(path string, p *dataset.Picture) {
	size, images := pipeline.Size{Width: p.Width, Height: p.Height}, e.ck.Shape().Size()
	if crops := e.fit() == "" || e.fit() == dataset.Crop; crops && !sameProportions(size, images) {
		e.note("%s is %s, and the images are %s: its middle is taken; %v keeps all of it", path, size.Sides(),
			images.Sides(), option.Setting{Option: "fit", Value: dataset.Pad})
	}
	e.noteBits(path, p)
	if !p.Opaque && !e.inputs.HasAlpha() {
		e.note("%s is transparent in places, which become white: the model knows no transparency", path)
	}
}

// noteBits says that samples of few bits in 16 were made brighter.
func (e *editor) noteBits(path string, p *dataset.Picture) {
	if p.White != 0 {
		e.note("%s has 16-bit samples of at most %d: read so that %d is white", path, p.Peak, p.White)
	}
}

// note sends an event with something that a person should know.
func (e *editor) note(format string, args ...any) { e.emit(pipeline.Note(format, args...)) }

// readData reads the inputs and their classes from a data set.
func (e *editor) readData(ctx context.Context) error {
	name := e.opt.Data
	option.SetDefault(&name, e.ck.Meta.Data)
	if name == "" {
		return option.Errorf("data", nil, "is needed: the model does not say what it was trained on")
	}
	request := e.ck.DataRequest(name, "data", e.opt.Threads, e.opt.OnEvent)
	request.Fit = e.fit()
	request.Recorded = e.opt.Data == ""
	set, err := request.Open(ctx)
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
		e.classes = append(e.classes, class)
	}
	return nil
}

// settleClasses gives the inputs the classes of Class in turn. Without Class they keep the classes
// of their labels.
func (e *editor) settleClasses() error {
	labels := e.ck.Labels()
	switch {
	case e.opt.Class != "" && labels.Rows() == 0:
		return option.Errorf("class", e.opt.Class, "%s takes no class", model.ModelName(e.ck.Path))
	case e.opt.Class != "":
		turn, notes, err := e.ck.ClassList().Parse(e.opt.Class)
		if err != nil {
			return err
		}
		for _, note := range notes {
			e.emit(note)
		}
		for i := range e.classes {
			e.classes[i] = turn[i%len(turn)]
		}
	case labels.Rows() > 0 && !labels.Null && slices.Contains(e.classes, -1):
		return option.Errorf("class", nil,
			"is needed: %s draws no image without one, and nobody knows those of the images",
			model.ModelName(e.ck.Path))
	}
	return nil
}

// row returns the row of the label embedding for a class. For -1 it is the row of "no class".
func (e *editor) row(class int32) int32 {
	if class < 0 {
		return e.ck.Labels().NullRow()
	}
	return class
}

// each solves for all states on the workers, a few states at a time. states holds a state for each
// class in classes, and then its solution. total is the number of states of the whole call, for
// events.
func (e *editor) each(
	ctx context.Context, states []float32, classes []int32, total int, solve solveFunc,
) error {
	d, n, labels := e.ck.Shape().Len(), len(classes), e.ck.Labels()
	draw := model.Drawing{Guidance: e.method.Guidance, Interval: e.method.Interval, Null: labels.NullRow(), Plan: e.plan()}
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
		err := solve(ctx, worker, from, e.fields[worker].Field(&draw, from), states[from*d:to*d])
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

// write writes a picture with rows of cols images each, and with texts that say how they were made.
func (e *editor) write(rows *picture.Images, cols int, texts ...picture.Text) error {
	o := &e.opt
	img, err := picture.Grid(rows, picture.GridOptions{
		Rows: rows.Len() / cols, Cols: cols, Padding: o.Padding, Scale: o.Scale,
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error {
		return picture.WritePNG(w, img, append(e.texts(), texts...))
	})
}

// texts returns the texts that all edits have.
func (e *editor) texts() []picture.Text {
	o := &e.opt
	t := []picture.Text{
		{"Software", "fmimg " + pipeline.Version()},
		{"fmimg.version", pipeline.Version()},
		{"fmimg.model", e.ck.Hash},
		{"fmimg.seed", strconv.FormatUint(o.Seed, 10)},
		{"fmimg.solver", e.how},
		{"fmimg.guidance", fmt.Sprint(o.Guidance)},
	}
	t = append(t, sample.GuidanceTexts(e.method)...)
	if p := e.ck.Precision(); p != "" {
		t = append(t, picture.Text{"fmimg.precision", p})
	}
	if e.ck.Labels().Rows() > 0 {
		t = append(t, picture.Text{"fmimg.classes", picture.JoinInts(e.classes)})
	}
	return t
}

// checkPicture returns an error if the picture would be too large.
func (e *editor) checkPicture(rows, cols int) error {
	s := e.ck.Shape()
	grid := picture.GridOptions{Rows: rows, Cols: cols, Padding: e.opt.Padding, Scale: e.opt.Scale}
	if err := grid.Validate(s.Height, s.Width); err != nil {
		// The error is about the grid of the picture, so it becomes text.
		return option.Errorf("count", e.opt.Count, "%s", err.Error())
	}
	if !sample.FitsMemory(s, rows*cols) {
		return option.Errorf("count", e.opt.Count, "so many images do not fit into one picture")
	}
	return nil
}

// repeated returns each class the given number of times, one after the other.
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

// rows returns an empty set of images with room for n rows of cols images.
func (e *editor) rows(n, cols int) *picture.Images {
	rows := *e.inputs
	rows.Pixels = make([]float32, 0, n*cols*e.inputs.ImageLen())
	return &rows
}

// editNoise fills x with noise. which is the number of the image among those made of the input,
// draw counts the noises of this image.
func editNoise(x []float32, seed uint64, input, which, draw int) {
	var rng rand.PCG
	flow.Seed(&rng, seed, pipeline.StreamEdit, uint64(input), uint64(which), uint64(draw))
	flow.Gaussian(x, &rng)
}
