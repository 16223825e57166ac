package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/ode"
)

// A TrainResult says what a run came to.
type TrainResult struct {
	Dir    string // the run folder
	Steps  int
	Images int     // seen in training, repeats counted
	Loss   float64 // running mean over the last steps
	// Validation is the loss of the averaged weights on images that training does not see; 0: not measured.
	Validation float64
	Seconds    float64 // training time
	Schedule   Schedule
}

// An InterruptedError says that a run was stopped before its end and saved, or that nothing was written.
type InterruptedError struct {
	Dir         string  // where it was saved; empty: nothing was
	Command     Command // of fmimg, that goes on with it
	Step, Total int     // steps done, of so many (0 when not known yet)
	Cause       error   // the context's error, nil for StopAfter
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

// A job is what a run trains for: it makes the batches, and says what becomes of them.
type job interface {
	// command names the command of fmimg that goes on with the run.
	command() Command
	// about says what is trained on what, for a person.
	about() string
	// config returns the options, with everything resolved, and what is known of the data, for config.json.
	config() (options any, data dataInfo)
	// meta fills in what the checkpoint says of the data and of what the network predicts.
	meta(m *Meta)
	// card fills in what the card says of both.
	card(c *cardFacts)
	// preparing returns the time that making the last step's batch ready took, where it is made for several steps at
	// once, and what that comes to for each of them.
	preparing() (took, each time.Duration)
}

// A runTask is the task of a run, which can do more than a step.
type runTask interface {
	task
	// probe runs a micro-batch of zeros forward and back, whose results nobody reads, to see how long that takes.
	probe(grad []float32)
	// validate returns the sum of the losses of the held-out draws from first to first+n-1.
	validate(first, n int) float64
}

// A run is a run folder in which a network is trained for a job.
type run struct {
	opt       *RunOptions // resolved
	job       job
	dir       *runDir
	notes     []string // for a person, before the run starts
	model     Weights
	images    Shape
	labels    Labels
	show      Plan // of previews
	crew      *crew
	tasks     []runTask // of the engine
	engine    *engine
	sampler   *sampler
	log       *metricsLog
	board     *board // nil without TensorBoard
	validated bool   // there is a validation loss

	extraWork  float64 // of a step, in evaluations of an image in the batch, beside forward and backward
	dataMemory float64 // bytes that the job takes for its data
	layers     layerShapes

	done     progress
	clock    *timeBudget // nil unless the budget is in time
	saved    int         // the step of the last checkpoint, -1 before the first
	finished bool        // before this process resumed it
	meter    meter
	pace     pace
}

// setOut makes the folder of a new run; name is the last part of its path where the options have none.
func (r *run) setOut(name string) error {
	dir, err := createRun(r.opt.Out, name)
	if err == nil {
		dir.disk, r.dir = r.opt.disk, dir
	}
	return err
}

// lock takes the folder of the run that the configuration was read from.
func (r *run) lock(path string, disk func(io.Writer) io.Writer) error {
	dir, err := lockRun(path)
	if err == nil {
		dir.disk, r.dir = disk, dir
	}
	return err
}

// damaged wraps what is wrong with the options of a run folder: not the caller's mistake, so no OptionError.
func (r *run) damaged(err error) error {
	return fmt.Errorf("%s: %s: restore it from a copy, or train anew", r.dir.file(configFile), err.Error())
}

// restoreState reads the state of a run whose workers are there.
func (r *run) restoreState() error {
	var err error
	if r.done, err = readState(r.dir.file(stateFile), r.model.Params(), &r.engine.state); err != nil {
		return err
	}
	r.model.Repack(0, 1)
	r.saved = r.done.Step
	r.pace = pace{saveAt: r.done.Seconds, showAt: r.done.Seconds, showStep: r.done.Step, heldAt: r.done.Seconds, heldStep: r.done.Step}
	if r.clock != nil {
		r.clock.used = seconds(r.done.Seconds)
	}
	return nil
}

// newBudget settles how much of a budget that has changed is left: planned are the steps of one that is not in time.
// In time, the steps done so far tell how many more fit into it.
func (r *run) newBudget(planned int) {
	p := &r.done
	switch {
	case r.clock == nil:
		p.Schedule = p.Schedule.revise(p.Step, max(planned, p.Step))
	case p.Step == 0:
		p.Schedule = nil
	default:
		left := max(0, r.clock.limit-r.clock.used).Seconds()
		more := math.Ceil(left * float64(p.Step) / p.Seconds)
		p.Schedule = p.Schedule.revise(p.Step, int(min(float64(p.Step)+more, maxSteps)))
	}
}

// hire makes the workers round a network, whose previews are drawn by a plan.
func (r *run) hire(n Network, show Plan) {
	r.model, r.images, r.labels, r.show, r.crew = n, n.Shape(), n.Labels(), show, newCrew(r.opt.Threads)
}

// hireReplicas is hire for a U-Net, and returns a replica of it for each worker that trains.
func (r *run) hireReplicas(u *UNet, show Plan) []Replica {
	r.hire(u, show)
	var nets []Replica
	var drawers []Drawer
	for range r.workers() {
		net := u.NewReplica(r.opt.MicroBatch, true)
		nets = append(nets, net)
		drawers = append(drawers, NewVelocityDrawer(net, r.opt.MicroBatch, r.images.Len()))
	}
	r.sampler = newSampler(r.crew, drawers, r.opt.MicroBatch, r.images.Len())
	return nets
}

// workers returns how many of the crew train.
func (r *run) workers() int { return min(r.opt.Threads, r.opt.recipe().microBatches()) }

// equip makes the engine of the workers for their tasks.
func (r *run) equip(prepare func(ctx context.Context, step int) error) {
	recipe := r.opt.recipe()
	tasks := make([]task, len(r.tasks))
	for i, t := range r.tasks {
		tasks[i] = t
	}
	r.engine = newEngine(setup{recipe: recipe, model: r.model, tasks: tasks, prepare: prepare, crew: r.crew})
	if r.opt.Time > 0 {
		r.clock = &timeBudget{limit: time.Duration(r.opt.Time)}
	}
}

// recipe returns what a step does with a gradient.
func (o *RunOptions) recipe() recipe {
	return recipe{
		batch: o.Batch, micro: o.MicroBatch,
		beta1: o.Beta1, beta2: o.Beta2, eps: o.Eps, decay: o.WeightDecay, clip: o.Clip, ema: o.EMA,
		muon: o.Optimizer == Muon,
	}
}

// train trains from where the run is to its end.
func (r *run) train(ctx context.Context) (TrainResult, error) {
	if r.finished && r.over() {
		r.emit(Event{Kind: Finished, Path: r.dir.path, Text: "this run had finished already: a larger budget would train it further"})
		return r.result(), nil
	}
	if err := r.start(); err != nil {
		return TrainResult{}, err
	}
	result, err := r.loop(ctx)
	if _, stopped := errors.AsType[*InterruptedError](err); err != nil && !stopped {
		err = fmt.Errorf("%w%s", err, r.kept())
	}
	return result, err
}

// start writes the first files of the run, so that a full disk shows before the work, and says what
// will be done.
func (r *run) start() error {
	// The state last: a folder that has it has all that resuming takes.
	if err := r.saveConfig(); err != nil {
		return err
	}
	var err error
	if r.log, err = openMetrics(r.dir, r.done.Step); err != nil {
		return err
	}
	if r.opt.TensorBoard {
		if r.board, err = openBoard(r.dir, r.done.Step); err != nil {
			return err
		}
	}
	if r.saved < 0 {
		if err := r.saveState(); err != nil {
			return err
		}
	}
	// Room for the losses to come, so that steps need not make it.
	r.log.losses = slices.Grow(r.log.losses, min(max(r.done.Schedule.Total(), 1<<12), 1<<20))
	for _, note := range r.notes {
		r.emit(Event{Kind: Noted, Text: note})
	}
	if r.opt.OnEvent != nil {
		text := fmt.Sprintf("%s %d parameters, batch %d, %s, %s; %s", r.job.about(), r.model.Params().Len(),
			r.opt.Batch, r.opt.ISA, text.Count(r.opt.Threads, "thread", "threads"), r.describeCost())
		r.emit(Event{Kind: Started, Path: r.dir.path, Total: r.done.Schedule.Total(), Text: text})
	}
	return nil
}

// over reports whether the budget is used up.
func (r *run) over() bool {
	total := r.done.Schedule.Total()
	return total > 0 && r.done.Step >= total
}

// loop trains to the end of the budget, or until it has to stop: at once, as a step of a large network may
// take minutes and one that is abandoned costs nothing but its time.
func (r *run) loop(ctx context.Context) (TrainResult, error) {
	for !r.over() {
		if ctx.Err() != nil || (r.opt.StopAfter > 0 && r.done.Step >= r.opt.StopAfter) {
			return r.interrupt(ctx.Err())
		}
		if err := r.step(ctx); err != nil && errors.Is(err, ctx.Err()) {
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

// step trains on one batch and notes what it measured.
func (r *run) step(ctx context.Context) error {
	begin := time.Now()
	p, o := &r.done, r.opt
	rate := p.Schedule.Rate(p.Step, o.LR, o.Warmup, o.Decay)
	result, err := r.engine.run(ctx, p.Step, rate)
	if err != nil {
		return err
	}
	if !result.finite() {
		return diverged(p.Step, result, o.LR)
	}
	took := time.Since(begin)
	once, each := r.job.preparing()
	p.count(result, took)
	r.meter.add((took - once + each).Seconds())
	if r.clock != nil {
		r.clock.add(took, took-once+each)
		if total, due := r.clock.estimate(p.Step); due {
			p.Schedule = p.Schedule.revise(p.Step, total)
		}
	}
	m := metric{Step: p.Step, Images: p.Step * o.Batch, Loss: result.loss, Norm: result.norm, LR: rate, Seconds: p.Seconds}
	if m.Validation, err = r.validateWhenDue(); err != nil {
		return err
	}
	r.emitStep(result, rate)
	r.board.step(m, float64(o.Batch)/r.meter.mean)
	if flushed, err := r.log.add(m); !flushed || err != nil {
		return err
	}
	return r.board.flush()
}

func diverged(step int, result stepResult, rate float64) error {
	return fmt.Errorf("step %d: the loss is %g and its gradient %g: train anew with a lower learning rate than %g",
		step+1, result.loss, result.norm, rate)
}

func (r *run) emitStep(result stepResult, rate float64) {
	if r.opt.OnEvent == nil {
		return
	}
	e := r.done.stepped(result, rate, r.opt.Batch, &r.meter)
	e.Validation = r.log.validation()
	if r.clock != nil {
		e.Left = max(0, (r.clock.limit - r.clock.used).Seconds())
	}
	r.emit(e)
}

func (r *run) emit(e Event) {
	if r.opt.OnEvent != nil {
		e.Step, e.Images = r.done.Step, r.done.Step*r.opt.Batch
		r.opt.OnEvent(e)
	}
}

// between draws a preview and saves, when they are due.
func (r *run) between(ctx context.Context) error {
	if r.over() {
		return nil // finish does both
	}
	if r.pace.previewDue(r.opt, &r.done, &r.meter) {
		if err := r.showPreview(ctx); err != nil {
			return err
		}
	}
	if r.pace.saveDue(r.opt, &r.done) {
		return r.save(false)
	}
	return nil
}

// showPreview draws a preview; a network whose samples are no numbers yet trains on, and an interrupted
// preview is left out.
func (r *run) showPreview(ctx context.Context) error {
	begin := time.Now()
	name, err := r.preview(ctx)
	r.pace.previewed(r.done.Step, r.done.Seconds, time.Since(begin))
	switch {
	case err == nil:
		r.emit(Event{Kind: Previewed, Path: r.dir.file(name)})
	case errors.Is(err, ode.ErrNotFinite):
		r.emit(Event{Kind: Noted, Text: "no preview: " + err.Error()})
	case !errors.Is(err, ctx.Err()):
		return fmt.Errorf("preview: %w", err)
	}
	return nil
}

func (r *run) interrupt(cause error) (TrainResult, error) {
	if err := r.save(false); err != nil {
		return r.result(), err
	}
	r.emit(Event{Kind: Interrupted, Path: r.dir.path, Total: r.done.Schedule.Total()})
	return r.result(), &InterruptedError{r.dir.path, r.job.command(), r.done.Step, r.done.Schedule.Total(), cause}
}

// finish saves first, so that nothing can be lost, and shows the result then.
func (r *run) finish(ctx context.Context) (TrainResult, error) {
	if err := r.save(true); err != nil {
		return r.result(), err
	}
	if r.opt.PreviewEvery >= 0 {
		if err := r.showPreview(ctx); err != nil {
			return r.result(), err
		}
		if err := r.saveCard(); err != nil {
			return r.result(), err
		}
	}
	r.emit(Event{Kind: Finished, Path: r.dir.path, Loss: r.done.Smooth, Validation: r.log.validation(), Seconds: r.done.Seconds, Total: r.done.Step})
	return r.result(), nil
}

func (r *run) result() TrainResult {
	p := &r.done
	return TrainResult{Dir: r.dir.path, Steps: p.Step, Images: p.Step * r.opt.Batch, Loss: p.Smooth, Validation: r.log.validation(), Seconds: p.Seconds, Schedule: p.Schedule}
}

// close ends the workers and lets go of the folder.
func (r *run) close() {
	if r.crew != nil {
		r.crew.close()
	}
	if r.log != nil {
		r.log.close()
	}
	r.board.close()
	if r.dir != nil {
		r.dir.close()
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// smoothing is the weight of the loss after the given number of steps in its running mean, which looks
// back on some 50 steps, and on a quarter of them before there are so many.
func smoothing(steps int) float64 { return max(min(1, 4/float64(steps+3)), 1.0/50) }
