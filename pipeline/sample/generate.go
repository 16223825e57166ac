package sample

import (
	"context"
	"fmt"
	"io"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// GenerateOptions says what to draw, from which model, and where to put it. The zero value of each
// option is its default.
type GenerateOptions struct {
	// Model is a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which
	// is part of the program.
	Model string
	// Guide names a guide of the model as [model.Checkpoint.OpenGuide] takes it; empty: that of
	// Sample, else that of [model.Checkpoint.OpenUsualGuide].
	Guide string
	// Out is FILE.png, FILE.gif, FILE.npy, a folder (DIR/ or one that exists), or - for a PNG to
	// Stdout; needed.
	Out string
	// Grid lays out a picture. Where it has as many rows as Sample.Class lists classes, row r is of
	// class r of the list. Without rows and columns it is settled by the number of images, or is
	// 8x8, or a row of 8 for each of several classes.
	Grid picture.GridOptions
	// Strip is the number of moments of each image's way from noise to image: a PNG has a row for
	// each image, a column for each moment; 0: none, but images alone.
	Strip int
	pipeline.Arithmetic
	Sample Options
	// Stdout is written to for Out "-".
	Stdout io.Writer
}

// WithDefaults fills in what does not depend on the model and on the number of images.
func (o GenerateOptions) WithDefaults() GenerateOptions {
	o.Grid = o.Grid.WithDefaults()
	return o
}

// A GenerateResult says what was drawn.
type GenerateResult struct {
	Path         string
	Images       int
	Evaluations  float64 // evaluations of networks that an image took on average
	Model        string  // the model's file, or the name of a model that is part of the program
	model.Method         // settled
}

// Generate draws images from a model and writes them. o.Out chooses the form: a grid or a strip as
// a PNG, the trajectory of a grid as a GIF, numbers as a NumPy array, or a folder of PNGs. Generate
// checks the options and tries to write o.Out before any work. A mistake is a
// [*pipeline.OptionError].
func Generate(ctx context.Context, o GenerateOptions) (GenerateResult, error) {
	if o.Sample.Ranks != nil && o.Sample.Ranks.Rank() > 0 {
		o.Sample.OnEvent = nil
	}
	var s *Sampler
	form, err := o.check()
	if err == nil && (o.Sample.Ranks == nil || o.Sample.Ranks.Rank() == 0) {
		err = form.probe(o.Out)
	}
	if err == nil {
		s, err = o.open(form)
	}
	if s != nil {
		defer s.Close()
	}
	if err := o.Sample.meet(err, s, o.Arithmetic); err != nil {
		return GenerateResult{}, err
	}
	ck := s.ck
	o.tell(ck)
	if err := form.write(ctx, s, &o); err != nil {
		return GenerateResult{}, err
	}
	return GenerateResult{
		Path: o.Out, Images: o.Sample.Count, Evaluations: s.Evaluations(), Method: s.opt.Method, Model: ck.Path,
	}, nil
}

// open opens the model, lays out the images, and makes a sampler.
func (o *GenerateOptions) open(form *output) (*Sampler, error) {
	ck, err := model.Open(o.Model, o.Arithmetic)
	if err != nil {
		return nil, err
	}
	if regular.Same(o.Out, ck.Path) {
		return nil, option.Errorf("out", o.Out, "is the model: name another file")
	}
	if o.Sample.Guide == nil || o.Guide != "" {
		if o.Sample.Guide, err = ck.OpenUsualGuide(o.Guide, o.Sample.Method, o.Arithmetic); err != nil {
			return nil, err
		}
	}
	if o.Sample.Guide != nil && regular.Same(o.Out, o.Sample.GuideName()) {
		return nil, option.Errorf("out", o.Out, "is the guide: name another file")
	}
	if !ck.HasTrajectory() && o.Strip > 2 {
		return nil, option.Errorf("strip", o.Strip,
			"%s is a normalizing flow, which has nothing between noise and image to show: take 2",
			model.ModelName(ck.Path))
	}
	classes, _, err := o.Sample.requested(ck)
	if err != nil {
		return nil, err
	}
	o.layOut(form, len(classes))
	if err := o.checkSize(ck.Shape(), form); err != nil {
		return nil, err
	}
	return NewSampler(ck, o.Sample)
}

// meet brings the ranks together: see [pipeline.CompareRanks]. err is what went wrong on this rank
// until now.
func (o Options) meet(err error, s *Sampler, on pipeline.Arithmetic) error {
	if o.Ranks == nil {
		return err
	}
	if err := cluster.Agree(o.Ranks, err); err != nil {
		return err
	}
	return CompareRanks(o.Ranks, s.ck, s.opt.Guide, on)
}

// CompareRanks is [pipeline.CompareRanks] for ranks that opened a model and its guide, nil for
// none: a rank whose disk lacks the guide that the run has kept would draw without it.
func CompareRanks(ranks cluster.Comm, ck *model.Checkpoint, guide *model.Guide, on pipeline.Arithmetic) error {
	if _, _, err := on.Settle(); err != nil {
		return err
	}
	opened := fmt.Sprintf("a model with SHA-256 %.12s…", ck.Hash)
	if hash := (model.Method{Guide: guide}).GuideHash(); hash != "" {
		opened += fmt.Sprintf(" and a guide with %.12s…", hash)
	}
	return pipeline.CompareRanks(ranks, pipeline.Identity{Arithmetic: on, Data: opened})
}

// tell sends the events of the start.
func (o *GenerateOptions) tell(ck *model.Checkpoint) {
	f := o.Sample.OnEvent
	if f == nil {
		return
	}
	f(pipeline.Event{Kind: pipeline.Started, Path: ck.Path, Total: o.Sample.Count, Text: DescribeCheckpoint(ck)})
	if note, ok := ck.JoinNote(o.Out); ok {
		f(note)
	}
}

// DescribeCheckpoint says in a few words which model a checkpoint is, for a person, and in which
// precision it computes where that is not float32.
func DescribeCheckpoint(ck *model.Checkpoint) string {
	m, in := ck.Meta, ""
	if p := ck.Precision(); p != "" {
		in = " in " + p
	}
	if ck.Embedded {
		return fmt.Sprintf("%s, part of the program (trained on %s, %s)%s", ck.Path, m.Data, text.Count(m.Steps, "step", "steps"), in)
	}
	if m.Data == "" {
		return fmt.Sprintf("%s (%s)%s", ck.Path, text.Count(ck.Params().Len(), "parameter", "parameters"), in)
	}
	return fmt.Sprintf("%s (trained on %s, %s)%s", ck.Path, m.Data, text.Count(m.Steps, "step", "steps"), in)
}

// check reports the first option that no model can use.
func (o *GenerateOptions) check() (form *output, err error) {
	if err := o.Arithmetic.Validate(); err != nil {
		return nil, err
	}
	if form, err = outputFor(o.Out); err != nil {
		return nil, err
	}
	if err := o.checkStrip(form); err != nil {
		return nil, err
	}
	if err := o.checkCount(form); err != nil {
		return nil, err
	}
	return form, o.Sample.Validate()
}

// checkCount checks that the grid and the count agree.
func (o *GenerateOptions) checkCount(form *output) error {
	g, count := o.Grid, o.Sample.Count
	if err := option.Optional("count", count, 1, MaxCount); err != nil {
		return err
	}
	if g.Empty() {
		g = g.Square(max(count, 1))
	}
	// A folder of many images has no grid that could be too large.
	if form.grid || count == 0 {
		if err := g.Validate(1, 1); err != nil {
			return err
		}
	}
	if g.Rows*g.Cols > MaxCount {
		return option.Errorf("grid", fmt.Sprintf("%dx%d", g.Rows, g.Cols),
			"at most %d images fit into one call", MaxCount)
	}
	if count > g.Rows*g.Cols {
		return option.Errorf("count", count,
			"a grid of %dx%d holds %s: leave one of the two out, or make the grid larger",
			g.Rows, g.Cols, text.Count(g.Rows*g.Cols, "image", "images"))
	}
	return nil
}

// defaultSide is the default number of rows, and of images in a row.
const defaultSide = 8

// layOut settles the grid, the number of images and the order of the classes. listed is the number
// of classes that the options list.
//
//	given    layout
//	Grid     rows x columns images, or Count of them. With a row for each listed class, row r has
//	         class r of the list. Else the images take the classes in turn
//	Count    as nearly square as can be, classes in turn
//	nothing  for a picture of several classes: a row of 8 images for each. Else 64 images,
//	         classes in turn
//	Strip    see layOutStrip; classes in turn
func (o *GenerateOptions) layOut(form *output, listed int) {
	if o.Strip > 0 {
		o.layOutStrip(listed)
		return
	}
	g, s := &o.Grid, &o.Sample
	if g.Empty() && s.Count == 0 && form.grid && listed > 1 {
		g.Rows, g.Cols = listed, defaultSide
	}
	if g.Empty() {
		option.SetDefault(&s.Count, defaultSide*defaultSide)
		*g = g.Square(s.Count)
		return
	}
	option.SetDefault(&s.Count, g.Rows*g.Cols)
	if g.Rows == listed {
		option.SetDefault(&s.PerClass, g.Cols)
	}
}

// checkSize checks that the images fit into memory and into the output, now that their size is
// known.
func (o *GenerateOptions) checkSize(s pipeline.Shape, form *output) error {
	if form.grid {
		if err := o.Grid.Validate(s.Height, s.Width); err != nil {
			return err
		}
	}
	if !FitsMemory(s, o.Strip*o.Sample.Count) {
		return option.Errorf("strip", o.Strip,
			"so many moments of %s of %s do not fit into memory at once: take fewer of either",
			text.Count(o.Sample.Count, "image", "images"), s.Sides())
	}
	if form.inMemory && !FitsMemory(s, o.Sample.Count) {
		return option.Errorf("count", o.Sample.Count,
			"one file cannot hold so many images of %s: write them to a folder (a name that ends in /)", s.Sides())
	}
	return nil
}
