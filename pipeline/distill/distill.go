package distill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/unet"
)

// Distill trains a flow map, which draws in a few evaluations what its teacher draws in many, and
// leaves everything in a run folder. With the option Resume it goes on with such a run. When ctx
// ends, it saves and returns a [*run.InterruptedError]. A mistake in the options is a
// [*pipeline.OptionError].
func Distill(ctx context.Context, o Options) (run.Result, error) {
	if err := o.Agree(o.Validate()); err != nil {
		return run.Result{}, err
	}
	r := newDistillation(o)
	defer r.Close()
	open := r.create
	if o.Resume {
		open = func() error { return r.reopen(o) }
	}
	if err := open(); err != nil {
		return run.Result{}, err
	}
	return r.Train(ctx)
}

// A distillation is a run that distils a model.
type distillation struct {
	run.Run
	options Options // resolved; Run.Settings points to a part of them
	teacher *model.Checkpoint
	method  model.Method // by which the teacher draws
	student *unet.Model
	work    *jumpTraining
	renamed bool // the teacher of a resumed run is named anew
}

// newDistillation returns a run without a folder, networks or workers.
func newDistillation(o Options) *distillation {
	r := &distillation{options: o.WithDefaults()}
	r.Run = run.Run{Settings: &r.options.Options, Job: r, Saved: -1}
	return r
}

// open opens the teacher of a new run, and makes the student.
func (r *distillation) open() error {
	if _, err := r.Settle(); err != nil {
		return err
	}
	if err := r.openTeacher(); err != nil {
		return err
	}
	r.options.ModelHash = r.teacher.Hash
	var pcg rand.PCG
	pipeline.Seed(&pcg, r.Settings.Seed, pipeline.StreamInit, 0, 0)
	var err error
	if r.student, err = r.newStudent(rand.New(&pcg)); err != nil {
		return option.Errorf("model", r.options.Model, "%v: name the model that it was distilled from, or another", err)
	}
	return r.CheckMemory(run.LayersOf(r.student.Config()))
}

// create opens a new run and makes its folder.
func (r *distillation) create() error {
	if err := r.meet(r.open()); err != nil {
		return err
	}
	if err := r.SetOut(studentName(r.options.Model)); err != nil {
		return err
	}
	if note, ok := r.teacher.JoinNote(r.Dir.Path + "/"); ok {
		r.Notes = append(r.Notes, note)
	}
	r.Progress = run.Progress{Seed: r.Settings.Seed, Schedule: r.Settings.Plan()}
	return r.MakeTrainer(r.build())
}

// meet brings the ranks together: the model stands for the data.
func (r *distillation) meet(err error) error {
	hash := ""
	if r.teacher != nil {
		hash = fmt.Sprintf("the model with SHA-256 %.12s…", r.teacher.Hash)
	}
	return r.Meet(err, hash)
}

// newStudent makes the network that learns from the teacher. It takes "no class" where the teacher
// learned that from images without a class.
func (r *distillation) newStudent(rng *rand.Rand) (*unet.Model, error) {
	return r.teacher.UNet().FlowMap(rng, unet.FlowMapInputs{
		NullClass: r.teacher.Meta.Unlabelled > 0, Guidance: r.options.Guidance.Wide(),
	})
}

// openTeacher opens the model to distil, and settles what the options leave to it. A resumed run
// needs a model with the same weights as before.
func (r *distillation) openTeacher() error {
	o := &r.options
	path, _ := model.Resolve(o.Model)
	ck, u, err := model.OpenUNet(path, o.Arithmetic)
	if err != nil {
		return err
	}
	if o.ModelHash != "" && ck.Hash != o.ModelHash {
		return option.Faultf("the model that this run distils has changed: "+
			"the weights of %s have SHA-256 %.12s…, and had %.12s…", path, ck.Hash, o.ModelHash).
			Cured("name the file that it was by %v, or distil anew", option.Setting{Option: "model"})
	}
	if err := r.settleMethod(ck, u); err != nil {
		return err
	}
	if o.Pool > sample.MaxElements/((keptParts+1)*ck.Shape().Len()) {
		return option.Errorf("pool", o.Pool, "so many trajectories of its images do not fit into memory: take fewer")
	}
	o.Model, r.teacher = path, ck
	r.DataMemory = 4 * (keptParts + 1) * float64((o.Pool+heldTrajectories)*ck.Shape().Len())
	return nil
}

// settleMethod opens the guide of the teacher, and settles how the teacher draws.
func (r *distillation) settleMethod(ck *model.Checkpoint, u *model.UNet) error {
	o, m := &r.options, r.options.method(0)
	var err error
	if m.Guide, err = ck.OpenGuide(o.Guide, o.Arithmetic); err != nil {
		return err
	}
	if m.Guide != nil {
		m.GuideShare = 1
	}
	if hash := m.GuideHash(); o.GuideHash != "" && hash != o.GuideHash {
		return option.Faultf("the guide of this run has changed: the weights of %s have SHA-256 %.12s…, and had %.12s…",
			m.GuideName(), hash, o.GuideHash).
			Cured("name the file that it was by %v, or distil anew", option.Setting{Option: "guide"})
	}
	for i := range o.Guidance {
		m.Guidance = o.Guidance[i]
		if r.method, err = u.SettleGuidance(ck.Path, m); err != nil {
			return err
		}
		o.Guidance[i] = r.method.Guidance
	}
	if o.Guidance[1] == 1 {
		r.method.Guidance = o.Guidance[0] // of a range, one that says what an evaluation costs
	}
	o.GuidanceInterval, o.GuideHash = r.method.Interval, r.method.GuideHash()
	return nil
}

// usualGuidance returns the weight by which the student draws unless it is told another: of a
// range, the one nearest to the default of its teacher.
func (r *distillation) usualGuidance() float64 {
	return r.options.Guidance.Nearest(r.teacher.UNet().UsualGuidance(r.method))
}

// checkTeacher returns an error where the teacher of a resumed run is not where it was, and nobody
// has named its new place.
func (r *distillation) checkTeacher() error {
	name := r.options.Model
	if _, embedded := model.Resolve(name); embedded || r.renamed {
		return nil
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return option.Faultf("the model that this run distils is not where it was: there is no %s", name).
		Cured("name its new place with %v", option.Setting{Option: "model"})
}

// studentName returns the name of the run folder for the student of a teacher.
func studentName(teacher string) string {
	if filepath.Base(teacher) == model.File {
		teacher = filepath.Dir(teacher)
	}
	return strings.TrimSuffix(filepath.Base(filepath.Clean(teacher)), filepath.Ext(teacher)) + "-fast"
}

// reopen continues the run in a folder.
func (r *distillation) reopen(given Options) error {
	path, c, err := run.FindOn(r.Settings.Ranks, given.Out)
	if err != nil {
		return err
	}
	recorded, err := distillOptionsOf(&c)
	if err != nil {
		return err
	}
	r.Finished = c.Finished
	// The teacher's file may have moved: openTeacher checks its hash.
	r.renamed = given.Model != ""
	option.Override(&recorded.Model, given.Model)
	if recorded.Guide != "" { // likewise
		option.Override(&recorded.Guide, given.Guide)
	}
	if err := run.Conflict(path, run.FieldsOf(recorded), run.FieldsOf(given.WithDefaults()), given.Given); err != nil {
		return err
	}
	if err := r.Lock(path, given.Disk); err != nil {
		return err
	}
	given.Threads = r.Settings.Threads // with its default
	r.options = recorded
	newBudget := r.Settings.TakeOver(&given.Options, false)
	if err := r.Settings.Agree(r.validateRecorded()); err != nil {
		return err
	}
	return r.restore(newBudget)
}

// validateRecorded checks the options of a recorded run.
func (r *distillation) validateRecorded() error {
	if err := r.options.Validate(); err != nil {
		return r.Damaged(err)
	}
	return nil
}

// distillOptionsOf returns the options of a recorded run. Older runs did not record all of them:
// the zero values stand for what those runs did.
func distillOptionsOf(c *run.Config) (Options, error) {
	var o Options
	err := c.Decode(run.DistillCommand, &o)
	o = o.WithDefaults()
	o.Out = c.Dir
	return o, err
}

// recall opens the teacher of a recorded run, and makes the student.
func (r *distillation) recall() error {
	if _, err := r.Settle(); err != nil {
		return err
	}
	if err := r.checkTeacher(); err != nil {
		return err
	}
	if err := r.openTeacher(); err != nil {
		return err
	}
	var err error
	if r.student, err = r.newStudent(nil); err != nil {
		return err
	}
	return r.CheckMemory(run.LayersOf(r.student.Config()))
}

// restore reads the state of a run whose options are settled.
func (r *distillation) restore(newBudget bool) error {
	if err := r.meet(r.recall()); err != nil {
		return err
	}
	if err := r.MakeTrainer(r.build()); err != nil {
		return err
	}
	if err := r.RestoreState(); err != nil {
		return err
	}
	if newBudget {
		r.NewBudget(r.Settings.Plan().Total())
	}
	return nil
}

// build makes the workers, their tasks and the engine around the student.
func (r *distillation) build() error {
	o := &r.options
	jumps := o.Shares.jumpCounts()
	r.Shown = r.teacher.Meta.TrainedRows(r.teacher.Labels())
	net := model.NewUNet(r.student, model.Prediction{}, jumps)
	nets := r.SetUNet(net, net.Jumps(slices.Max(jumps)))
	r.ShownGuidance = r.usualGuidance()
	t, err := newTeacher(r.teacher, r.method, o.Guidance, r.Crew, r.Settings.Ranks)
	if err != nil {
		return err
	}
	imageLen := r.Images.Len()
	r.work = &jumpTraining{
		teacher: t, seed: o.Seed, batch: o.Batch, micro: o.MicroBatch, reuse: o.Reuse, shares: o.Shares,
		power: option.OrNone(o.Weight), huber: option.OrNone(o.Huber),
		student: student{
			net: net, draw: r.DrawByAverage, blocks: o.blocks(), begun: option.OrNone(o.OnPolicy), round: -1,
			starts: func(step int) bool { return o.onPolicy(r.Progress.Schedule, step) },
		},
		round: -1, pool: newTrajectories(o.Pool, imageLen), order: feed.NewOrder(o.Pool, o.Seed, o.Batch),
	}
	if r.Validated = o.ValidateEvery >= 0; r.Validated {
		r.work.held = newTrajectories(heldTrajectories, imageLen)
	}
	for _, d := range newJumpTasks(r.work, nets) {
		r.Tasks = append(r.Tasks, d)
	}
	r.ExtraWork = float64(r.method.Evaluations(o.TeacherSteps)) / float64(o.Reuse)
	r.PrepareBy(r.work.prepare)
	return nil
}

// Command implements [run.Job].
func (*distillation) Command() run.Command { return run.DistillCommand }

// About implements [run.Job].
func (r *distillation) About() string {
	o := &r.options
	return fmt.Sprintf("%s, drawn by %s in %s, into 1, 2 or 4 evaluations, network of", o.Model, o.TeacherSolver,
		text.Count(o.TeacherSteps, "step", "steps"))
}

// LossPlot implements [run.Job].
func (r *distillation) LossPlot() picture.LossPlot {
	title := "Distillation of " + filepath.Base(r.options.Model)
	return picture.LossPlot{Title: title, Loss: "pseudo-Huber loss of jumps"}
}

// PreparationTime implements [run.Job].
func (r *distillation) PreparationTime() (took, each time.Duration) {
	return r.work.took, r.work.last / time.Duration(r.work.stepsPerRound())
}

// Config implements [run.Job].
func (r *distillation) Config() (options any, data run.DataInfo) {
	o, s := r.options, r.Images
	o.Schedule = r.Progress.Schedule
	of := r.teacher.Meta
	return &o, run.DataInfo{
		Name: of.Data, Height: s.Height, Width: s.Width, Channels: s.Channels, Classes: of.Classes,
	}
}

// Meta implements [run.Job].
func (r *distillation) Meta(m *model.Meta) {
	of := r.teacher.Meta
	m.Data, m.Classes, m.HoldOut = of.Data, of.Classes, of.HoldOut
	m.ClassCounts, m.Unlabelled, m.Init = of.ClassCounts, of.Unlabelled, of.Init
	m.Fit, m.Labels, m.Clusters = of.Fit, of.Labels, of.Clusters
	m.Objective = model.FlowMapObjective
	m.Teacher = &model.TeacherMeta{
		SHA256: r.teacher.Hash, Steps: of.Steps, Images: of.Images, Seed: of.Seed,
		Solver: r.options.TeacherSolver, SolverSteps: r.options.TeacherSteps,
		Guidance: r.usualGuidance(), Within: r.method.GuidedWithin(), Guide: r.method.GuideHash(),
	}
	if g := r.options.Guidance; g.Wide() {
		m.Teacher.GuidanceRange = g
	}
	m.Jumps = r.options.Shares.jumpCounts()
}

// Card implements [run.Job].
func (r *distillation) Card(c *run.CardFacts) {
	o := &r.options
	c.Intro = fmt.Sprintf("An image generator that needs %s evaluations of its network, distilled from %s",
		text.Or(o.Shares.jumpCounts()), o.Model)
	c.Rows = append(c.Rows,
		[2]string{"network", fmt.Sprintf("that of %s as a flow map, %s", o.Model,
			text.Count(c.Params, "parameter", "parameters"))},
		[2]string{"distilled from", fmt.Sprintf("%s, weights with SHA-256 %s, trained on %s", o.Model, o.ModelHash,
			r.teacher.Meta.Data)},
		[2]string{"the teacher drew by", fmt.Sprintf("%s in %s, %s%s", o.TeacherSolver,
			text.Count(o.TeacherSteps, "step", "steps"), cmp.Or(o.Guidance.Describe(r.method), "guidance 1"), aboutRange(o.Guidance))},
	)
	c.Loss = fmt.Sprintf("pseudo-Huber, c = %v, of jumps, weighted by their length to the power of %v",
		option.OrNone(o.Huber), option.OrNone(o.Weight))
	c.Validation = fmt.Sprintf("of %d trajectories that training does not see", heldTrajectories)
	c.Replay = r.replay()
	c.Use = option.Say("`%v` is the number of evaluations", option.Setting{Option: "steps"})
	if len(c.Meta.Classes) > 0 {
		c.Use = option.Say("%v. %v", c.Use, run.UseOfClasses(c.Meta))
	}
	c.Close = run.Closing(r.teacher.Meta.Data)
}

// replay returns what trains the same tensors again.
func (r *distillation) replay() option.Action {
	o := &r.options
	var c run.Replay
	c.Set("model", o.Model)
	c.AddBudget(r.Progress.Schedule)
	c.Set("guidance", o.Guidance)
	c.Add("guidance-interval", o.GuidanceInterval, model.WholeWay())
	c.Add("guide", o.Guide, "")
	c.Set("teacher-solver", o.TeacherSolver)
	c.Set("teacher-steps", o.TeacherSteps)
	c.Set("pool", o.Pool)
	c.Set("reuse", o.Reuse)
	if share := option.OrNone(o.OnPolicy); share > 0 {
		c.Set("on-policy", share)
		c.Set("on-policy-from", option.OrNone(o.OnPolicyFrom))
	}
	c.Set("jump-shares", o.Shares)
	c.Set("jump-weight", option.OrNone(o.Weight))
	c.Set("huber", option.OrNone(o.Huber))
	c.AddRun(&o.Options)
	return option.Action{Command: string(run.DistillCommand), Settings: c}
}

// aboutRange says what a range of weights means for the student.
func aboutRange(r model.GuidanceRange) string {
	if !r.Wide() {
		return ""
	}
	return ", of which the network takes any as an input"
}
