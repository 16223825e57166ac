package distill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/field"
	"github.com/fmimg/fmimg/pipeline/likelihood"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/pipeline/train"
	"github.com/fmimg/fmimg/safetensors"
)

// madeModels holds the models that several tests use, by name. Making one takes longer than most
// tests.
var madeModels sync.Map

// ownCopy copies a model into a file of the test's own. train makes the model in a run folder, once
// for all tests.
func ownCopy(t testing.TB, name string, train func() (run string)) string {
	t.Helper()
	text, ok := madeModels.Load(name)
	if !ok {
		file, err := os.ReadFile(filepath.Join(train(), model.File))
		if err != nil {
			t.Fatal(err)
		}
		text, _ = madeModels.LoadOrStore(name, file)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text.([]byte), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// smallDistillation returns options for a run of three rounds of four steps in a folder of its own.
func smallDistillation(t testing.TB, model string) Options {
	var o Options
	o.Seed = 1
	o.Model, o.Out = model, filepath.Join(t.TempDir(), "fast")
	o.TeacherSolver, o.TeacherSteps, o.Pool, o.Reuse = "euler", 4, 22, 2
	o.Batch, o.MicroBatch, o.Steps, o.Warmup = 11, 2, 10, 2 // 11: the last micro-batch is smaller
	o.PreviewEvery, o.ValidateEvery, o.Threads = -1, 5, 2
	return o
}

func mustDistill(t *testing.T, o Options) run.Result {
	t.Helper()
	result, err := Distill(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Jumps are as frequent as their shares say. Jumps of the same length begin equally often at each
// part.
func TestJumpShares(t *testing.T) {
	const n = 12000
	for _, shares := range []JumpShares{{0.5, 0.25, 0.25}, {1, 0, 0}, {0, 0, 1}, {0, 0.5, 0.5}, {0.2, 0, 0.8}} {
		seen := map[[2]int]int{}
		for i := range n {
			from, to := shares.jump((float64(i) + 0.5) / n)
			seen[[2]int{from, to}]++
		}
		for level, jumps := range model.JumpCounts {
			length := keptParts / jumps
			for from := 0; from < keptParts; from += length {
				got, want := seen[[2]int{from, from + length}], shares[level]*n/float64(jumps)
				if math.Abs(float64(got)-want) > 2 { // a share may end between two points
					t.Errorf("shares %v: %d jumps of 1/%d from %d/4, want %v", shares, got, jumps, from, want)
				}
				delete(seen, [2]int{from, from + length})
			}
		}
		if len(seen) > 0 {
			t.Errorf("shares %v: other jumps, %v", shares, seen)
		}
		if from, to := shares.jump(math.Nextafter(1, 0)); to != keptParts {
			t.Errorf("shares %v: the last point jumps from %d to %d", shares, from, to)
		}
	}
}

// A trajectory of the teacher ends in the image that a sampler draws, and its other states are the
// solver's at that time, with and without guidance.
func TestTrajectories(t *testing.T) {
	ck, err := model.Open(roomtest.NamedModel(t), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	for _, guidance := range []float64{1, 2.5} {
		t.Run(fmt.Sprint("guidance ", guidance), func(t *testing.T) { compareTrajectories(t, ck, guidance) })
	}
}

// A teacher draws the classes of its training data, and the student records the same ones.
func TestTeacherDrawsItsClasses(t *testing.T) {
	teacher := roomtest.NamedCheckpoint
	teacher.Counts, teacher.Unlabelled = []int{0, 3, 1}, 4
	ck, err := model.Open(teacher.Save(t), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	c := crew.New(2)
	defer c.Close()
	teach, err := newTeacher(ck, model.Method{Guidance: 2, Solver: "euler", Steps: 4}, model.OneGuidance(2), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	drawn := newTrajectories(64, ck.UNet().Config().ImageLen())
	teach.condition(drawn, 1)
	if err := teach.draw(t.Context(), drawn, 1, 0, wholeWay); err != nil {
		t.Fatal(err)
	}
	count := make([]int, 4)
	for _, row := range drawn.labels {
		count[row]++
	}
	if count[0] > 0 || count[1] < 12 || count[2] == 0 || count[3] < 20 { // 24, 8 and 32 on average
		t.Errorf("rows were drawn %d times", count)
	}
	o := smallDistillation(t, teacher.Save(t))
	mustDistill(t, o)
	student, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil || !slices.Equal(student.Meta.ClassCounts, teacher.Counts) || student.Meta.Unlabelled != 4 {
		t.Fatalf("meta %+v, %v", student.Meta, err)
	}
	if m, err := student.SettleGuidance("m", model.Method{}); err != nil || m.Guidance != 1 {
		t.Errorf("the student draws with guidance %v, %v", m.Guidance, err)
	}
	if _, err := student.SettleGuidance("m", model.Method{Guidance: 2}); err == nil {
		t.Error("the student takes a guidance")
	}
	if rows, _, err := student.RequestedClasses("none,two", model.Method{}); err != nil || !slices.Equal(rows, []int32{3, 2}) {
		t.Errorf("none,two is %v, %v", rows, err)
	}
}

func compareTrajectories(t *testing.T, ck *model.Checkpoint, guidance float64) {
	const n, seed = 11, 5
	method := model.Method{Guidance: guidance, Solver: "midpoint", Steps: 8}
	c := crew.New(3)
	defer c.Close()
	teach, err := newTeacher(ck, method, model.OneGuidance(guidance), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := newTrajectories(n, ck.UNet().Config().ImageLen())
	teach.condition(got, seed)
	if err := teach.draw(t.Context(), got, seed, 0, wholeWay); err != nil {
		t.Fatal(err)
	}
	s, err := sample.NewSampler(ck, sample.Options{Count: n, Seed: seed, Threads: 1, Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	frames := make([][]float32, 9)
	for i := range frames {
		frames[i] = make([]float32, len(got.states[0]))
	}
	images, err := s.DrawFrames(t.Context(), 0, n, func(from, step int, x []float32) {
		copy(frames[step][from*got.imageLen:], x)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(images.Labels, got.labels) || !slices.Equal(images.Pixels, got.states[keptParts]) {
		t.Error("the trajectories end elsewhere")
	}
	for part := range got.states {
		if !slices.Equal(frames[2*part], got.states[part]) {
			t.Errorf("other states at %d/4", part)
		}
	}
}

// The gradient of a step is the slope of its loss, the mean over the jumps. The network is u = a·x
// + b·(t+δ), and differences give the slope.
func TestDistillGradient(t *testing.T) {
	const batch, micro, imageLen = 8, 3, 5
	pool := newTrajectories(batch, imageLen)
	for part, states := range pool.states {
		for i := range states {
			states[i] = float32(math.Sin(float64(7*i + 3*part)))
		}
	}
	work := &jumpTraining{
		teacher: &teacher{}, seed: 2, batch: batch, micro: micro, reuse: 1, shares: defaultShares,
		power: 0.5, huber: 0.3, pool: pool, order: feed.NewOrder(batch, 2, batch), round: 0,
	}
	if err := work.prepare(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	net := &roomtest.AffineNet{Params: []float32{0.5, 1}}
	w := newJumpTasks(work, []model.Replica{net})[0]
	step := func(grad []float32) float64 {
		loss := 0.0
		for first := 0; first < batch; first += micro {
			loss += w.Gradient(grad, 0, first, min(micro, batch-first))
		}
		return loss
	}
	grad, none := make([]float32, 2), make([]float32, 2)
	step(grad)
	for i := range net.Params {
		// Third derivatives are below 18·|∂u|³ where δ ≤ 1 and |x|, |t+δ| ≤ 2. So the difference
		// errs by less than h²/6·18·8 < 1.5e-3 at h = 1/128. A wrong share of a micro-batch would
		// be an error of an eighth.
		const h = 1. / 128
		old := net.Params[i]
		net.Params[i] = old + h
		after := step(none)
		net.Params[i] = old - h
		before := step(none)
		net.Params[i] = old
		want := (after - before) / (2 * h)
		if off := math.Abs(want - float64(grad[i])); off > 1.5e-3+1e-4*math.Abs(want) || math.Abs(want) < 0.02 {
			t.Errorf("gradient %d is %v, differences give %v", i, grad[i], want)
		}
	}
}

// The target of a jump is the mean velocity between its ends, and the loss of a network that
// predicts 0 follows from it.
func TestDistillTargets(t *testing.T) {
	const imageLen = 4
	pool := newTrajectories(1, imageLen)
	for part, states := range pool.states {
		for i := range states {
			states[i] = float32(i) + 3*float32(part)*float32(part) // x_t = x_0 + 48·t²
		}
	}
	work := &jumpTraining{teacher: &teacher{}, micro: 1, pool: pool, power: 1}
	w := newJumpTasks(work, []model.Replica{&roomtest.AffineNet{Params: []float32{0, 0}}})[0]
	for _, jump := range [][2]int{{0, 4}, {0, 2}, {2, 4}, {0, 1}, {1, 2}, {3, 4}} {
		w.place(0, pool, 0, jump[0], jump[1])
		t0, t1 := float64(jump[0])/4, float64(jump[1])/4
		for i, u := range w.target {
			// 48·(t1² − t0²)/(t1 − t0)
			if want := 48 * (t0 + t1); math.Abs(float64(u)-want) > 1e-5*want {
				t.Errorf("jump %v: target %v, want %v", jump, u, want)
			}
			if w.xt[i] != pool.state(0, jump[0])[i] || float64(w.t[0]) != t0 || float64(w.d[0]) != t1-t0 {
				t.Errorf("jump %v begins at %v, is %v long and shows %v", jump, w.t[0], w.d[0], w.xt)
			}
		}
		if loss := w.forward(1); math.Abs(loss-48*48*(t1*t1-t0*t0)*(t1*t1-t0*t0)) > 1e-3*loss {
			t.Errorf("jump %v: the loss of answering 0 is %v", jump, loss)
		}
	}
}

// A run ends with the same tensors when it was interrupted in the middle of a round or at its end,
// and with any number of threads.
func TestDistillResumeIsExact(t *testing.T) {
	roomtest.NoLeaks(t)
	model := roomtest.NamedModel(t)
	through := smallDistillation(t, model)
	through.Threads = 1
	result := mustDistill(t, through)
	if result.Steps != 10 || !(result.Validation > 0) || !(result.Loss > 0) {
		t.Errorf("result %+v", result)
	}
	for _, stop := range []int{1, 4, 6} {
		o := smallDistillation(t, model)
		o.StopAfter, o.Threads = stop, 3
		_, err := Distill(context.Background(), o)
		stopped, ok := errors.AsType[*run.InterruptedError](err)
		if !ok || stopped.Step != stop || stopped.GoOn.Command != "distill" {
			t.Fatalf("stopped: %v", err)
		}
		o.StopAfter, o.Resume, o.Model, o.Threads = 0, true, "", 2
		mustDistill(t, o)
		roomtest.SameRun(t, through.Out, o.Out)
	}
	// In bfloat16 too, whose run keeps it.
	through = smallDistillation(t, model)
	through.Threads, through.Precision = 1, "bf16"
	roomtest.DifferentRun(t, result.Dir, mustDistill(t, through).Dir)
	o := smallDistillation(t, model)
	o.StopAfter, o.Precision = 4, "bf16"
	if _, err := Distill(context.Background(), o); err == nil {
		t.Fatal("the run went on")
	}
	o.StopAfter, o.Resume, o.Model, o.Precision = 0, true, "", ""
	mustDistill(t, o)
	roomtest.SameRun(t, through.Out, o.Out)
	other := smallDistillation(t, model)
	other.Seed = 2
	mustDistill(t, other)
	roomtest.DifferentRun(t, result.Dir, other.Out)
}

// An interruption while the teacher draws abandons the step. The resumed run draws that pool again.
func TestDistillInterruptedWhileDrawing(t *testing.T) {
	roomtest.NoLeaks(t)
	interruptWhileDrawing(t, func(*Options) {})
}

// interruptWhileDrawing interrupts a run in the first step of its second round, while the teacher
// draws, and compares it with a run that goes through. change sets options.
func interruptWhileDrawing(t *testing.T, change func(*Options)) {
	modelPath := roomtest.NamedModel(t)
	through := smallDistillation(t, modelPath)
	change(&through)
	mustDistill(t, through)
	o := smallDistillation(t, modelPath)
	change(&o)
	r := newDistillation(o)
	if err := r.create(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	draw := r.work.teacher.pool.Drawers[0]
	calls := 0
	r.work.teacher.pool.Drawers = []model.Drawer{hookedDrawer{draw, func() {
		if calls++; r.Progress.Step == 4 { // the first step of the second round
			cancel()
		}
	}}}
	_, err := r.Train(ctx)
	r.Close()
	if stopped, ok := errors.AsType[*run.InterruptedError](err); !ok || stopped.Step != 4 || calls == 0 {
		t.Fatalf("error %v after %d drawings, want an interruption after step 4", err, calls)
	}
	o.Resume = true
	mustDistill(t, o)
	roomtest.SameRun(t, through.Out, o.Out)
}

// A hookedDrawer calls a function before it draws.
type hookedDrawer struct {
	model.Drawer
	hook func()
}

func (w hookedDrawer) Draw(ctx context.Context, d *model.Drawing, from int, x []float32) (ode.Stats, error) {
	w.hook()
	return w.Drawer.Draw(ctx, d, from, x)
}

// A run by time repeats by its schedule, and its card's command says so.
func TestDistillReplaysTimedRun(t *testing.T) {
	model := roomtest.NamedModel(t)
	o := smallDistillation(t, model)
	o.Steps, o.Time = 0, run.Duration(200*time.Millisecond)
	timed := mustDistill(t, o)
	recorded, err := run.ReadOptions(timed.Dir)
	if err != nil || recorded.Schedule.Total() != timed.Steps {
		t.Fatalf("schedule %v of a run of %d steps, %v", recorded.Schedule, timed.Steps, err)
	}
	again := smallDistillation(t, model)
	again.Steps, again.Schedule = timed.Steps, recorded.Schedule
	mustDistill(t, again)
	roomtest.SameRun(t, timed.Dir, again.Out)
	card, err := os.ReadFile(filepath.Join(timed.Dir, run.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n    model ", ", schedule " + recorded.Schedule.String() + ", ",
		", teacher-solver euler, teacher-steps 4, pool 22, reuse 2, jump-shares ",
		"It takes a class: `class 0` draws zero", "distilled from",
	} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card does not say %q:\n%s", want, card)
		}
	}
}

// Before any training the student's jumps are the teacher's Euler steps.
func TestStudentStartsAsTheTeacher(t *testing.T) {
	modelPath := roomtest.NamedModel(t)
	o := smallDistillation(t, modelPath)
	// A step that moves nothing.
	o.Steps, o.LR, o.EMA, o.WeightDecay = 1, 1e-12, option.None, option.None
	mustDistill(t, o)
	teacher, err1 := model.Open(modelPath, pipeline.Arithmetic{})
	student, err2 := model.Open(o.Out, pipeline.Arithmetic{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	method := model.Method{Solver: "euler", Steps: 4, Guidance: 1}
	want, err1 := sample.Draw(t.Context(), teacher, sample.Options{Count: 5, Seed: 3, Method: method})
	got, err2 := sample.Draw(t.Context(), student, sample.Options{Count: 5, Seed: 3})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Labels, want.Labels) {
		t.Errorf("classes %v, want %v", got.Labels, want.Labels)
	}
	for i := range want.Pixels {
		// The weights moved by 1e-12 at most. Rounding in float32 makes the larger error.
		if math.Abs(float64(got.Pixels[i]-want.Pixels[i])) > 1e-5 {
			t.Fatalf("number %d is %v, Euler's is %v", i, got.Pixels[i], want.Pixels[i])
		}
	}
}

// A student learns the whole jump, which Euler's method misses.
func TestDistillationLearns(t *testing.T) {
	curved := roomtest.NamedCheckpoint
	curved.Spread = 0.2
	o := smallDistillation(t, curved.Save(t))
	o.TeacherSteps, o.Pool, o.Reuse, o.Steps, o.ValidateEvery = 8, 44, 10, 80, 80
	o.EMA, o.Huber = option.None, option.None
	first := o
	first.Out, first.Steps, first.LR = filepath.Join(t.TempDir(), "first"), 1, 1e-12
	before, after := mustDistill(t, first).Validation, mustDistill(t, o).Validation
	if !(after < 0.6*before) {
		t.Errorf("validation loss %v before, %v after", before, after)
	}
}

// smallStudent returns a flow map that was distilled for a moment, in a file of the test's own.
func smallStudent(t testing.TB) (path string, ck *model.Checkpoint) {
	t.Helper()
	path = ownCopy(t, "student.safetensors", func() string {
		o := smallDistillation(t, roomtest.NamedModel(t))
		o.Steps = 2
		if _, err := Distill(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		return o.Out
	})
	ck, err := model.Open(path, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	return path, ck
}

// A flow map draws by jumps alone, in a number that it was trained for. An image does not depend on
// the others.
func TestSampleFlowMap(t *testing.T) {
	_, ck := smallStudent(t)
	for steps, want := range map[int]float64{0: 4, 1: 1, 2: 2, 4: 4} {
		o := sample.Options{Count: 11, Seed: 4, Threads: 2, Method: model.Method{Steps: steps}}
		s, err := sample.NewSampler(ck, o)
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.Draw(t.Context(), 0, 11)
		if err != nil || s.Evaluations() != want {
			t.Errorf("%d steps: %v evaluations, %v", steps, s.Evaluations(), err)
		}
		one, err := s.Draw(t.Context(), 9, 1)
		if err != nil || !slices.Equal(one.Pixels, all.Pixels[9*64:10*64]) {
			t.Errorf("%d steps: image 9 differs alone, %v", steps, err)
		}
		s.Close()
	}
	for option, o := range map[string]sample.Options{
		"steps":      {Method: model.Method{Steps: 3}},
		"solver":     {Method: model.Method{Solver: "midpoint"}},
		"tol":        {Method: model.Method{Tol: 1e-3}},
		"time-shift": {Method: model.Method{TimeShift: 2}},
		"guidance":   {Method: model.Method{Guidance: 2}},
		"class":      {Class: "none"},
	} {
		_, err := sample.NewSampler(ck, o)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != option {
			t.Errorf("error %v, want one about %s", err, option)
		}
	}
	teacher, err := model.Open(roomtest.NamedModel(t), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	var wrong *pipeline.OptionError
	_, err = sample.NewSampler(teacher, sample.Options{Method: model.Method{Solver: model.FlowMapSolver}})
	if !errors.As(err, &wrong) || wrong.Option != "solver" {
		t.Errorf("jumps of a network of velocities: %v", err)
	}
}

// Likelihoods and edits need a velocity, which a flow map does not have.
func TestFlowMapHasNoVelocity(t *testing.T) {
	dir, _ := smallStudent(t)
	editing := edit.Options{Model: dir, Out: filepath.Join(t.TempDir(), "a.png"), Data: "mnist", Index: []int{0}}
	_, err1 := likelihood.Measure(t.Context(), likelihood.Options{Model: dir, Data: "mnist", Count: 1})
	_, err2 := edit.Vary(t.Context(), edit.VaryOptions{Options: editing})
	_, err3 := edit.Inpaint(t.Context(), edit.InpaintOptions{Options: editing, Mask: "lower"})
	for _, err := range []error{err1, err2, err3} {
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != "model" || !strings.HasPrefix(wrong.Error(), "model "+dir) {
			t.Errorf("error %v, want one about the model", err)
		}
	}
}

// A GIF of a flow map has a frame for each jump. A picture says how it was made.
func TestGenerateFromFlowMap(t *testing.T) {
	dir, _ := smallStudent(t)
	gif := filepath.Join(t.TempDir(), "way.gif")
	o := sample.GenerateOptions{Model: dir, Out: gif, Grid: picture.GridOptions{Rows: 2, Cols: 3}}
	result, err := sample.Generate(t.Context(), o)
	if err != nil || result.Evaluations != 4 {
		t.Errorf("%v evaluations, %v", result.Evaluations, err)
	}
	var png bytes.Buffer
	o = sample.GenerateOptions{Model: dir, Out: "-", Stdout: &png}
	o.Sample.Steps = 2
	if _, err := sample.Generate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fmimg.solver\x00flow-map", "fmimg.steps\x002"} {
		if !bytes.Contains(png.Bytes(), []byte(want)) {
			t.Errorf("the picture does not say %q", want)
		}
	}
}

// The metadata of a flow map survive an export, and its description shows them.
func TestDescribeFlowMap(t *testing.T) {
	dir, ck := smallStudent(t)
	if m := ck.Meta; m.Objective != model.FlowMapObjective ||
		!slices.Equal(m.Jumps, model.JumpCounts[:]) || m.Teacher == nil ||
		m.Teacher.Solver != "euler" || len(m.Classes) != 3 || m.Data != "patterns" {
		t.Errorf("meta %+v", m)
	}
	out := filepath.Join(t.TempDir(), "half.safetensors")
	if err := model.Export(dir, out, true); err != nil {
		t.Fatal(err)
	}
	info, err := model.Describe(out)
	if err != nil || !info.Network.FlowMap ||
		info.Meta.Teacher.SHA256 != ck.Meta.Teacher.SHA256 || info.Types != "F16" {
		t.Fatalf("%+v, %v", info, err)
	}
	text := ""
	for _, line := range info.Lines(pipeline.Plain) {
		text += line[0] + ": " + line[1] + "\n"
	}
	for _, want := range []string{
		"objective: a flow map: it draws in 1, 2 or 4 evaluations",
		"distilled from: a model trained for 30 steps, euler in 4 steps",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the description does not say %q:\n%s", want, text)
		}
	}
}

// field.Evaluate takes the lengths of jumps. Without them it evaluates the velocity, a jump of
// length 0.
func TestFieldOfFlowMap(t *testing.T) {
	dir, ck := smallStudent(t)
	folder := t.TempDir()
	const n = 2
	x := make([]float32, n*64)
	for i := range x {
		x[i] = float32(math.Cos(float64(i)))
	}
	evaluate := func(model string, d []float32, shape ...int) ([]float32, error) {
		f := &safetensors.File{Tensors: []safetensors.Tensor{
			{Name: "x", DType: safetensors.F32, Shape: []int{n, 1, 8, 8}, F32: x},
			{Name: "t", DType: safetensors.F32, Shape: []int{n}, F32: []float32{0.25, 0.5}},
			{Name: "y", DType: safetensors.I64, Shape: []int{n}, I64: []int64{0, 2}},
		}}
		if d != nil {
			f.Tensors = append(f.Tensors, safetensors.Tensor{Name: "d", DType: safetensors.F32, Shape: shape, F32: d})
		}
		var file bytes.Buffer
		if err := safetensors.Write(&file, f); err != nil {
			t.Fatal(err)
		}
		in, out := filepath.Join(folder, "in.safetensors"), filepath.Join(folder, "out.safetensors")
		if err := os.WriteFile(in, file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := field.Evaluate(t.Context(), field.Options{Model: model, In: in, Out: out}); err != nil {
			return nil, err
		}
		return roomtest.Tensors(t, out)[0].F32, nil
	}
	want := make([]float32, n*64)
	ck.UNet().NewReplica(n, false).Jump(want, x, []float32{0.25, 0.5}, []float32{0.75, 0.5}, nil, []int32{0, 2})
	got, err := evaluate(dir, []float32{0.75, 0.5}, n)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("jumps: other numbers, %v", err)
	}
	ck.UNet().NewReplica(n, false).Forward(want, x, []float32{0.25, 0.5}, []int32{0, 2})
	if got, err = evaluate(dir, nil); err != nil || !slices.Equal(got, want) {
		t.Errorf("velocities: other numbers, %v", err)
	}
	_, err = evaluate(dir, []float32{1}, 1)
	if err == nil || !strings.Contains(err.Error(), "tensor d is F32 of shape [1]") {
		t.Errorf("one length for two images: %v", err)
	}
	_, err = evaluate(roomtest.NamedModel(t), []float32{1, 1}, n)
	if err == nil || !strings.Contains(err.Error(), "no flow map") {
		t.Errorf("jumps of a network of velocities: %v", err)
	}
}

func TestDistillOptionErrors(t *testing.T) {
	model := roomtest.NamedModel(t)
	student, _ := smallStudent(t)
	for _, c := range []struct {
		option string
		change func(*Options)
	}{
		{"steps", func(o *Options) { o.Time = run.Duration(time.Minute) }},
		{"batch", func(o *Options) { o.Batch = -1 }},
		{"teacher-steps", func(o *Options) { o.TeacherSteps = 6 }},
		{"teacher-steps", func(o *Options) { o.TeacherSteps = -4 }},
		{"teacher-solver", func(o *Options) { o.TeacherSolver = "dopri5" }},
		{"teacher-solver", func(o *Options) { o.TeacherSolver = "rk5" }},
		{"pool", func(o *Options) { o.Pool = 30 }},
		{"reuse", func(o *Options) { o.Reuse = -1 }},
		{"jump-shares", func(o *Options) { o.Shares = JumpShares{0.5, 0.5, 0.5} }},
		{"jump-shares", func(o *Options) { o.Shares = JumpShares{math.NaN(), 0.5, 0.5} }},
		{"jump-weight", func(o *Options) { o.Weight = 3 }},
		{"huber", func(o *Options) { o.Huber = 1e7 }},
		{"guidance", func(o *Options) { o.Guidance[0], o.Guidance[1] = 1000, 1000 }},
		{"guidance", func(o *Options) { o.Guidance[0], o.Guidance[1] = 1.3, 1 }},
		{"guidance", func(o *Options) { o.Guidance[0], o.Guidance[1] = 1, math.NaN() }},
		{"on-policy", func(o *Options) { o.OnPolicy = 1.5 }},
		{"on-policy-from", func(o *Options) { o.OnPolicyFrom = math.NaN() }},
		{"model", func(o *Options) { o.Model = student }},
		{"guidance", func(o *Options) { o.Model, o.Guidance[1] = roomtest.NoNullClass(t), 2; o.Guidance[0] = 2 }},
		{"guidance", func(o *Options) { o.Model, o.Guidance[1] = roomtest.NoNullClass(t), 2; o.Guidance[0] = 1 }},
	} {
		o := smallDistillation(t, model)
		c.change(&o)
		_, err := Distill(context.Background(), o)
		var wrong *pipeline.OptionError
		if !errors.As(err, &wrong) || wrong.Option != c.option || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one about %s", err, c.option)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: a run folder was made", c.option)
		}
	}
	for _, text := range []string{"", "1", "0.4,0.3", "a,b,c", "0.4,0.3,0.2,0.1"} {
		if s, err := ParseJumpShares(text); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
	if s, err := ParseJumpShares(defaultShares.String()); err != nil || s != defaultShares {
		t.Errorf("%v, %v", s, err)
	}
}

// A run goes on only with its own command, numbers and teacher. The teacher's file may have moved.
func TestDistillResumeRefuses(t *testing.T) {
	model := roomtest.NamedModel(t)
	o := smallDistillation(t, model)
	o.StopAfter = 2
	if _, err := Distill(context.Background(), o); err == nil {
		t.Fatal("it was not stopped")
	}
	_, err := train.Train(context.Background(), train.Options{Options: run.Options{Out: o.Out, Resume: true}})
	if err == nil || !strings.Contains(err.Error(), "go on with distill (resume, out ") {
		t.Errorf("train: %v", err)
	}
	trained := trainOnce(t)
	_, err = Distill(context.Background(), Options{Options: run.Options{Out: trained.Out, Resume: true}})
	if err == nil || !strings.Contains(err.Error(), "go on with train (resume, out ") {
		t.Errorf("distill of a run of train: %v", err)
	}
	o.Resume, o.StopAfter = true, 0
	other := o
	other.Reuse, other.Given = 3, []string{"reuse"}
	var wrong *pipeline.OptionError
	if _, err := Distill(context.Background(), other); !errors.As(err, &wrong) || wrong.Option != "reuse" {
		t.Errorf("another number of uses: %v", err)
	}
	other = o
	other.Model, other.Given = roomtest.NoNullClass(t), []string{"model"}
	if _, err := Distill(context.Background(), other); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("another teacher: %v", err)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(model, moved); err != nil {
		t.Fatal(err)
	}
	o.Model, o.Given = moved, []string{"model"}
	mustDistill(t, o)
}

// trainingOnce returns the options of a training of one step.
func trainingOnce(t *testing.T) train.Options {
	var o train.Options
	o.Seed = 1
	o.Source, o.Network, o.Out = roomtest.Digits(), roomtest.SmallNetwork(), filepath.Join(t.TempDir(), "trained")
	o.Batch, o.Steps, o.PreviewEvery = 4, 1, -1
	return o
}

// trainOnce trains for the one step of trainingOnce.
func trainOnce(t *testing.T) train.Options {
	o := trainingOnce(t)
	if _, err := train.Train(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

// Training learns velocities, and does not start from a flow map.
func TestTrainRefusesFlowMaps(t *testing.T) {
	dir, _ := smallStudent(t)
	o := trainingOnce(t)
	o.Init, o.Network = dir, nil
	var wrong *pipeline.OptionError
	if _, err := train.Train(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != "init" {
		t.Errorf("from a flow map: %v", err)
	}
	o = trainingOnce(t)
	o.Network.FlowMap = true
	if _, err := train.Train(context.Background(), o); !errors.As(err, &wrong) || wrong.Option != "network" {
		t.Errorf("a network that is one: %v", err)
	}
}

// A step that has its pool allocates nothing, once the buffers have grown.
func TestDistillStepAllocatesNothing(t *testing.T) {
	o := smallDistillation(t, roomtest.NamedModel(t))
	o.Steps, o.Reuse, o.ValidateEvery = 1000, 1000, -1
	r := newDistillation(o)
	if err := r.create(); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	step := func() {
		if err := r.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		step()
	}
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

// The time of drawing a pool is spread over the steps of its round. Otherwise a budget in time
// would think, after the first step, that few more fit.
func TestDistillSpreadsTheCostOfAPool(t *testing.T) {
	o := smallDistillation(t, roomtest.NamedModel(t))
	r := newDistillation(o)
	if err := r.create(); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for step := range 6 {
		if err := r.work.prepare(t.Context(), step); err != nil {
			t.Fatal(err)
		}
		took, each := r.PreparationTime()
		if (took > 0) != (step%4 == 0) || each <= 0 || (took > 0 && each != took/4) {
			t.Errorf("step %d: %v now, %v in the long run", step, took, each)
		}
	}
}

// A model without classes has a student too.
func TestDistillUnconditional(t *testing.T) {
	o := smallDistillation(t, roomtest.SmallModel(t, false, 0.05))
	o.Steps, o.PreviewEvery = 2, 1
	mustDistill(t, o)
	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	if images, err := sample.Draw(t.Context(), ck, sample.Options{Count: 2}); err != nil || images.Labels != nil {
		t.Errorf("classes %v, %v", images.Labels, err)
	}
}
