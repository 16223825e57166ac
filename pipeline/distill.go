package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/quote"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/unet"
)

// Distill trains a network that draws in a few evaluations what its teacher draws in many: a flow map, which is
// shown jumps of the teacher's own trajectories. It goes on with such a run as [Train] does, leaves the same in a run
// folder, and ends in the same ways. A mistake in the options is an [*OptionError].
func Distill(ctx context.Context, o DistillOptions) (TrainResult, error) {
	if err := o.Validate(); err != nil {
		return TrainResult{}, err
	}
	r := newDistillation(o)
	defer r.close()
	open := r.create
	if o.Resume {
		open = func() error { return r.reopen(o) }
	}
	if err := open(); err != nil {
		return TrainResult{}, err
	}
	return r.train(ctx)
}

// A distillation is a run that distils a model.
type distillation struct {
	run
	options DistillOptions // resolved; run.opt is a part of them
	teacher *Checkpoint
	student *unet.Model
	work    *distilling
}

// newDistillation returns a run that has nothing yet.
func newDistillation(o DistillOptions) *distillation {
	r := &distillation{options: o.withDefaults()}
	r.run = run{opt: &r.options.RunOptions, job: r, saved: -1}
	return r
}

// create opens the teacher, makes the student, and the folder of a new run.
func (r *distillation) create() error {
	isa, err := kernels.Parse(r.opt.ISA)
	if err != nil {
		return err
	}
	r.opt.ISA = isa.String()
	if err := r.openTeacher(); err != nil {
		return err
	}
	r.options.ModelHash = r.teacher.Hash
	var pcg rand.PCG
	seedStream(&pcg, r.opt.Seed, streamInit, 0, 0)
	if r.student, err = r.teacher.UNet().FlowMap(rand.New(&pcg)); err != nil {
		return option.Errorf("model", "%s: %v: name the model that it was distilled from, or another", r.options.Model, err)
	}
	if err := r.setOut(fastName(r.options.Model)); err != nil {
		return err
	}
	r.warnOfMemory(layersOf(r.student.Config()))
	r.done = progress{Seed: r.opt.Seed, Schedule: r.opt.plan()}
	return r.build()
}

// openTeacher opens the model to distil, which must be that of the run if there is one, and settles what the options leave
// to it.
func (r *distillation) openTeacher() error {
	o := &r.options
	path, _ := findModel(o.Model)
	ck, u, err := OpenUNet(path, o.ISA)
	if err != nil {
		return err
	}
	if o.ModelHash != "" && ck.Hash != o.ModelHash {
		return fmt.Errorf("the model that this run distils has changed: the weights of %s have SHA-256 %.12s…, and had %.12s…: name the file that it was by --model, or distil anew",
			path, ck.Hash, o.ModelHash)
	}
	if o.Guidance, err = u.Guide(ck.Path, o.Guidance); err != nil {
		return err
	}
	if o.Pool > maxElements/((keptParts+1)*ck.Shape().Len()) {
		return option.Errorf("pool", "%d: so many trajectories of its images do not fit into memory: take fewer", o.Pool)
	}
	o.Model, r.teacher = path, ck
	r.dataMemory = 4 * (keptParts + 1) * float64((o.Pool+heldTrajectories)*ck.Shape().Len())
	return nil
}

// fastName is the name for the student of a model.
func fastName(model string) string {
	if filepath.Base(model) == modelFile {
		model = filepath.Dir(model)
	}
	return strings.TrimSuffix(filepath.Base(filepath.Clean(model)), filepath.Ext(model)) + "-fast"
}

// reopen continues the run in a folder.
func (r *distillation) reopen(given DistillOptions) error {
	path, c, err := findRun(given.Out)
	if err != nil {
		return err
	}
	recorded, err := distillOptionsOf(&c)
	if err != nil {
		return err
	}
	r.finished = c.Finished
	option.Override(&recorded.Model, given.Model) // which may have moved: its hash tells it
	if err := conflict(path, fieldsOf(recorded), fieldsOf(given.withDefaults()), given.Given); err != nil {
		return err
	}
	if err := r.lock(path, given.disk); err != nil {
		return err
	}
	given.Threads = r.opt.Threads // with its default
	r.options = recorded
	newBudget := r.opt.resume(&given.RunOptions, false)
	if err := r.options.Validate(); err != nil {
		return r.damaged(err)
	}
	return r.restore(newBudget)
}

// distillOptionsOf returns the options of a recorded run. What runs did not record once was as the zero values say.
func distillOptionsOf(c *runConfig) (DistillOptions, error) {
	var o DistillOptions
	err := c.decode(DistillCommand, &o)
	o.fillDefaults()
	o.Out = c.dir
	return o, err
}

// restore reads the state of a run whose options are settled.
func (r *distillation) restore(newBudget bool) error {
	if err := r.openTeacher(); err != nil {
		return err
	}
	var err error
	if r.student, err = r.teacher.UNet().FlowMap(nil); err != nil {
		return err
	}
	r.warnOfMemory(layersOf(r.student.Config()))
	if err := r.build(); err != nil {
		return err
	}
	if err := r.restoreState(); err != nil {
		return err
	}
	if newBudget {
		r.newBudget(r.opt.plan().Total())
	}
	return nil
}

// build makes the workers, their tasks and the engine around the student.
func (r *distillation) build() error {
	o := &r.options
	nets := r.hireReplicas(NewUNet(r.student, Prediction{}, o.Shares.levels()), Jumps(slices.Max(o.Shares.levels())))
	t, err := newTeacher(r.teacher, o, r.crew)
	if err != nil {
		return err
	}
	imageLen := r.images.Len()
	r.work = &distilling{
		teacher: t, seed: o.Seed, batch: o.Batch, micro: o.MicroBatch, reuse: o.Reuse, shares: o.Shares,
		power: o.Weight, huber: o.Huber,
		round: -1, pool: newTrajectories(o.Pool, imageLen), order: newEpochOrder(o.Pool, o.Seed, o.Batch),
	}
	if r.validated = o.ValidateEvery >= 0; r.validated {
		r.work.held = newTrajectories(heldTrajectories, imageLen)
	}
	for _, d := range newDistillers(r.work, nets) {
		r.tasks = append(r.tasks, d)
	}
	r.extraWork = float64(o.evaluations()) / float64(o.Reuse)
	r.equip(r.work.prepare)
	return nil
}

// command implements [job].
func (*distillation) command() Command { return DistillCommand }

// about implements [job].
func (r *distillation) about() string {
	o := &r.options
	return fmt.Sprintf("%s, drawn by %s in %s, into 1, 2 or 4 evaluations, network of", o.Model, o.TeacherSolver, text.Count(o.TeacherSteps, "step", "steps"))
}

// preparing implements [job].
func (r *distillation) preparing() (took, each time.Duration) {
	return r.work.took, r.work.last / time.Duration(r.work.stepsOfRound())
}

// config implements [job].
func (r *distillation) config() (options any, data dataInfo) {
	o, s := r.options, r.images
	o.Schedule = r.done.Schedule
	return &o, dataInfo{Name: r.teacher.Meta.Data, Height: s.Height, Width: s.Width, Chans: s.Channels, Classes: r.teacher.Meta.Classes}
}

// meta implements [job].
func (r *distillation) meta(m *Meta) {
	of := r.teacher.Meta
	m.Data, m.Classes, m.HoldOut = of.Data, of.Classes, of.HoldOut
	m.Objective = flowMapObjective
	m.Teacher = &TeacherMeta{
		SHA256: r.teacher.Hash, Steps: of.Steps, Images: of.Images, Seed: of.Seed,
		Solver: r.options.TeacherSolver, SolverSteps: r.options.TeacherSteps, Guidance: r.options.Guidance,
	}
	m.Jumps = r.options.Shares.levels()
}

// card implements [job].
func (r *distillation) card(c *cardFacts) {
	o := &r.options
	c.Intro = fmt.Sprintf("An image generator that needs %s evaluations of its network, distilled from %s", text.Or(o.Shares.levels()), o.Model)
	c.Rows = append(c.Rows,
		[2]string{"network", fmt.Sprintf("that of %s as a flow map, %d parameters", o.Model, c.Params)},
		[2]string{"distilled from", fmt.Sprintf("%s, weights with SHA-256 %s, trained on %s", o.Model, o.ModelHash, r.teacher.Meta.Data)},
		[2]string{"the teacher drew by", fmt.Sprintf("%s in %s, guidance %v", o.TeacherSolver, text.Count(o.TeacherSteps, "step", "steps"), o.Guidance)},
	)
	c.Loss = fmt.Sprintf("pseudo-Huber, c = %v, of jumps, weighted by their length to the power of %v", o.Huber, o.Weight)
	c.Validation = fmt.Sprintf("of %d trajectories that training does not see", heldTrajectories)
	c.Replay = r.replay()
	c.Use = "`--steps` is the number of evaluations"
	if names := c.Meta.Classes; len(names) > 0 {
		c.Use += ". " + useOfClasses(names)
	}
	c.Close = closing(r.teacher.Meta.Data)
}

// replay returns the command that trains the same tensors again.
func (r *distillation) replay() string {
	o, d := &r.options, DefaultDistillOptions()
	c := newCommandLine("fmimg distill --model %s --steps %d --schedule %s", quote.Shell(o.Model), r.done.Schedule.Total(), r.done.Schedule)
	c.add("guidance", o.Guidance, d.Guidance)
	fmt.Fprintf(&c.text, " --teacher-solver %s --teacher-steps %d --pool %d --reuse %d", o.TeacherSolver, o.TeacherSteps, o.Pool, o.Reuse)
	fmt.Fprintf(&c.text, " --jump-shares %v --jump-weight %v --huber %v", o.Shares, o.Weight, o.Huber)
	c.addRun(&o.RunOptions)
	return c.text.String()
}
