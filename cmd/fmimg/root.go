package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/picture"
)

const rootHelp = `fmimg trains small image generators by flow matching and draws images from them, on the CPU.

Results go to stdout, all else to stderr. The exit status is 0, 1 (it failed) or 2 (used wrongly).
Every flag can be set in the environment too: FMIMG_ISA is --isa, FMIMG_SAVE_EVERY is --save-every.`

const rootExample = `  fmimg train --data mnist --time 10m            train for ten minutes into runs/mnist
  fmimg generate --grid 8x8 --out samples.png    draw 64 images from the newest run`

// newRoot builds the command with all its commands.
func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "fmimg", Short: "Train and use small image generators", Long: rootHelp, Example: rootExample,
		Version:       pipeline.Version(),
		SilenceErrors: true, SilenceUsage: true,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.setFromEnvironment(cmd); err != nil {
				return err
			}
			if err := a.joinRanks(cmd); err != nil {
				return err
			}
			a.noteISA(cmd, pipeline.ThisMachine())
			for _, name := range []string{"model", "init"} {
				if f := cmd.Flags().Lookup(name); f != nil {
					a.noteName(f.Value.String())
				}
			}
			return nil
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(a.newTrain(), a.newDistill(), a.newGenerate(), a.newEval(), a.newLikelihood(), a.newEdit(), a.newData(), a.newField(), a.newCompare(), a.newClassifier(), a.newServe(), a.newBench(), a.newModel(), a.newVersion(), a.newMan(), a.newReference())
	strictCompletion(root)
	completeFlags(root)
	return root
}

// noteISA says on stderr that a command which computes is slow here, or that the instruction set
// that was chosen is unchosen.
func (a *app) noteISA(cmd *cobra.Command, m pipeline.Machine) {
	if !computes(cmd) {
		return
	}
	note := m.SlowNote()
	if f := cmd.Flags().Lookup("isa"); f.Changed {
		note = m.UnchosenNote(strings.Split(f.Value.String(), ",")...)
	}
	if note != "" {
		fmt.Fprintln(a.stderr, note)
	}
}

// noteName says on stderr which model a name means, where others have the name.
func (a *app) noteName(name string) {
	if note := model.NameNote(name); note != "" {
		fmt.Fprintln(a.stderr, note)
	}
}

// knownCommand rejects an argument where the name of a command should stand.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	var near []string
	if args[0] != "" { // every command begins with ""
		near = cmd.SuggestionsFor(args[0])
	}
	if len(near) == 0 {
		return usagef("unknown command %q: see %s --help", args[0], cmd.CommandPath())
	}
	return usagef("unknown command %q: did you mean %s?", args[0], strings.Join(near, " or "))
}

// noArgs rejects arguments that are not flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("%q is no flag, and %s takes flags alone: see %s --help", args[0], cmd.Name(), cmd.CommandPath())
}

// budgets are the flags that bound a training. One of them is enough: where one is on the command
// line, the environment sets none of them.
var budgets = []string{"steps", "epochs", "time", "schedule"}

// environment is the key of an annotation: the variable of the environment that set a flag.
const environment = "environment"

// setFromEnvironment sets the flags that are not on the command line from FMIMG_NAME.
func (a *app) setFromEnvironment(cmd *cobra.Command) error {
	var failed error
	trains := cmd.Flags().Lookup("epochs") != nil || cmd.Flags().Lookup("schedule") != nil
	settled := trains && slices.ContainsFunc(budgets, cmd.Flags().Changed)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || failed != nil || (settled && slices.Contains(budgets, f.Name)) {
			return
		}
		name := "FMIMG_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := a.environ(name)
		if !ok || value == "" {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			failed = usagef("%s=%s in the environment: %s is needed", name, value, kindOf(f))
		}
		f.Annotations = map[string][]string{environment: {name}}
	})
	return failed
}

// fromEnvironment names the variable that set the flag at the beginning of a message; "" for a flag
// of the command line.
func fromEnvironment(cmd *cobra.Command, why string) string {
	flag, isFlag := strings.CutPrefix(why, "--")
	flag, _, _ = strings.Cut(flag, " ")
	flag = strings.TrimSuffix(flag, ":") // of a message that leaves out the value
	if f := cmd.Flags().Lookup(flag); isFlag && f != nil && f.Annotations[environment] != nil {
		return fmt.Sprintf(" (%s in the environment)", f.Annotations[environment][0])
	}
	return ""
}

// A gridValue is a flag of the form RxC, rows by columns.
type gridValue struct{ g *picture.GridOptions }

func (v gridValue) String() string {
	if v.g == nil || v.g.Rows == 0 {
		return ""
	}
	return fmt.Sprintf("%dx%d", v.g.Rows, v.g.Cols)
}

func (v gridValue) Set(text string) error {
	var rows, cols int
	var rest string
	n, _ := fmt.Sscanf(strings.ToLower(text)+" .", "%dx%d %s", &rows, &cols, &rest)
	if n != 3 || rest != "." || rows < 1 || cols < 1 {
		return usagef("no grid")
	}
	v.g.Rows, v.g.Cols = rows, cols
	return nil
}

func (gridValue) Type() string { return "RxC" }

// The model that a command takes where none is named and there is no run.
const (
	elseMNIST = ", else mnist"
	elseNone  = ""
)

// modelFlag adds the flag that every command has that reads a model.
func modelFlag(f *pflag.FlagSet, model *string, otherwise string) {
	f.StringVar(model, "model", "", "run `folder`, checkpoint file, or mnist, mnist-fast or emoji, which are part of the program (default the newest run under runs/"+otherwise+")")
}

// networkFlags adds the flags that every command has that runs a U-Net.
func networkFlags(f *pflag.FlagSet, threads *int, on *pipeline.Arithmetic) {
	computeFlags(f, threads, &on.ISA)
	precisionFlag(f, &on.Precision)
}

// precisionFlag adds the flag for the precision of a U-Net.
func precisionFlag(f *pflag.FlagSet, precision *string) {
	nameVar(f, precision, "precision", pipeline.AutoPrecision,
		"`format` of what a network passes from layer to layer: f32, bf16 (half as many bytes), or auto: the fastest on the instruction set")
}

// computeFlags adds the flags that every command has that computes.
func computeFlags(f *pflag.FlagSet, threads *int, isa *string) {
	m := pipeline.ThisMachine()
	f.IntVar(threads, "threads", 0, fmt.Sprintf("worker `threads`, which change no result (default all that this process may use: %d)", m.Threads))
	f.StringVar(isa, "isa", "", fmt.Sprintf("instruction `set`: %s (default %s)", strings.Join(m.ISAs, ", "), m.Best))
}
