package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/safetensors"
)

// A Result says what a run achieved.
type Result struct {
	Dir    string // the run folder
	Steps  int
	Images int     // seen in training, repeats counted
	Loss   float64 // running mean over the last steps
	// Validation is the loss of the averaged weights on images that training does not see, or 0 if
	// it was not measured.
	Validation float64
	Seconds    float64 // training time
	Schedule   engine.RateSchedule
}

// An InterruptedError says that a run was stopped before its end and saved, or that nothing was
// written.
type InterruptedError struct {
	Dir         string          // the run folder; empty where nothing was saved
	GoOn        pipeline.Action // goes on with the run
	Step, Total int             // steps done, and steps of the run (0 when not known yet)
	Cause       error           // the context's error; nil for StopAfter
}

// Error returns one line.
func (e *InterruptedError) Error() string {
	what := "interrupted"
	if e.Cause == nil {
		what = "stopped"
	}
	if e.Dir == "" {
		return fmt.Sprintf("%s after step %d%s: nothing was written: run it again", what, e.Step, text.Of(e.Total))
	}
	return fmt.Sprintf("%s after step %d%s and saved in %s", what, e.Step, text.Of(e.Total), e.Dir)
}

// Unwrap returns the context's error.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// A Job is what a run trains: it makes the tasks, and describes the run in its files.
type Job interface {
	// Command names the command of fmimg that goes on with the run.
	Command() Command
	// About says what is trained on what, for a person.
	About() string
	// LossPlot says what was trained and what its loss is, for the curve.
	LossPlot() picture.LossPlot
	// Config returns the resolved options and a description of the data, for config.json.
	Config() (options any, data DataInfo)
	// Meta fills in what the checkpoint says of the data and of the network's output.
	Meta(m *model.Meta)
	// Card fills in what the card says of the data, the network and the training.
	Card(c *CardFacts)
	// PreparationTime returns the time that the last step spent on preparing several steps at once
	// (took), and the mean of that time over these steps (each).
	PreparationTime() (took, each time.Duration)
}

// A Keeper is a job that needs more than [Progress] and the network's tensors to resume in any
// step.
type Keeper interface {
	// Keep returns tensors for the state file, whose names do not begin like those of a network's.
	// step is the next one.
	Keep(step int) []safetensors.Tensor
	// TakeBack is given a file with the tensors that Keep returned before that step.
	TakeBack(f *safetensors.File, step int) error
}

// A Task computes the gradients of a job on one worker. Beside the training steps it does what a
// run needs.
type Task interface {
	engine.Task
	// Probe runs one micro-batch forward and backward, for the run to time it. Its results are not
	// used.
	Probe(grad []float32)
	// Validate returns the sum of the losses of the held-out draws first..first+n-1.
	Validate(first, n int) float64
}

// A Run is a training in a run folder. A job embeds it and sets the exported fields: first
// Settings, Job and Saved, then the others from SetOut or Lock to MakeTrainer.
type Run struct {
	Settings *Options // resolved; a part of the job's options
	Job      Job
	Dir      *Folder
	Notes    []pipeline.Event // for a person; Start sends them
	model    model.Weights
	Images   pipeline.Shape
	Labels   model.Labels
	show     model.Plan // draws previews
	Shown    []int32    // rows of the label embedding that columns of previews take in turn
	// ShownGuidance is the weight of guidance in previews; 0: 1.
	ShownGuidance float64
	Crew          *crew.Crew
	Tasks         []Task // one for each worker that trains
	Trainer       *engine.Trainer
	Sampler       *sample.Pool // draws previews
	log           *metricsLog
	board         *board // nil without TensorBoard
	Validated     bool   // there is a validation loss

	// ExtraWork is the work of a step beside forward and backward, in evaluations for each image of
	// the batch.
	ExtraWork  float64
	DataMemory float64 // bytes of the job's data
	// GuideShare is the share of the steps of the run after which its averages are kept as a guide;
	// 0: there is none.
	GuideShare float64
	layers     LayerShapes
	precision  kernels.Precision

	Progress Progress
	// bestWeights are the averaged weights of Progress.Best.
	bestWeights []float32
	clock       *timeBudget // nil unless the budget is in time
	Saved       int         // step of the last checkpoint; -1 before the first
	Finished    bool        // the run had finished before this process resumed it
	meter       Meter
	pace        pace

	prepare func(ctx context.Context, step int) error // of MakeTrainer
	cuts    []int                                     // of the micro-batches; nil alone
	orders  orders                                    // after the last step
	owed    error                                     // of rank 0, which the others do not know yet
}

// Settle records in the settings what computes, and returns the instruction set. A job calls it
// before it makes or opens a network.
func (r *Run) Settle() (kernels.ISA, error) {
	isa, precision, err := r.Settings.Settle()
	r.precision = precision
	return isa, err
}

// SetOut makes the folder of a new run. name is the last part of its path where the options name no
// folder.
func (r *Run) SetOut(name string) error {
	dir, err := r.folderOn(func() (*Folder, error) { return createFolder(r.Settings.Out, name) })
	if err == nil {
		r.take(dir, r.Settings.Disk)
	}
	return err
}

// take makes a folder that of the run.
func (r *Run) take(dir *Folder, disk func(io.Writer) io.Writer) {
	dir.disk, r.Dir = disk, dir
	if dir.note != nil {
		r.Notes = append(r.Notes, *dir.note)
	}
}

// Lock locks the folder of a recorded run. disk is as in [Options].
func (r *Run) Lock(path string, disk func(io.Writer) io.Writer) error {
	dir, err := r.folderOn(func() (*Folder, error) { return lockFolder(path) })
	if err == nil {
		r.take(dir, disk)
	}
	return err
}

// Damaged wraps an error in the options of a run folder. It is not the caller's mistake, and so not
// a [*pipeline.OptionError]. The run of another machine, whose arithmetic there is not here, is
// whole.
func (r *Run) Damaged(err error) error {
	file := r.Dir.File(ConfigFile)
	wrong, ok := errors.AsType[*pipeline.OptionError](err)
	if ok && (wrong.Option == "isa" || wrong.Option == "precision") {
		return option.Faultf("%s: %s", file, err.Error()).
			Cured("go on with one of them by %v", option.Setting{Option: wrong.Option})
	}
	return fmt.Errorf("%s: %s: restore it from a copy, or train anew", file, err.Error())
}

// RestoreState reads the state of a run whose workers are there.
func (r *Run) RestoreState() error {
	var err error
	if r.Progress, err = r.readState(); err != nil {
		return err
	}
	if !r.Settings.EarlyStop {
		r.Progress.Best, r.Progress.Turned, r.bestWeights = nil, false, nil
	}
	r.model.Repack(0, 1)
	r.Saved = r.Progress.Step
	step, seconds := r.Progress.Step, r.Progress.Seconds
	r.pace = pace{saveAt: seconds, showAt: seconds, showStep: step, heldAt: seconds, heldStep: step}
	if r.clock != nil {
		r.clock.used = Seconds(r.Progress.Seconds)
	}
	return nil
}

// NewBudget settles the schedule of a resumed run with a new budget. planned is the number of steps
// of a budget that is not in time. For a budget in time, the mean time of the steps so far tells
// how many more fit into it.
func (r *Run) NewBudget(planned int) {
	p := &r.Progress
	if p.Turned = false; p.Best != nil {
		p.Best.Later = 0 // whoever gives a larger budget wants some of it used
	}
	switch {
	case r.clock == nil:
		p.Schedule = p.Schedule.Revise(p.Step, max(planned, p.Step))
	case p.Step == 0:
		p.Schedule = nil
	default:
		left := max(0, r.clock.limit-r.clock.used).Seconds()
		more := math.Ceil(left * float64(p.Step) / p.Seconds)
		p.Schedule = p.Schedule.Revise(p.Step, int(min(float64(p.Step)+more, engine.MaxSteps)))
	}
}

// SetNetwork makes the workers for a network. show is the plan that draws previews.
func (r *Run) SetNetwork(n model.Network, show model.Plan) {
	r.model, r.Images, r.Labels, r.show, r.Crew = n, n.Shape(), n.Labels(), show, crew.New(r.Settings.Threads)
}

// SetUNet is [Run.SetNetwork] for a U-Net, which gets the precision of the run. It returns a
// replica for each worker that trains.
func (r *Run) SetUNet(u *model.UNet, show model.Plan) []model.Replica {
	u.SetPrecision(r.precision)
	r.SetNetwork(u, show)
	var nets []model.Replica
	var drawers []model.Drawer
	for range r.Workers() {
		net := u.NewReplica(r.Settings.MicroBatch, true)
		nets = append(nets, net)
		drawers = append(drawers, model.NewVelocityDrawer(net, nil, r.Settings.MicroBatch, r.Images.Len()))
	}
	r.DrawBy(drawers)
	return nets
}

// DrawBy has drawers draw previews, one for each worker that trains.
func (r *Run) DrawBy(drawers []model.Drawer) {
	r.Sampler = sample.NewPool(r.Crew, drawers, r.Settings.MicroBatch, r.Images.Len())
	r.Sampler.Ranks = r.Settings.Ranks
}

// Workers returns the number of workers that train: at most one for each micro-batch that this
// process takes, and one at least.
func (r *Run) Workers() int { return max(1, min(r.Settings.Threads, r.microBatches())) }

// microBatches returns the number of micro-batches of a step that this process takes.
func (r *Run) microBatches() int {
	if r.cuts == nil {
		return r.Settings.Recipe.engine().MicroBatches()
	}
	rank := r.ranks().Rank()
	return r.cuts[rank+1] - r.cuts[rank]
}

// PrepareBy says what readies the batch of a step.
func (r *Run) PrepareBy(prepare func(ctx context.Context, step int) error) { r.prepare = prepare }

// MakeTrainer makes the trainer for the tasks of the run, after everything else. err is what went
// wrong on this rank until then: all ranks return it.
func (r *Run) MakeTrainer(err error) error {
	if err := r.agree(err); err != nil {
		return err
	}
	recipe := r.Settings.Recipe.engine()
	tasks := make([]engine.Task, len(r.Tasks))
	for i, t := range r.Tasks {
		tasks[i] = t
	}
	r.Trainer = engine.NewTrainer(engine.Setup{
		Recipe: recipe, Model: r.model, Precision: r.precision, Tasks: tasks, Prepare: r.prepare, Crew: r.Crew,
		Ranks: r.ranks(),
	})
	if r.Settings.Time > 0 {
		r.clock = &timeBudget{limit: time.Duration(r.Settings.Time)}
	}
	return r.sameWeights()
}

// Train trains from the current step to the end of the budget. When ctx ends, it saves and returns
// an [*InterruptedError].
func (r *Run) Train(ctx context.Context) (Result, error) {
	if r.Finished && r.over() {
		const text = "this run had finished already: a larger budget would train it further"
		r.emit(pipeline.Event{Kind: pipeline.Finished, Path: r.Dir.Path, Text: text})
		return r.result(), nil
	}
	if err := r.Start(); err != nil {
		return Result{}, err
	}
	defer r.watch(ctx)()
	result, err := r.loop(ctx)
	if _, lost := errors.AsType[*cluster.Error](err); lost {
		err = r.lost(err)
		r.recordFailure(err)
	} else if _, stopped := errors.AsType[*InterruptedError](err); err != nil && !stopped {
		err = fmt.Errorf("%w%s", err, r.kept(r.Saved))
		r.recordFailure(err)
	}
	return result, err
}

// Start writes the first files of the run, so that a full disk is an error before the work. It also
// sends the first events. Of several ranks, rank 0 does so.
func (r *Run) Start() error {
	err := r.lead(r.start)
	if r.Saved < 0 {
		r.Saved = r.Progress.Step
	}
	return err
}

// start is Start on rank 0.
func (r *Run) start() error {
	// The state comes last: a folder with a state has all that resuming needs.
	if err := r.saveConfig(); err != nil {
		return err
	}
	var err error
	if r.log, err = openMetrics(r.Dir, r.Progress.Step); err != nil {
		return err
	}
	if r.Settings.TensorBoard {
		if r.board, err = openBoard(r.Dir, r.Progress.Step); err != nil {
			return err
		}
	}
	if r.Saved < 0 {
		if err := r.saveState(); err != nil {
			return err
		}
	}
	// Room for the losses to come, so that steps do not allocate.
	r.log.losses = slices.Grow(r.log.losses, min(max(r.Progress.Schedule.Total(), 1<<12), 1<<20))
	for _, note := range r.Notes {
		r.emit(note)
	}
	if r.Settings.OnEvent != nil {
		ranks := ""
		if !r.alone() {
			ranks = fmt.Sprintf(" on each of %d ranks", r.ranks().Size())
		}
		text := fmt.Sprintf("%s %s, batch %d, %s in %s, %s%s; %s", r.Job.About(), text.Count(r.model.Params().Len(), "parameter", "parameters"),
			r.Settings.Batch, r.Settings.ISA, r.Settings.Precision, text.Count(r.Settings.Threads, "thread", "threads"), ranks, r.describeCost())
		r.emit(pipeline.Event{Kind: pipeline.Started, Path: r.Dir.Path, Total: r.Progress.Schedule.Total(), Text: text})
	}
	return nil
}

// over reports whether the budget is used up.
func (r *Run) over() bool {
	total := r.Progress.Schedule.Total()
	return r.Progress.Turned || total > 0 && r.Progress.Step >= total
}

// loop trains to the end of the budget, or until it has to stop. It stops at once: a step of a
// large network may take minutes, and an abandoned step costs nothing but its time.
func (r *Run) loop(ctx context.Context) (Result, error) {
	for !r.over() {
		if r.alone() && ctx.Err() != nil || (r.Settings.StopAfter > 0 && r.Progress.Step >= r.Settings.StopAfter) {
			return r.interrupt(ctx.Err())
		}
		if err := r.Step(ctx); stopped(err) {
			return r.interrupt(err)
		} else if err != nil {
			return r.result(), err
		}
		if err := r.between(ctx); err != nil {
			return r.result(), err
		}
	}
	return r.finish(ctx)
}

// Step trains on one batch, and records the measurements.
func (r *Run) Step(ctx context.Context) error {
	begin := time.Now()
	p, o := &r.Progress, r.Settings
	rate := o.Rate(p.Schedule, p.Step)
	result, err := r.Trainer.Step(ctx, p.Step, rate)
	if err != nil {
		return err
	}
	if !result.Finite() {
		return Diverged(p.Step, result, o.LR)
	}
	took := time.Since(begin)
	if w, ok := r.Settings.Ranks.(*watched); ok {
		w.stepped(took)
	}
	once, each := r.Job.PreparationTime()
	p.AddStep(result, took)
	r.meter.Add((took - once + each).Seconds())
	total := 0
	if r.clock != nil {
		r.clock.add(took, took-once+each)
		if r.Leads() {
			total, _ = r.clock.estimate(p.Step)
		}
	}
	if err := r.decide(total); err != nil {
		return err
	}
	m := Metric{
		Step: p.Step, Images: p.Step * o.Batch, Loss: result.Loss, Norm: result.Norm, LR: rate, Seconds: p.Seconds,
	}
	if m.Validation, err = r.validateWhenDue(); err != nil {
		return err
	}
	if err := r.keepGuideWhenDue(); err != nil {
		return err
	}
	r.noteValidation(m.Validation)
	if !r.Leads() {
		return nil
	}
	r.emitStep(result, rate)
	r.board.step(m, float64(o.Batch)/r.meter.mean)
	if flushed, err := r.log.add(m); !flushed || err != nil {
		return r.owe(err)
	}
	return r.owe(r.board.flush())
}

// stopped reports whether an error means that a run was interrupted, on this rank or another.
func stopped(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Diverged returns the error of a step whose loss or gradient is not finite. rate is the peak
// learning rate.
func Diverged(step int, result engine.StepResult, rate float64) error {
	return fmt.Errorf("step %d: the loss is %g and its gradient %g: train anew with a lower learning rate than %g",
		step+1, result.Loss, result.Norm, rate)
}

// emitStep sends an event for the last step.
func (r *Run) emitStep(result engine.StepResult, rate float64) {
	if r.Settings.OnEvent == nil {
		return
	}
	e := r.Progress.StepEvent(result, rate, r.Settings.Batch, &r.meter)
	e.Validation = r.log.validation()
	if r.clock != nil {
		e.Left = max(0, (r.clock.limit - r.clock.used).Seconds())
	}
	r.emit(e)
}

// emit sends an event, with the steps and images so far.
func (r *Run) emit(e pipeline.Event) {
	if r.Settings.OnEvent != nil {
		e.Step, e.Images = r.Progress.Step, r.Progress.Step*r.Settings.Batch
		r.Settings.OnEvent(e)
	}
}

// between draws a preview and saves, when they are due.
func (r *Run) between(ctx context.Context) error {
	if r.over() {
		return nil // finish does both
	}
	if r.orders.Preview {
		if err := r.showPreview(ctx); err != nil {
			return err
		}
	}
	if r.orders.Save {
		return r.save(false)
	}
	return nil
}

// showPreview draws a preview. The run goes on without it when the network's samples are not finite
// yet, or when ctx has ended.
func (r *Run) showPreview(ctx context.Context) error {
	begin := time.Now()
	name, err := r.preview(ctx)
	r.pace.previewed(r.Progress.Step, r.Progress.Seconds, time.Since(begin))
	switch {
	case err == nil:
		r.emit(pipeline.Event{Kind: pipeline.Previewed, Path: r.Dir.File(name)})
	case errors.Is(err, ode.ErrNotFinite):
		r.emit(pipeline.Note("no preview: %v", err))
	case !stopped(err):
		return fmt.Errorf("preview: %w", err)
	}
	return nil
}

// interrupt saves, and returns the error of an interrupted run.
func (r *Run) interrupt(cause error) (Result, error) {
	if err := r.save(false); err != nil {
		return r.result(), err
	}
	r.emit(pipeline.Event{Kind: pipeline.Interrupted, Path: r.Dir.Path, Total: r.Progress.Schedule.Total()})
	return r.result(), &InterruptedError{
		Dir: r.Dir.Path, GoOn: goOn(r.Job.Command(), r.Dir.Path),
		Step: r.Progress.Step, Total: r.Progress.Schedule.Total(), Cause: cause,
	}
}

// finish saves first, so that nothing can be lost, and then draws the last preview.
func (r *Run) finish(ctx context.Context) (Result, error) {
	if err := r.save(true); err != nil {
		return r.result(), err
	}
	if err := r.lead(r.dropLateGuide); err != nil {
		return r.result(), err
	}
	r.showBest()
	if r.Settings.PreviewEvery >= 0 {
		if err := r.showPreview(ctx); err != nil {
			return r.result(), err
		}
		if err := r.lead(r.saveCard); err != nil {
			return r.result(), err
		}
	}
	result := r.result()
	r.emit(pipeline.Event{
		Kind: pipeline.Finished, Path: r.Dir.Path, Loss: result.Loss, Validation: result.Validation,
		Seconds: r.Progress.Seconds, Total: r.Progress.Step,
	})
	return result, nil
}

// result returns what the run has achieved so far. The losses are those of the weights that the
// model has.
func (r *Run) result() Result {
	p := &r.Progress
	result := Result{
		Dir: r.Dir.Path, Steps: p.Step, Images: p.Step * r.Settings.Batch, Loss: p.Smooth,
		Validation: r.log.validation(), Seconds: p.Seconds, Schedule: p.Schedule,
	}
	if p.Best != nil {
		result.Loss, result.Validation = p.Best.Smooth, p.Best.Loss
	}
	return result
}

// Close ends the workers and lets go of the folder.
func (r *Run) Close() {
	if r.Crew != nil {
		r.Crew.Close()
	}
	if r.log != nil {
		r.log.close()
	}
	r.board.close()
	if r.Dir != nil {
		r.Dir.close()
	}
}

// Seconds returns a duration of s seconds.
func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// smoothing returns the weight of the latest loss in the running mean, after the given number of
// steps. The mean looks back on about a quarter of the steps, and on 50 at most.
func smoothing(steps int) float64 { return max(min(1, 4/float64(steps+3)), 1.0/50) }
