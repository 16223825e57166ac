package classify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/safetensors"
)

// trainingKey is the metadata entry of a classifier's file that holds a [classifierRecord] as JSON.
const trainingKey = "fmimg.training"

// A classifierRecord says how a classifier was trained. It has no date and no version, so that the
// same command writes the same bytes.
type classifierRecord struct {
	Data       string  `json:"data"`
	Steps      int     `json:"steps"`
	Batch      int     `json:"batch"`
	Seed       uint64  `json:"seed"`
	ISA        string  `json:"isa"`
	Loss       float64 `json:"loss"`        // running mean over the last steps
	TestImages int     `json:"test_images"` // 0: no test images
	Accuracy   float64 `json:"accuracy"`    // of the weights in the file on the test images
}

// A Result says what a training of a classifier has made.
type Result struct {
	Path       string // the file
	Parameters int
	Steps      int
	Images     int     // images seen in training, repeats counted
	Loss       float64 // running mean over the last steps
	TestImages int     // 0: the data has no test images
	Accuracy   float64 // of the weights in the file: the share of test images whose class they find
	Seconds    float64 // time in training steps
}

// Train trains a classifier and writes its file. The file holds the averaged weights in float16
// and, if the data has test images, the statistics of their features. Options are checked before
// any work. A mistake in them is an [*pipeline.OptionError]. The same options and seed give the
// same bytes, for any number of threads on one instruction set.
//
// When ctx ends, Train writes nothing and returns a [*run.InterruptedError] without a folder.
func Train(ctx context.Context, o Options) (Result, error) {
	o = o.WithDefaults()
	if err := o.validate(); err != nil {
		return Result{}, err
	}
	if err := atomicfile.Probe(o.Out); err != nil {
		return Result{}, err
	}
	r := &classifierRun{opt: o}
	if err := r.open(ctx); err != nil {
		return Result{}, err
	}
	defer r.crew.Close()
	if err := r.train(ctx); err != nil {
		return Result{}, err
	}
	return r.finish(ctx)
}

// A classifierRun is the training of a classifier under way.
type classifierRun struct {
	opt        Options        // with defaults
	data, test dataset.Source // test is nil if the data has no test images
	model      *Network
	crew       *crew.Crew
	engine     *engine.Trainer
	done       run.Progress
	meter      run.Meter
}

// open opens the data, draws the first weights and starts the workers.
func (r *classifierRun) open(ctx context.Context) error {
	o := &r.opt
	isa, err := kernels.Parse(o.ISA)
	if err != nil {
		return err
	}
	o.ISA = isa.String()
	if err := r.openData(ctx); err != nil {
		return err
	}
	var pcg rand.PCG
	pipeline.Seed(&pcg, o.Seed, pipeline.StreamInit, 0, 0)
	h, w, c := r.data.Shape()
	if r.model, err = NewNetwork(o.Kind.Config(h, w, c, r.data.Classes()), isa, rand.New(&pcg)); err != nil {
		return err
	}
	recipe := o.Recipe.engine()
	feed := feed.New(r.data, o.Seed, o.Batch, o.Flip)
	task := &classifying{
		feed: feed, seed: o.Seed, batch: o.Batch, micro: recipe.MicroBatch,
		warp: o.Warp.bounds(), smoothing: option.OrNone(o.Smoothing),
	}
	r.crew = crew.New(o.Threads)
	tasks := newClassifyTasks(task, r.model, min(o.Threads, recipe.MicroBatches()))
	r.engine = engine.NewTrainer(engine.Setup{
		Recipe: recipe, Model: r.model, Tasks: tasks, Prepare: task.prepare, Crew: r.crew,
	})
	r.done.Schedule = o.plan(r.data.Len())
	return nil
}

// openData opens the data. Each image needs a class.
func (r *classifierRun) openData(ctx context.Context) error {
	set, err := r.opt.openSet(ctx)
	if err != nil {
		return err
	}
	r.data, r.test = set.Train, set.Test
	if len(r.data.Classes()) < 2 {
		return option.Errorf("data", r.opt.Data, "its images have no classes, or one, to tell apart")
	}
	for _, source := range []dataset.Source{r.data, r.test} {
		if source != nil && feed.HasUnlabelled(source) {
			return option.Errorf("data", r.opt.Data, "some of its images have no class")
		}
	}
	for _, note := range feed.Notes(r.opt.Data, set) {
		r.emit(note)
	}
	return nil
}

// train runs all steps.
func (r *classifierRun) train(ctx context.Context) error {
	total := r.done.Schedule.Total()
	r.emit(pipeline.Event{Kind: pipeline.Started, Path: r.opt.Out, Total: total, Text: r.describe()})
	for r.done.Step < total {
		begin := time.Now()
		rate := r.done.Schedule.Rate(r.done.Step, r.opt.LR, option.OrNone(r.opt.Warmup), engine.CosineRate)
		result, err := r.engine.Step(ctx, r.done.Step, rate)
		if err != nil && errors.Is(err, ctx.Err()) {
			return &run.InterruptedError{Step: r.done.Step, Total: total, Cause: err}
		} else if err != nil {
			return err
		}
		if !result.Finite() {
			return run.Diverged(r.done.Step, result, r.opt.LR)
		}
		took := time.Since(begin)
		r.done.AddStep(result, took)
		r.meter.Add(took.Seconds())
		r.emit(r.done.StepEvent(result, rate, r.opt.Batch, &r.meter))
	}
	return nil
}

// describe says what is trained.
func (r *classifierRun) describe() string {
	h, w, c := r.data.Shape()
	return fmt.Sprintf("%s (%s of %dx%d, %s, %s), classifier of %s, batch %d, %s, %s",
		r.opt.Data, text.Count(r.data.Len(), "image", "images"), w, h, text.Count(c, "channel", "channels"),
		text.Count(len(r.data.Classes()), "class", "classes"), text.Count(r.model.Params().Len(), "parameter", "parameters"), r.opt.Batch, r.opt.ISA, text.Count(r.opt.Threads, "thread", "threads"))
}

// emit sends an event with the numbers of steps and images.
func (r *classifierRun) emit(e pipeline.Event) {
	if r.opt.OnEvent != nil {
		e.Step, e.Images = r.done.Step, r.done.Step*r.opt.Batch
		r.opt.OnEvent(e)
	}
}

// finish measures the weights as the file will hold them, and writes the file.
func (r *classifierRun) finish(ctx context.Context) (Result, error) {
	p := &r.done
	result := Result{
		Path: r.opt.Out, Parameters: r.model.Params().Len(), Steps: p.Step, Images: p.Step * r.opt.Batch,
		Loss: p.Smooth, Seconds: p.Seconds,
	}
	var reference *Reference
	if r.test != nil {
		rounded, err := r.rounded()
		if err != nil {
			return result, err
		}
		found, labels, err := ClassifySource(ctx, r.crew, rounded, r.test)
		if ctx.Err() != nil {
			err = &run.InterruptedError{Step: p.Step, Total: p.Step, Cause: ctx.Err()}
		}
		if err != nil {
			return result, err
		}
		result.TestImages, result.Accuracy = r.test.Len(), found.Accuracy(labels)
		if reference, err = NewReference(r.test.Name(), found.Features, metrics.Compute{}); err != nil {
			return result, err
		}
	}
	err := atomicfile.Write(r.opt.Out, func(w io.Writer) error {
		return safetensors.Write(w, r.file(reference, map[string]string{trainingKey: r.record(result)}))
	})
	if err != nil {
		return result, err
	}
	r.emit(pipeline.Event{
		Kind: pipeline.Finished, Path: r.opt.Out, Total: p.Step,
		Loss: p.Smooth, Accuracy: result.Accuracy, Seconds: p.Seconds,
	})
	return result, nil
}

// file returns a file of the averaged weights.
func (r *classifierRun) file(reference *Reference, meta map[string]string) *safetensors.File {
	return r.model.File(r.engine.State().Average, safetensors.F16, reference, meta)
}

// rounded returns the classifier as a reader of the file will find it.
func (r *classifierRun) rounded() (*Network, error) {
	var buf bytes.Buffer
	if err := safetensors.Write(&buf, r.file(nil, nil)); err != nil {
		return nil, err
	}
	return Read(&buf, r.model.ISA())
}

// record returns the JSON of how the classifier was trained.
func (r *classifierRun) record(result Result) string {
	text, err := json.Marshal(classifierRecord{
		Data: r.opt.Data, Steps: result.Steps, Batch: r.opt.Batch, Seed: r.opt.Seed, ISA: r.opt.ISA,
		Loss: result.Loss, TestImages: result.TestImages, Accuracy: result.Accuracy,
	})
	if err != nil {
		panic(err) // the data is plain, and training stops before a number is NaN
	}
	return string(text)
}
