package distill

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// onPolicy turns a small run of three rounds of four steps into one in whose last two rounds the
// student begins all jumps from the states on its way.
func onPolicy(o *Options) { o.OnPolicy, o.OnPolicyFrom = 1, 0.3 }

// The teacher's trajectories and the student's states together have the shares of jumps that the
// options say: nothing but the states differs.
func TestJumpsBesideTheStudents(t *testing.T) {
	const n = 12000
	for _, c := range []struct {
		shares JumpShares
		begun  float64
	}{
		{JumpShares{0.4, 0.3, 0.3}, 0.5}, {JumpShares{0.4, 0.3, 0.3}, 1}, {JumpShares{0, 1, 0}, 0.25}, {JumpShares{0.5, 0, 0.5}, 1},
	} {
		seen, own := map[span]float64{}, 0
		for _, b := range blocks(c.shares.stops(), c.begun, n) {
			seen[b.next()] += float64(b.n)
			own += b.n
		}
		for i := range n - own {
			jump := c.shares.jumpBeside(c.begun, (float64(i)+0.5)/float64(n-own))
			if seen[jump]++; c.begun == 1 && jump.from > 0 {
				t.Errorf("shares %v: the teacher's trajectories give a jump %v too", c.shares, jump)
			}
		}
		for level, jumps := range model.JumpCounts {
			length := keptParts / jumps
			for from := 0; from < keptParts; from += length {
				got, want := seen[span{from, from + length}], c.shares[level]*n/float64(jumps)
				if math.Abs(got-want) > 4 { // a share and a block may each end between two points
					t.Errorf("shares %v, %v begun: %v jumps of 1/%d from %d/4, want %v", c.shares, c.begun, got, jumps, from, want)
				}
			}
		}
	}
	if got := defaultShares.jumpBeside(0.5, math.Nextafter(1, 0)); got != (span{3, 4}) {
		t.Errorf("the last point jumps %v", got)
	}
}

// The stops are the states between the jumps of each way. They divide the last trajectories of a
// pool, none of which a student of whole jumps has.
func TestBlocks(t *testing.T) {
	got := blocks(JumpShares{0.4, 0.3, 0.3}.stops(), 0.8, 100)
	want := []block{
		{stop{2, 1, 0.15}, 70, 12}, {stop{4, 1, 0.075}, 82, 6}, {stop{4, 2, 0.075}, 88, 6}, {stop{4, 3, 0.075}, 94, 6},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for i, jump := range []span{{2, 4}, {1, 2}, {2, 3}, {3, 4}} {
		if got[i].next() != jump {
			t.Errorf("%v goes on by %v, want %v", got[i], got[i].next(), jump)
		}
	}
	if got := blocks(JumpShares{1, 0, 0}.stops(), 0.5, 8); len(got) > 0 {
		t.Errorf("whole jumps have stops: %v", got)
	}
}

// From a state of its own a teacher goes on to where it went before, by a solver that remembers
// nothing, also with a weight of guidance for each trajectory.
func TestTeacherGoesOn(t *testing.T) {
	ck, err := model.Open(roomtest.NamedModel(t), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	c := crew.New(2)
	defer c.Close()
	const n, first, seed = 13, 4, 9
	method := model.Method{Guidance: 3, Solver: "midpoint", Steps: 8}
	teach, err := newTeacher(ck, method, model.GuidanceRange{1, 3}, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, later := newTrajectories(n, ck.Shape().Len()), newTrajectories(n, ck.Shape().Len())
	teach.condition(whole, seed)
	teach.condition(later, seed)
	if err := teach.draw(t.Context(), whole, seed, 0, wholeWay); err != nil {
		t.Fatal(err)
	}
	for _, way := range []span{{1, 4}, {2, 4}, {3, 4}, {1, 2}, {2, 3}} {
		copy(later.states[way.from], whole.states[way.from])
		if err := teach.draw(t.Context(), later.slice(first, n-first), seed, first, way); err != nil {
			t.Fatal(err)
		}
		for i := first; i < n; i++ {
			for part := way.from; part <= way.to; part++ {
				if !slices.Equal(later.state(i, part), whole.state(i, part)) {
					t.Fatalf("way %v: trajectory %d is elsewhere at %d/4", way, i, part)
				}
			}
			if later.ways[i] != way || later.ways[0] == way {
				t.Fatalf("ways %v", later.ways)
			}
		}
		for part := range later.states {
			clear(later.states[part])
		}
	}
}

// Each trajectory has its own weight of guidance, uniform in the range, and is what a sampler draws
// with that weight.
func TestWeightsOfTrajectories(t *testing.T) {
	ck, err := model.Open(roomtest.NamedModel(t), pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	c := crew.New(2)
	defer c.Close()
	const seed = 3
	euler := model.Method{Guidance: 1.5, Solver: "euler", Steps: 4}
	teach, err := newTeacher(ck, euler, model.GuidanceRange{1, 1.5}, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	many := newTrajectories(2000, 1)
	teach.condition(many, seed)
	sum := 0.0
	for _, w := range many.weights {
		if !(w > 1 && w < 1.5) {
			t.Fatalf("weight %v", w)
		}
		sum += float64(w)
	}
	// The mean of 2,000 uniform numbers deviates by 0.5/√(12·2000) = 0.0032: four of these.
	if mean := sum / 2000; math.Abs(mean-1.25) > 0.013 {
		t.Errorf("the mean weight is %v", mean)
	}
	got := newTrajectories(3, ck.Shape().Len())
	teach.condition(got, seed)
	if err := teach.draw(t.Context(), got, seed, 0, wholeWay); err != nil {
		t.Fatal(err)
	}
	for i, weight := range got.weights {
		method := model.Method{Guidance: float64(weight), Solver: "euler", Steps: 4}
		images, err := sample.Draw(t.Context(), ck, sample.Options{Count: 3, Seed: seed, Method: method})
		if err != nil || !slices.Equal(images.Pixels[i*64:][:64], got.state(i, keptParts)) {
			t.Errorf("trajectory %d is not what guidance %v draws, %v", i, weight, err)
		}
	}
}

// The trajectories of a block begin where the student's averaged weights lead, by its own jumps,
// and are one jump long. The others go the whole way.
func TestStudentBeginsTrajectories(t *testing.T) {
	curved := roomtest.NamedCheckpoint
	curved.Spread = 0.2
	o := smallDistillation(t, curved.Save(t))
	o.Guidance = model.GuidanceRange{1, 2}
	onPolicy(&o)
	o.StopAfter = 4
	r := newDistillation(o)
	defer r.Close()
	if err := r.create(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Train(t.Context()); err == nil {
		t.Fatal("the run did not stop")
	}
	whole := func(way span) bool { return way == wholeWay }
	if !all(r.work.pool.ways, whole) {
		t.Errorf("the ways of the first round are %v", r.work.pool.ways)
	}
	ck, err := model.Open(o.Out, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.work.prepare(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	p, blocks := r.work.pool, r.work.student.blocks
	if len(blocks) != 4 || !all(p.ways[:blocks[0].first], whole) {
		t.Fatalf("blocks %v, ways %v", blocks, p.ways)
	}
	seed := r.work.poolSeed(pipeline.StreamPool, 1)
	for _, b := range blocks {
		for i := b.first; i < b.first+b.n; i++ {
			want := make([]float32, p.imageLen)
			sampler := sample.NewPool(r.Crew, []model.Drawer{ck.NewDrawer(1, ck.UNet().Jumps(b.jumps))}, 1, p.imageLen)
			d := model.Drawing{
				Seed: seed, First: i, Labels: p.labels[i : i+1], Guidance: float64(p.weights[i]), Plan: ck.UNet().Jumps(b.jumps),
			}
			d.Frame = func(_, step int, x []float32) {
				if step == b.made {
					copy(want, x)
				}
			}
			if _, err := sampler.Run(t.Context(), d, make([]float32, p.imageLen)); err != nil {
				t.Fatal(err)
			}
			if p.ways[i] != b.next() || !slices.Equal(want, p.state(i, b.next().from)) {
				t.Errorf("trajectory %d goes %v, not on from %d of %d jumps", i, p.ways[i], b.made, b.jumps)
			}
		}
	}
}

// all reports whether a condition holds for all ways.
func all(ways []span, holds func(span) bool) bool {
	return !slices.ContainsFunc(ways, func(way span) bool { return !holds(way) })
}

// With trajectories that the student begins, and with weights of guidance as an input, a run ends
// with the same tensors wherever it was interrupted, on any number of threads.
func TestOnPolicyResumeIsExact(t *testing.T) {
	roomtest.NoLeaks(t)
	path := roomtest.NamedModel(t)
	for name, change := range map[string]func(*Options){
		"one weight": onPolicy,
		"range":      func(o *Options) { onPolicy(o); o.Guidance = model.GuidanceRange{1, 2} },
		"bf16":       func(o *Options) { onPolicy(o); o.Precision = "bf16" },
		"at once":    func(o *Options) { onPolicy(o); o.OnPolicyFrom = option.None },
	} {
		t.Run(name, func(t *testing.T) {
			through := smallDistillation(t, path)
			change(&through)
			through.Threads = 1
			mustDistill(t, through)
			off := smallDistillation(t, path)
			change(&off)
			off.OnPolicy = option.None
			roomtest.DifferentRun(t, through.Out, mustDistill(t, off).Dir)
			for _, stop := range []int{1, 4, 5, 8, 9} {
				o := smallDistillation(t, path)
				change(&o)
				o.StopAfter, o.Threads = stop, 3
				_, err := Distill(context.Background(), o)
				if _, ok := errors.AsType[*run.InterruptedError](err); !ok {
					t.Fatalf("stopped: %v", err)
				}
				var again Options
				again.Out, again.Resume, again.Threads = o.Out, true, 2
				mustDistill(t, again)
				roomtest.SameRun(t, through.Out, o.Out)
			}
		})
	}
	t.Run("while the teacher draws", func(t *testing.T) { interruptWhileDrawing(t, onPolicy) })
}

// A run that is interrupted while the student draws keeps no half of a pool.
func TestInterruptedWhileTheStudentDraws(t *testing.T) {
	path := roomtest.NamedModel(t)
	through := smallDistillation(t, path)
	onPolicy(&through)
	mustDistill(t, through)
	o := smallDistillation(t, path)
	onPolicy(&o)
	r := newDistillation(o)
	if err := r.create(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	draw, calls := r.work.student.draw, 0
	r.work.student.draw = func(ctx context.Context, d model.Drawing, out []float32) error {
		if calls++; calls == 6 { // the second block of the third round
			cancel()
		}
		return draw(ctx, d, out)
	}
	_, err := r.Train(ctx)
	r.Close()
	if stopped, ok := errors.AsType[*run.InterruptedError](err); !ok || stopped.Step != 8 {
		t.Fatalf("error %v after %d drawings, want an interruption after step 8", err, calls)
	}
	o.Resume = true
	mustDistill(t, o)
	roomtest.SameRun(t, through.Out, o.Out)
}

// A state without one of the student's states, or with others, is damaged.
func TestDamagedStudentStates(t *testing.T) {
	o := smallDistillation(t, roomtest.NamedModel(t))
	onPolicy(&o)
	o.StopAfter = 6
	if _, err := Distill(context.Background(), o); err == nil {
		t.Fatal("it was not stopped")
	}
	path := filepath.Join(o.Out, run.StateFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), `"on_policy.3_of_4"`, `"on_policy.5_of_4"`, 1))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var again Options
	again.Out, again.Resume = o.Out, true
	if _, err := Distill(context.Background(), again); err == nil || !strings.Contains(err.Error(), "on_policy.3_of_4") {
		t.Errorf("error %v, want one about the missing tensor", err)
	}
}

// The recorded schedule says in which rounds the student begins trajectories, so that a timed run
// repeats. Options of older runs, which say nothing of it, mean none.
func TestWhenTheStudentBegins(t *testing.T) {
	o := Options{OnPolicy: 0.5, OnPolicyFrom: 0.5}
	o.Steps, o.Batch, o.Pool = 100, 4, 16
	o = o.WithDefaults()
	s := engine.RateSchedule{{Step: 3, Total: 100}, {Step: 60, Total: 200}}
	for step, want := range map[int]bool{0: false, 2: false, 49: false, 50: true, 59: true, 60: false, 99: false, 100: true} {
		if got := o.onPolicy(s, step); got != want {
			t.Errorf("step %d: %t", step, got)
		}
	}
	var old Options
	if err := json.Unmarshal([]byte(`{"guidance": 1.3}`), &old); err != nil {
		t.Fatal(err)
	}
	if old = old.WithDefaults(); old.onPolicy(s, 199) || old.Guidance != model.OneGuidance(1.3) {
		t.Errorf("an older run: on-policy %v, guidance %v", old.OnPolicy, old.Guidance)
	}
	one := Options{OnPolicy: 0.5, Shares: JumpShares{1, 0, 0}}.WithDefaults()
	if len(one.blocks()) != 0 {
		t.Error("a student of whole jumps begins trajectories")
	}
}
