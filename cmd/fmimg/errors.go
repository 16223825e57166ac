package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// A usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// explain turns an error into its line, "fmimg: what: why", and the exit status.
func explain(root, cmd *cobra.Command, err error) (line string, status int) {
	what := "fmimg: "
	if cmd != nil && cmd != root {
		what += strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ") + ": "
	}
	status = exitFailed
	var usage *usageError
	var wrong *pipeline.OptionError
	var stopped *run.InterruptedError
	var lost *run.LostError
	why := pipeline.ErrorIn(err, flags{})
	switch {
	case errors.As(err, &lost) && lost.GoOn.Command != "":
		why += ": go on with " + flags{}.Action(lost.GoOn)
	case errors.As(err, &stopped) && stopped.Dir == "":
	case errors.As(err, &stopped):
		why += ": go on with " + flags{}.Action(stopped.GoOn)
	case errors.As(err, &usage):
		status = exitUsage
	case errors.As(err, &wrong):
		status, why = exitUsage, wrong.In(flags{})
	case errors.Is(err, context.Canceled):
		why = "interrupted: nothing more was written"
	}
	if cmd != nil && status == exitUsage {
		why += fromEnvironment(cmd, why)
	}
	return what + withCure(oneLine(why), err), status
}

// oneLine joins the lines of a message, and makes it harmless.
func oneLine(text string) string {
	return harmless(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
}

// harmless replaces characters that would control a terminal or begin a line by the way in which Go
// writes them. Anybody may have made the files that names come from.
func harmless(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// flagError words the errors of package pflag like our other errors.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedName() == "precision" && computes(cmd):
		return usagef("--precision: %s computes in f32 alone: leave it out", cmd.Name())
	case errors.As(err, &unknown):
		return usagef("unknown flag %s%s", dashed(unknown.GetSpecifiedName()), suggestFlag(cmd, unknown.GetSpecifiedName()))
	case errors.As(err, &bare):
		return usagef("--%s needs a value: %s", bare.GetFlag().Name, strings.TrimSuffix(kindOf(bare.GetFlag()), ","))
	case errors.As(err, &invalid):
		return usagef("--%s %s: %s is needed", invalid.GetFlag().Name, cmp.Or(invalid.GetValue(), `""`), kindOf(invalid.GetFlag()))
	}
	return usagef("%s", err)
}

// computes reports whether a command computes, and does not only show which instruction sets there
// are.
func computes(cmd *cobra.Command) bool {
	return cmd.Flags().Lookup("isa") != nil && cmd.Flags().Lookup("threads") != nil
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// kindOf says which values a flag takes.
func kindOf(f *pflag.Flag) string {
	if atLeastZero(f) {
		return "a number of 0 or more"
	}
	switch f.Value.Type() {
	case "int":
		return "a whole number"
	case "uint64":
		return "a whole number of 0 or more"
	case "intSlice":
		return "a list of whole numbers such as 7,12"
	case "float64":
		return "a number"
	case "duration":
		return "a duration such as 10m or 90s"
	case "bool":
		return "true or false"
	case "interval":
		return model.IntervalNeeded
	case "shares":
		return "three numbers from 0 to 1 that add up to 1, such as 0.4,0.3,0.3,"
	case "size":
		return "a side in pixels such as 64, or WIDTHxHEIGHT such as 64x48,"
	case "sizes":
		return "a list of sides in pixels such as 32,64, or of WIDTHxHEIGHT,"
	case "names":
		return "a list of names, joined by commas,"
	case "RxC":
		return "rows x columns, such as 8x8,"
	}
	return "a name or a path"
}

// suggestFlag returns the end of a message: the flag that was probably meant.
func suggestFlag(cmd *cobra.Command, name string) string {
	best, least := "", len(name)/2+1
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		d := text.Distance(name, f.Name)
		if strings.HasPrefix(f.Name, name) && len(name) > 1 {
			d = 0
		}
		if d < least && !f.Hidden {
			best, least = f.Name, d
		}
	})
	if best == "" {
		return fmt.Sprintf(": see %s --help", cmd.CommandPath())
	}
	return fmt.Sprintf(": did you mean --%s?", best)
}
