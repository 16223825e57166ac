package distill

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Options say which model to distil into a flow map, for how long and how. The zero value of an
// option is its default. A run's config.json has their JSON form, with everything resolved.
type Options struct {
	run.Options

	// Model is the teacher, a run folder or a checkpoint; empty: the newest run under runs/, else
	// mnist, which is part of the program.
	Model string `json:"model"`
	// ModelHash is recorded by a run: the SHA-256 of the teacher's weights.
	ModelHash string `json:"model_hash"`

	// Guidance is that of [model.Method], by which the teacher draws and which becomes a part of
	// the student; 0: as there. Of a range, each trajectory has a weight of its own, and the
	// student takes the weight as an input. A run records the numbers.
	Guidance model.GuidanceRange `json:"guidance"`
	// GuidanceInterval holds the times in which guidance acts; zero: as there. A run records it.
	GuidanceInterval model.Interval `json:"guidance_interval,omitzero"`
	// Guide names a guide of the teacher as [model.Checkpoint.OpenGuide] takes it; empty: none.
	Guide string `json:"guide,omitempty"`
	// GuideHash is recorded by a run: the SHA-256 of the guide's weights.
	GuideHash string `json:"guide_hash,omitempty"`
	// TeacherSolver is a name of ode.SolverNames that takes fixed steps; empty: adams2.
	TeacherSolver string `json:"teacher_solver"`
	// TeacherSteps are those of the solver, a multiple of 4; 0: 12. They are equal, as the quarters
	// of the way that the student learns are.
	TeacherSteps int `json:"teacher_steps"`

	// Pool is the number of trajectories that the teacher draws at once, a multiple of the batch;
	// 0: the first from 1024 on.
	Pool int `json:"pool"`
	// Reuse is how often a trajectory is trained on before others take its place; 0: 8.
	Reuse int `json:"reuse"`

	// OnPolicy is the share of the jumps from ¼, ½ and ¾ of the way that begin where the student's
	// own jumps have led, not the teacher's trajectory, and end where the teacher goes from there.
	// None begin so unless it is above 0.
	OnPolicy float64 `json:"on_policy"`
	// OnPolicyFrom is the share of the budget from which on pools have such jumps; 0: 0.5;
	// below 0: from the beginning.
	OnPolicyFrom float64 `json:"on_policy_from"`

	// Shares are those of whole, half and quarter jumps in training; zero: 0.4,0.3,0.3.
	Shares JumpShares `json:"jump_shares"`
	// Weight is the power P of a jump's length δ by which the error of its velocity is weighted,
	// δ^P. 1 makes it the error of where the jump ends; 0: 0.5; below 0: the error as it is.
	Weight float64 `json:"jump_weight"`
	// Huber is the weighted error of a number where the loss turns from squares to absolute values;
	// 0: 0.1; below 0: squares alone.
	Huber float64 `json:"huber"`
}

// defaultRate is the peak learning rate of distilling, with either optimiser.
const defaultRate = 2e-3

// The share of the jumps on the way that the student begins, and of the budget from which on it
// does so. A student of whole jumps alone has no states on the way.
const (
	defaultOnPolicy     = 0.0
	defaultOnPolicyFrom = 0.5
)

// keptParts is the number of parts that the kept states divide a trajectory into. The smallest jump
// is one part.
const keptParts = 4

// JumpShares are the shares of whole, half and quarter jumps in the training of a flow map.
type JumpShares [len(model.JumpCounts)]float64

var defaultShares = JumpShares{0.4, 0.3, 0.3}

// ParseJumpShares reads three numbers with commas between them, such as 0.4,0.3,0.3.
func ParseJumpShares(text string) (JumpShares, error) {
	var s JumpShares
	parts := strings.Split(text, ",")
	if len(parts) != len(s) {
		return s, fmt.Errorf("%q: %d numbers are needed, such as %v", text, len(s), defaultShares)
	}
	for i, part := range parts {
		var err error
		if s[i], err = strconv.ParseFloat(strings.TrimSpace(part), 64); err != nil {
			return s, fmt.Errorf("%q: %d numbers are needed, such as %v", text, len(s), defaultShares)
		}
	}
	return s, nil
}

// String returns the form that ParseJumpShares reads.
func (s JumpShares) String() string {
	return fmt.Sprintf("%v,%v,%v", s[0], s[1], s[2])
}

// check reports numbers that are not shares.
func (s JumpShares) check() error {
	sum := 0.0
	for _, v := range s {
		if !(v >= 0 && v <= 1) {
			return option.Errorf("jump-shares", s, "each is a number from 0 to 1")
		}
		sum += v
	}
	if math.Abs(sum-1) > 1e-6 {
		return option.Errorf("jump-shares", s, "they add up to %v, and 1 is needed", sum)
	}
	return nil
}

// jumpCounts returns the numbers of jumps, from noise to image, that have a share.
func (s JumpShares) jumpCounts() []int {
	var all []int
	for i, n := range model.JumpCounts {
		if s[i] > 0 {
			all = append(all, n)
		}
	}
	return all
}

// jump returns the jump for a point u of (0, 1), along which the shares lie one after the other.
// from and to are the parts of a trajectory where the jump starts and ends.
func (s JumpShares) jump(u float64) (from, to int) {
	level, below := 0, 0.0
	for i, share := range s {
		if share == 0 {
			continue
		}
		level = i // the last share takes what rounding leaves
		if u < below+share {
			break
		}
		below += share
	}
	u = (u - below) / s[level]
	jumps := model.JumpCounts[level]
	length := keptParts / jumps
	from = length * min(int(u*float64(jumps)), jumps-1)
	return from, from + length
}

// WithDefaults fills in what has one default for all models.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.LR, defaultRate)
	o.Options = o.Options.WithDefaults()
	option.SetDefault(&o.TeacherSolver, "adams2")
	option.SetDefault(&o.TeacherSteps, 12)
	option.SetDefault(&o.Pool, (1024+o.Batch-1)/o.Batch*o.Batch)
	option.SetDefault(&o.Reuse, 8)
	option.SetDefault(&o.Shares, defaultShares)
	option.SetDefault(&o.Weight, 0.5)
	option.SetDefault(&o.Huber, 0.1)
	option.SetDefault(&o.OnPolicy, defaultOnPolicy)
	option.SetDefault(&o.OnPolicyFrom, defaultOnPolicyFrom)
	return o
}

// MarshalJSON writes the form of config.json, where 0 is none.
func (o Options) MarshalJSON() ([]byte, error) {
	type plain Options
	o.ToRecord()
	option.ZeroNone(&o.Weight, &o.Huber, &o.OnPolicy, &o.OnPolicyFrom)
	return json.Marshal(plain(o))
}

// UnmarshalJSON reads the form of config.json. What old runs do not say is as they all were then.
func (o *Options) UnmarshalJSON(text []byte) error {
	type plain Options
	p := plain{Options: run.WhereSilent(), GuidanceInterval: model.Interval{0, 1}}
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	p.FromRecord()
	option.NoneOfZero(&p.Weight, &p.Huber, &p.OnPolicy, &p.OnPolicyFrom)
	*o = Options(p)
	return nil
}

// Validate reports the first option that cannot be used, as a [*pipeline.OptionError]. It looks at
// no file.
func (o *Options) Validate() error {
	d := o.WithDefaults()
	return option.First(
		d.Options.Validate(),
		d.ValidateBudget(0, "steps and time"),
		d.Guidance.Validate(),
		d.GuidanceInterval.Validate(),
		d.validateTeacher(),
		option.Between("pool", d.Pool, 1, maxPool),
		d.validatePool(),
		option.Between("reuse", d.Reuse, 1, 1000),
		d.Shares.check(),
		option.Between("on-policy", option.OrNone(d.OnPolicy), 0, 1),
		option.Between("on-policy-from", option.OrNone(d.OnPolicyFrom), 0, 1),
		option.Between("jump-weight", option.OrNone(d.Weight), 0, 2),
		option.Between("huber", option.OrNone(d.Huber), 0, 1e6),
	)
}

// maxPool bounds the trajectories that are held in memory at once, and what resuming a run repeats.
const maxPool = 1 << 17

// validateTeacher checks how the teacher draws.
func (o *Options) validateTeacher() error {
	if err := option.Between("teacher-steps", o.TeacherSteps, keptParts, 1000); err != nil {
		return err
	}
	if o.TeacherSteps%keptParts != 0 {
		return option.Errorf("teacher-steps", o.TeacherSteps,
			"a multiple of %d is needed, as jumps begin at quarters", keptParts)
	}
	if o.TeacherSolver == ode.Dopri5.Name {
		return option.Errorf("teacher-solver", o.TeacherSolver, "a solver of fixed steps is needed, such as midpoint")
	}
	return option.OneOf("teacher-solver", o.TeacherSolver, ode.SolverNames()...)
}

// validatePool checks that no batch has trajectories of two pools.
func (o *Options) validatePool() error {
	if o.Pool%o.Batch != 0 {
		return option.Errorf("pool", o.Pool,
			"a multiple of the batch is needed: %d is the nearest", max((o.Pool+o.Batch/2)/o.Batch, 1)*o.Batch)
	}
	return nil
}

// blocks returns the trajectories of a pool that the student begins.
func (o *Options) blocks() []block {
	share := option.OrNone(o.OnPolicy)
	if share == 0 {
		return nil
	}
	return blocks(o.Shares.stops(), share, o.Pool)
}

// onPolicy reports whether the student begins trajectories in a round whose first step is given.
// The schedule says how long the run was expected to be then.
func (o *Options) onPolicy(s engine.RateSchedule, step int) bool {
	total := s.At(step)
	return len(o.blocks()) > 0 && total > 0 && float64(step) >= option.OrNone(o.OnPolicyFrom)*float64(total)
}

// method returns how the teacher draws by a weight of guidance, but for its guide.
func (o *Options) method(weight float64) model.Method {
	return model.Method{
		Guidance: weight, Interval: o.GuidanceInterval, Solver: o.TeacherSolver, Steps: o.TeacherSteps,
	}
}
