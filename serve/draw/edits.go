package draw

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// maxPixels bounds the pixels of a picture that was sent: 16 million.
const maxPixels = 1 << 24

// edit changes the pictures of the request.
func (j *job) edit() (*Result, error) {
	r := &j.request
	o := edit.InpaintOptions{Options: j.editOptions(), Times: r.Times}
	if r.Kind == Inpaint {
		o = o.WithDefaults()
	} else {
		o.Options = o.Options.WithDefaults()
	}
	task, err := edit.NewTask(j.ck, o.Options, r.Sample.Guide)
	if err != nil {
		return nil, err
	}
	reader := j.reader()
	inputs, err := j.readInputs(reader)
	if err != nil {
		return nil, err
	}
	notes, err := task.Take(inputs, slices.Repeat([]int32{-1}, inputs.Len()))
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		j.note(n)
	}
	task.Runner = &runner{j, task}
	if r.Watch != nil {
		task.Frame = func(image, step, steps int, x []float32) { j.watch.state(State{image, step, steps, x}) }
	}
	pixels, texts, err := j.change(task, reader, &o)
	if err != nil {
		return nil, err
	}
	j.service.finished(j, j.images)
	images := picture.Blank(j.ck.Shape(), 0)
	images.Pixels, images.Labels = pixels, j.labels(task)
	r.Sample.Method = task.Method
	return &Result{Images: images, Sample: r.Sample, Texts: append(task.Texts(), texts...)}, nil
}

// editOptions returns how the request changes images, in the words of the command.
func (j *job) editOptions() edit.Options {
	s := &j.request.Sample
	o := edit.Options{
		Class: s.Class, Count: s.Count, Guidance: s.Guidance, GuidanceInterval: s.Interval, Guide: j.request.Guide,
		Solver: s.Solver, Steps: s.Steps, Tol: s.Tol, Seed: s.Seed,
	}
	if s.NoClass {
		o.Class = model.NoClass
	}
	o.Threads = 1
	return o
}

// change makes the images of a task, and the texts that say how.
func (j *job) change(task *edit.Task, reader *edit.Reader, o *edit.InpaintOptions) ([]float32, []picture.Text, error) {
	switch r := &j.request; r.Kind {
	case Vary:
		level := edit.VaryOptions{Level: r.Level}.WithDefaults().Level
		pixels, err := task.Vary(j.ctx, level)
		return pixels, edit.VaryTexts(level), err
	case Interpolate:
		pixels, off, err := task.Interpolate(j.ctx)
		return pixels, edit.InterpolateTexts(off), err
	}
	var known []bool
	err := j.decode("mask", func() (err error) {
		known, err = reader.Mask("mask", j.request.Mask)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	pixels, err := task.Inpaint(j.ctx, known, o.Method, o.Times)
	return pixels, edit.InpaintTexts("picture", o.Method), err
}

// labels returns the class of each image of a task; nil for a model without classes.
func (j *job) labels(task *edit.Task) []int32 {
	if j.ck.Labels().Rows() == 0 {
		return nil
	}
	var labels []int32
	for i := 0; i < len(task.Classes); i += len(task.Classes) * task.Count / j.images {
		row := task.Classes[i]
		if j.request.Kind == Interpolate && task.Classes[i+1] != row || row < 0 {
			row = j.ck.Labels().NullRow()
		}
		labels = append(labels, slices.Repeat([]int32{row}, task.Count)...)
	}
	return labels
}

// reader returns what reads pictures for the model.
func (j *job) reader() *edit.Reader {
	return &edit.Reader{Shape: j.ck.Shape(), Fit: cmp.Or(j.request.Fit, j.ck.Meta.Fit), MaxPixels: maxPixels, Note: j.note}
}

// readInputs reads the pictures of the request.
func (j *job) readInputs(reader *edit.Reader) (*picture.Images, error) {
	images := picture.Blank(j.ck.Shape(), 0)
	for i, file := range j.request.Inputs {
		err := j.decode("images", func() error {
			pixels, err := reader.Picture(fmt.Sprintf("image %d", i+1), file)
			images.Pixels = append(images.Pixels, pixels...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return images, nil
}

// decode decodes a picture by a function, when no other picture is being decoded. An error becomes
// one about an option of the request.
func (j *job) decode(name string, read func() error) error {
	select {
	case j.service.reading <- struct{}{}:
		defer func() { <-j.service.reading }()
	case <-j.ctx.Done():
		return cause(j.ctx)
	}
	err := read()
	if _, ok := errors.AsType[*option.Error](err); ok || err == nil {
		return err
	}
	return option.Errorf(name, nil, "%v", err)
}

// A runner solves for the states of a task in turn with other requests.
type runner struct {
	job  *job
	task *edit.Task
}

// Run implements [edit.Runner].
func (r *runner) Run(_ context.Context, n int, solve edit.SolveFunc) error {
	return r.job.each(n, func(i int) error { return solve(r.job.ctx, r.task.NewWorker(1, false), i, i+1) })
}
