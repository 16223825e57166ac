package distill

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/ode"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// Options says which model to distil into a flow map, for how long and how. [DefaultDistillOptions]
// has the settings that are known to work. The JSON form, with everything resolved, is in a run's
// config.json.
type Options struct {
	run.Options

	Model     string `json:"model"`      // the teacher, a run folder or a checkpoint; empty: the newest run under runs/, else mnist, which is part of the program
	ModelHash string `json:"model_hash"` // resolved: SHA-256 of the teacher's weights

	// How the teacher draws.
	Guidance      float64 `json:"guidance"`       // see SampleOptions, and it becomes a part of the student; 0: as there; resolved: a number
	TeacherSolver string  `json:"teacher_solver"` // a name of ode.SolverNames that takes fixed steps; empty: midpoint
	TeacherSteps  int     `json:"teacher_steps"`  // of the solver, a multiple of 4; 0: 8

	Pool  int `json:"pool"`  // trajectories that the teacher draws at once, a multiple of the batch; 0: the first from 1024 on
	Reuse int `json:"reuse"` // how often a trajectory is trained on before others take its place; 0: 8

	Shares JumpShares `json:"jump_shares"` // of the jumps that are trained on; zero: 0.4,0.3,0.3
	Weight float64    `json:"jump_weight"` // power P of a jump's length δ by which the error of its velocity is weighted, δ^P: 1 makes it the error of where it ends; 0: as it is
	Huber  float64    `json:"huber"`       // weighted error of a number where the loss turns from squares to absolute values; 0: squares alone
}

// DefaultOptions returns settings that distil a model of digits within half an hour.
func DefaultOptions() Options {
	o := Options{
		Options:       run.DefaultOptions(),
		TeacherSolver: "adams2", TeacherSteps: 12, Reuse: 8,
		Shares: defaultShares, Weight: 0.5, Huber: 0.1,
	}
	o.LR = 2e-3
	return o
}

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
			return option.Errorf("jump-shares", "%v: each is a number from 0 to 1", s)
		}
		sum += v
	}
	if math.Abs(sum-1) > 1e-6 {
		return option.Errorf("jump-shares", "%v: they add up to %v, and 1 is needed", s, sum)
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

func (o *Options) withDefaults() Options {
	d := *o
	d.fillDefaults()
	return d
}

func (o *Options) fillDefaults() {
	o.Options.FillDefaults(true)
	option.SetDefault(&o.TeacherSolver, "adams2")
	option.SetDefault(&o.TeacherSteps, 12)
	option.SetDefault(&o.Pool, (1024+o.Batch-1)/o.Batch*o.Batch)
	option.SetDefault(&o.Reuse, 8)
	option.SetDefault(&o.Shares, defaultShares)
}

// Validate reports the first option that cannot be used, as an [*OptionError]. It looks at no file.
func (o *Options) Validate() error {
	d := o.withDefaults()
	return option.First(
		d.Options.Validate(),
		d.ValidateBudget(0, "steps and time"),
		option.Between("guidance", d.Guidance, -100, 100),
		d.validateTeacher(),
		option.Between("pool", d.Pool, 1, maxPool),
		d.validatePool(),
		option.Between("reuse", d.Reuse, 1, 1000),
		d.Shares.check(),
		option.Between("jump-weight", d.Weight, 0, 2),
		option.Between("huber", d.Huber, 0, 1e6),
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
		return option.Errorf("teacher-steps", "%d: a multiple of %d is needed, as jumps begin at quarters", o.TeacherSteps, keptParts)
	}
	if o.TeacherSolver == ode.Dopri5.Name {
		return option.Errorf("teacher-solver", "%s: a solver of fixed steps is needed, such as midpoint", o.TeacherSolver)
	}
	return option.OneOf("teacher-solver", o.TeacherSolver, ode.SolverNames()...)
}

// validatePool checks that no batch has trajectories of two pools.
func (o *Options) validatePool() error {
	if o.Pool%o.Batch != 0 {
		return option.Errorf("pool", "%d: a multiple of the batch is needed: %d is the nearest", o.Pool, max((o.Pool+o.Batch/2)/o.Batch, 1)*o.Batch)
	}
	return nil
}

// evaluations returns the number of network evaluations for a trajectory of the teacher.
func (o *Options) evaluations() int {
	n, err := flow.EvaluationsFor(o.TeacherSolver, o.TeacherSteps)
	if err != nil {
		panic(err) // options are validated before
	}
	if o.Guidance != 1 {
		n *= 2
	}
	return n
}
