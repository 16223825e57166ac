package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/pipeline/distill"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

const distillHelp = `Make of a model one that draws in 1, 2 or 4 evaluations of its network, where the model itself takes 16 or more.

The new network, the student, starts from the model's weights, and is shown where the model's own trajectories lead: from
noise to an image, and over halves and quarters of the way. generate and eval then take --steps 1, 2 or 4, and no
--solver. --guidance W, --guidance-interval and --guide become a part of the student. Of --guidance 1-1.3 the student
takes any weight: generate and eval then choose one with --guidance.

With --on-policy 1 the student sees states that its own jumps lead to, in the second half of the budget, and the model
shows where it would go from there. So the student learns what to do about its own errors.

A run can be interrupted, resumed and repeated like those of train, and its folder holds the same files. The folder's
path goes to stdout.`

const distillExample = `  fmimg distill --model mnist --time 30m                into runs/mnist-fast, then runs/mnist-fast-2, …
  fmimg distill --model runs/clothes --guidance 2 --out runs/clear
  fmimg distill --resume --out runs/mnist-fast          go on after Ctrl-C or a crash
  fmimg generate --model runs/mnist-fast --steps 1 --out samples.png`

func (a *app) newDistill() *cobra.Command {
	var o distill.Options
	var extra runExtra
	cmd := &cobra.Command{
		Use: "distill [flags]", Short: "Make a model draw in a few evaluations", Long: distillHelp, Example: distillExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.distill(cmd, o, extra) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	modelFlag(f, &o.Model, elseMNIST)
	folderFlags(f, &o.Options, "MODEL-fast")
	budgetFlags(f, &o.Options, nil, &extra)
	recordFlags(f, &o.Options, &extra)
	distillNumberFlags(f, &o)
	networkFlags(f, &o.Threads, &o.Arithmetic)
	return cmd
}

// distillNumberFlags adds the flags that change the trained numbers.
func distillNumberFlags(f *pflag.FlagSet, o *distill.Options) {
	usual := o.WithDefaults()
	f.Var(guidanceValue{&o.Guidance}, "guidance",
		fmt.Sprintf("`weight` W of the class with which the model draws: v_none + W(v_class - v_none); 1 is off; 1-1.3 makes W an input of the student (default %s)", usualGuidance))
	guidanceFlags(f, &o.GuidanceInterval, &o.Guide, " (default none)", "")
	f.StringVar(&o.TeacherSolver, "teacher-solver", usual.TeacherSolver,
		"`method` by which the model draws: euler, midpoint, heun, rk4, adams2 or abm2")
	f.IntVar(&o.TeacherSteps, "teacher-steps", usual.TeacherSteps, "`number` of its steps, a multiple of 4")
	f.IntVar(&o.Pool, "pool", 0, "`number` of trajectories that the model draws at once (default the first multiple of the batch from 1024 on)")
	f.IntVar(&o.Reuse, "reuse", usual.Reuse, "how `often` a trajectory is trained on")
	amountVar(f, &o.OnPolicy, "on-policy", usual.OnPolicy,
		"`share` of the jumps on the way that begin where the student's own jumps lead; 0 for none")
	amountVar(f, &o.OnPolicyFrom, "on-policy-from", usual.OnPolicyFrom,
		"`share` of the budget after which they do so, 0 for at once")
	o.Shares = usual.Shares
	f.Var(sharesValue{&o.Shares}, "jump-shares", "`shares` of whole, half and quarter jumps in training")
	amountVar(f, &o.Weight, "jump-weight", usual.Weight,
		"`power` of a jump's length by which the error of its velocity is weighted: 1 for that of where it ends, 0 for none")
	amountVar(f, &o.Huber, "huber", usual.Huber,
		"weighted `error` where the loss turns from squares to absolute values, 0 for squares alone")
	recipeFlags(f, &o.Recipe, usual.LR, "")
}

// A guidanceValue is a flag of a weight, or of a range of them.
type guidanceValue struct{ r *model.GuidanceRange }

func (v guidanceValue) String() string {
	if v.r == nil {
		return "0"
	}
	return v.r.String()
}

func (v guidanceValue) Set(text string) error {
	r, err := model.ParseGuidanceRange(text)
	if err == nil {
		*v.r = r
	}
	return err
}

func (guidanceValue) Type() string { return "weight" }

// A sharesValue is a flag of three numbers.
type sharesValue struct{ s *distill.JumpShares }

func (v sharesValue) String() string {
	if v.s == nil {
		return ""
	}
	return v.s.String()
}

func (v sharesValue) Set(text string) error {
	s, err := distill.ParseJumpShares(text)
	if err == nil {
		*v.s = s
	}
	return err
}

func (sharesValue) Type() string { return "shares" }

// distill runs the command.
func (a *app) distill(cmd *cobra.Command, o distill.Options, x runExtra) error {
	if err := positive(cmd, "guidance", "teacher-steps", "pool", "reuse"); err != nil {
		return err
	}
	if err := a.settle(cmd, &x, &o.Options); err != nil {
		return err
	}
	return a.runTraining(&o.Options, x, func() (run.Result, error) { return distill.Distill(cmd.Context(), o) })
}
