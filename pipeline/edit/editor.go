package edit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// An editor does a task on images of files, with workers of its own, and writes a picture.
type editor struct {
	*Task
	opt    Options
	reader *Reader
	crew   *crewRunner
}

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
	if _, err := u.Velocity(ck.Path); err != nil {
		return nil, err
	}
	guide, err := ck.OpenGuide(o.Guide, o.Arithmetic)
	if err != nil {
		return nil, err
	}
	if guide != nil && regular.Same(guide.Checkpoint.Path, o.Out) {
		return nil, option.Errorf("out", o.Out, "is the guide: name another file")
	}
	e := &editor{opt: o, reader: &Reader{Shape: ck.Shape(), Fit: cmp.Or(o.Fit, ck.Meta.Fit), Note: o.OnEvent}}
	if e.Task, err = NewTask(ck, o, guide); err != nil {
		return nil, err
	}
	if len(o.In) > 0 {
		err := e.readFiles()
		return e, err
	}
	err = e.readData(ctx)
	return e, err
}

// take sets the inputs, and tells what was assumed.
func (e *editor) take(inputs *picture.Images, classes []int32) error {
	notes, err := e.Take(inputs, classes)
	for _, note := range notes {
		e.emit(note)
	}
	return err
}

// begin starts the workers, which close ends. The picture will have the given rows and columns, and
// states are solved for in all. train says that gradients of the networks are needed.
func (e *editor) begin(rows, cols, states int, train bool) error {
	if err := e.checkPicture(rows, cols); err != nil {
		return err
	}
	e.crew = &crewRunner{crew: crew.New(e.opt.Threads), total: states, emit: e.emit}
	for range e.opt.Threads {
		e.crew.workers = append(e.crew.workers, e.NewWorker(sample.ReplicaImages, train))
	}
	e.Runner = e.crew
	what := fmt.Sprintf("%s: editing %s",
		sample.DescribeCheckpoint(e.Checkpoint), text.Count(e.Inputs.Len(), "image", "images"))
	e.emit(pipeline.Event{Kind: pipeline.Started, Path: e.Checkpoint.Path, Text: what})
	if note, ok := e.Checkpoint.JoinNote(e.opt.Out, e.opt.Data); ok {
		e.emit(note)
	}
	return nil
}

// close ends the workers.
func (e *editor) close() { e.crew.crew.Close() }

// emit sends an event.
func (e *editor) emit(event pipeline.Event) {
	if e.opt.OnEvent != nil {
		e.opt.OnEvent(event)
	}
}

// A crewRunner is a [Runner] with a worker for each of a crew, which solves for a few states at a
// time.
type crewRunner struct {
	crew    *crew.Crew
	workers []Worker
	total   int // states of all runs, for events
	emit    func(pipeline.Event)

	mu   sync.Mutex
	done int   // finished states
	err  error // the first error of a worker
}

// Run implements [Runner].
func (r *crewRunner) Run(ctx context.Context, n int, solve SolveFunc) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	size := min(sample.ReplicaImages, max(1, (n+len(r.workers)-1)/len(r.workers)))
	err := r.crew.Each(ctx, len(r.workers), (n+size-1)/size, func(worker, chunk int) {
		from, to := chunk*size, min(n, (chunk+1)*size)
		err := solve(ctx, r.workers[worker], from, to)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			if r.err == nil {
				r.err = err
			}
			stop()
			return
		}
		r.done += to - from
		r.emit(pipeline.Event{Kind: pipeline.Sampled, Images: r.done, Total: r.total})
	})
	if r.err != nil {
		return r.err
	}
	return err
}

// readFiles reads the inputs from pictures.
func (e *editor) readFiles() error {
	inputs := picture.Blank(e.Checkpoint.Shape(), len(e.opt.In))
	for i, path := range e.opt.In {
		if err := checkPicture(path, "in"); err != nil {
			return err
		}
		file, err := dataset.ReadPictureFile(path)
		if err != nil {
			return err
		}
		pixels, err := e.reader.Picture(path, file)
		if err != nil {
			return err
		}
		copy(inputs.Slice(i, i+1).Pixels, pixels)
	}
	return e.take(inputs, slices.Repeat([]int32{-1}, len(e.opt.In)))
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

// readData reads the inputs and their classes from a data set.
func (e *editor) readData(ctx context.Context) error {
	name := e.opt.Data
	option.SetDefault(&name, e.Checkpoint.Meta.Data)
	if name == "" {
		return option.Errorf("data", nil, "is needed: the model does not say what it was trained on")
	}
	request := e.Checkpoint.DataRequest(name, "data", e.opt.Threads, e.opt.OnEvent)
	request.Fit = e.reader.Fit
	request.Recorded = e.opt.Data == ""
	set, err := request.Open(ctx)
	if err != nil {
		return err
	}
	source := set.Test
	if source == nil {
		source = set.Train
	}
	classes := model.MatchClasses(source.Classes(), e.Checkpoint.Meta.Classes)
	inputs, labels := picture.Blank(e.Checkpoint.Shape(), len(e.opt.Index)), []int32{}
	for i, index := range e.opt.Index {
		if index < 0 || index >= source.Len() {
			return option.Errorf("index", index, "%s holds images 0-%d", source.Name(), source.Len()-1)
		}
		class := int32(-1)
		if label := source.Image(index, inputs.Slice(i, i+1).Pixels); label >= 0 {
			class = int32(classes[label])
		}
		labels = append(labels, class)
	}
	return e.take(inputs, labels)
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
		return picture.WritePNG(w, img, append(e.Texts(), texts...))
	})
}

// checkPicture returns an error if the picture would be too large.
func (e *editor) checkPicture(rows, cols int) error {
	s := e.Checkpoint.Shape()
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

// rows returns an empty set of images with room for n rows of cols images.
func (e *editor) rows(n, cols int) *picture.Images {
	rows := *e.Inputs
	rows.Pixels = make([]float32, 0, n*cols*e.Inputs.ImageLen())
	return &rows
}
