package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/unet"
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
	Dir         string // where it was saved; empty: nothing was
	Step, Total int    // steps done, of so many (0 when not known yet)
	Cause       error  // the context's error, nil for StopAfter
}

// Error returns one line.
func (e *InterruptedError) Error() string {
	what := "interrupted"
	if e.Cause == nil {
		what = "stopped"
	}
	if e.Dir == "" {
		return fmt.Sprintf("%s after step %d%s: nothing was written: run it again", what, e.Step, ofTotal(e.Total))
	}
	return fmt.Sprintf("%s after step %d%s and saved in %s", what, e.Step, ofTotal(e.Total), e.Dir)
}

// Unwrap returns the context's error.
func (e *InterruptedError) Unwrap() error { return e.Cause }

func ofTotal(total int) string {
	if total == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d", total)
}

// Train trains a network, or goes on with a run, and leaves everything in a run folder. Options are
// checked before any work and before anything is written; a mistake in them is an [*OptionError].
//
// When ctx ends, Train abandons the step that it is in, saves and returns an [*InterruptedError]; the run can be
// resumed, and its tensors will be the same to the byte as if it had never stopped. When the loss
// stops being a number Train stops with an error, and the last checkpoint stays.
func Train(ctx context.Context, o TrainOptions) (TrainResult, error) {
	if err := o.Validate(); err != nil {
		return TrainResult{}, err
	}
	r, err := openRun(ctx, o)
	if err != nil {
		return TrainResult{}, err
	}
	defer r.close()
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

// A run is a training run under way.
type run struct {
	opt    TrainOptions // resolved
	dir    *runDir
	data   dataset.Source
	held   dataset.Source // for the validation loss, nil for none
	digest string         // of the data, "" when it has none
	// pictures is the folder or archive that the data was read from, "" for other data.
	pictures string
	notes    []string // for a person, before the run starts
	model    *unet.Model
	crew     *crew
	match    *matching
	engine   *engine
	sampler  *sampler
	log      *metricsLog
	board    *board // nil without TensorBoard

	matchers []*matcher // the tasks of the engine

	done     progress
	clock    *timeBudget // nil unless the budget is in time
	saved    int         // the step of the last checkpoint, -1 before the first
	finished bool        // before this process resumed it
	meter    meter
	pace     pace
}

// openRun opens or makes the run folder and everything that training needs.
func openRun(ctx context.Context, o TrainOptions) (*run, error) {
	r := &run{opt: o.withDefaults(), saved: -1}
	var err error
	if o.Resume {
		err = r.reopen(ctx, o)
	} else {
		err = r.create(ctx)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// create resolves the options of a new run and makes its folder.
func (r *run) create(ctx context.Context) error {
	isa, err := kernels.Parse(r.opt.ISA)
	if err != nil {
		return err
	}
	r.opt.ISA = isa.String()
	if err := r.openData(ctx); err != nil {
		return err
	}
	if r.model, err = r.opt.resolveNetwork(r.data, isa); err != nil {
		return err
	}
	if err := r.outsideData(); err != nil {
		return err
	}
	if r.dir, err = createRun(r.opt.Out, r.opt.Data); err != nil {
		return err
	}
	r.dir.disk = r.opt.disk
	r.warnOfMemory()
	if r.model == nil {
		if r.model, err = r.opt.newModel(isa); err != nil {
			return err
		}
	}
	r.done = progress{Seed: r.opt.Seed, Schedule: r.opt.plan(r.data.Len())}
	return r.build()
}

// reopen continues the run in a folder.
func (r *run) reopen(ctx context.Context, given TrainOptions) error {
	path := given.Out
	var err error
	if path == "" {
		if path, err = newestRun(stateFile); err != nil {
			return err
		}
	}
	c, err := readRunConfig(path)
	if err != nil {
		return err
	}
	recorded := c.Options
	r.finished = c.Finished
	if c.Data.Digest != "" { // which tells the same files in another place
		overrideWith(&recorded.Data, given.Data)
	}
	if err := conflict(&recorded, &given); err != nil {
		return err
	}
	if r.dir, err = lockRun(path); err != nil {
		return err
	}
	r.dir.disk = given.disk
	var newBudget bool
	given.Threads = r.opt.Threads // with its default
	if r.opt, newBudget = resumed(&recorded, &given); r.opt.Network == nil {
		return fmt.Errorf("%s: it names no network: restore it from a copy, or train anew", r.dir.file(configFile))
	}
	if err := r.opt.Validate(); err != nil {
		// Not the caller's mistake, so no OptionError.
		return fmt.Errorf("%s: %s: restore it from a copy, or train anew", r.dir.file(configFile), err.Error())
	}
	return r.restore(ctx, newBudget, c.Data)
}

// restore reads the state of a run whose options are settled, and which had the given data.
func (r *run) restore(ctx context.Context, newBudget bool, had dataInfo) error {
	isa, err := kernels.Parse(r.opt.ISA)
	if err != nil {
		return err
	}
	if err := r.openData(ctx); err != nil {
		return err
	}
	if had.Digest != "" && r.digest != had.Digest {
		return r.dataChanged(had)
	}
	if err := r.opt.useNetwork(*r.opt.Network, r.data); err != nil {
		return err
	}
	r.warnOfMemory()
	if r.model, err = unet.New(*r.opt.Network, isa, nil); err != nil {
		return err
	}
	if err := r.build(); err != nil {
		return err
	}
	if r.done, err = readState(r.dir.file(stateFile), r.model, &r.engine.state); err != nil {
		return err
	}
	r.model.Repack(0, 1)
	r.saved = r.done.Step
	r.pace = pace{saveAt: r.done.Seconds, showAt: r.done.Seconds, showStep: r.done.Step, heldAt: r.done.Seconds, heldStep: r.done.Step}
	r.resumeBudget(newBudget)
	return nil
}

// resumeBudget settles how much of the budget is left. With a new one, the steps done so far tell how
// many more fit into it.
func (r *run) resumeBudget(newBudget bool) {
	p := &r.done
	if r.clock != nil {
		r.clock.used = seconds(p.Seconds)
	}
	switch {
	case !newBudget:
	case r.clock == nil:
		p.Schedule = p.Schedule.revise(p.Step, max(r.opt.plan(r.data.Len()).Total(), p.Step))
	case p.Step == 0:
		p.Schedule = nil
	default:
		left := max(0, r.clock.limit-r.clock.used).Seconds()
		more := math.Ceil(left * float64(p.Step) / p.Seconds)
		p.Schedule = p.Schedule.revise(p.Step, int(min(float64(p.Step)+more, maxSteps)))
	}
}

// build makes the workers, the engine and the sampler around the model.
func (r *run) build() error {
	cfg := r.model.Config()
	times, err := flow.ParseTimeDistribution(r.opt.TimeDist)
	if err != nil {
		return err
	}
	recipe := r.opt.recipe()
	r.crew = newCrew(r.opt.Threads)
	var nets []network
	for range min(r.opt.Threads, recipe.microBatches()) {
		nets = append(nets, r.model.NewReplica(r.opt.MicroBatch, true))
	}
	state := newOptimState(r.model.Params().Values, r.opt.EMA > 0)
	feed := newFeed(r.data, r.opt.Seed, r.opt.Batch, r.opt.Flip)
	feed.dequantize = r.opt.Dequantize
	r.match = r.opt.matching(times, feed)
	if r.opt.Coupling == OptimalTransport {
		r.match.pairs = newPairing(feed, r.opt.Seed, r.opt.Batch)
	}
	r.matchers = newMatchers(r.match, nets)
	tasks := make([]task, len(nets))
	for i, m := range r.matchers {
		tasks[i] = m
	}
	steps := newStepper(recipe, r.model.ISA(), state, r.model.Params(), r.crew.size())
	r.engine = newEngine(recipe, r.match.prepare, steps, r.model.Repack, r.crew, tasks)
	r.sampler = newSampler(r.crew, nets, r.opt.MicroBatch, cfg.ImageLen())
	if r.opt.Time > 0 {
		r.clock = &timeBudget{limit: time.Duration(r.opt.Time)}
	}
	return nil
}

// recipe returns what a step does with a gradient.
func (o *TrainOptions) recipe() recipe {
	return recipe{
		batch: o.Batch, micro: o.MicroBatch,
		beta1: o.Beta1, beta2: o.Beta2, eps: o.Eps, decay: o.WeightDecay, clip: o.Clip, ema: o.EMA,
		muon: o.Optimizer == Muon,
	}
}

// matching returns what the draws and the loss of a step depend on.
func (o *TrainOptions) matching(times flow.TimeDistribution, f *feed) *matching {
	m := &matching{
		feed: f, seed: o.Seed, batch: o.Batch, micro: o.MicroBatch, times: times, path: flow.Linear{},
		labels: o.Network.NumClasses > 0, null: -1, drop: o.LabelDrop,
	}
	if o.Network.NullClass {
		m.null = int32(o.Network.NumClasses - 1)
	}
	return m
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
		r.emit(Event{Kind: Started, Path: r.dir.path, Total: r.done.Schedule.Total(), Text: r.describe()})
	}
	return nil
}

func (r *run) describe() string {
	kind := "unconditional"
	if r.match.labels {
		kind = fmt.Sprintf("%d classes", r.model.Config().Classes())
	}
	if r.held != nil {
		kind += fmt.Sprintf(", %d held out", r.held.Len())
	}
	h, w, c := r.data.Shape()
	return fmt.Sprintf("%s (%d images of %dx%d, %s, %s), network %s %d parameters, batch %d, %s, %s; %s",
		r.opt.Data, r.data.Len(), h, w, count(c, "channel", "channels"), kind, r.opt.networkName(), r.model.Params().Len(),
		r.opt.Batch, r.opt.ISA, count(r.opt.Threads, "thread", "threads"), r.describeCost())
}

// over reports whether the budget is used up.
func (r *run) over() bool {
	total := r.done.Schedule.Total()
	return total > 0 && r.done.Step >= total
}

// loop trains to the end of the budget, or until it has to stop: at once, as a step of a large network may
// take minutes and one that is abandoned costs nothing but its time.
func (r *run) loop(ctx context.Context) (TrainResult, error) {
	r.engine.stop = ctx.Err
	for !r.over() {
		if ctx.Err() != nil || (r.opt.StopAfter > 0 && r.done.Step >= r.opt.StopAfter) {
			return r.interrupt(ctx.Err())
		}
		if err := r.step(); err != nil && errors.Is(err, ctx.Err()) {
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
func (r *run) step() error {
	begin := time.Now()
	p, o := &r.done, &r.opt
	rate := p.Schedule.Rate(p.Step, o.LR, o.Warmup, o.Decay)
	result, err := r.engine.run(p.Step, rate)
	if err != nil {
		return err
	}
	if !result.finite() {
		return diverged(p.Step, result, o.LR)
	}
	took := time.Since(begin)
	p.count(result, took)
	r.meter.add(took.Seconds())
	if r.clock != nil {
		r.clock.add(took)
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
	if r.pace.previewDue(&r.opt, &r.done, &r.meter) {
		if err := r.showPreview(ctx); err != nil {
			return err
		}
	}
	if r.pace.saveDue(&r.opt, &r.done) {
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
	case errors.Is(err, flow.ErrNotFinite):
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
	return r.result(), &InterruptedError{r.dir.path, r.done.Step, r.done.Schedule.Total(), cause}
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
