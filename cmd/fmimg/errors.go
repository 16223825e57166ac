package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/quote"
	"github.com/fmimg/fmimg/pipeline"
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
	var compared *option.Error
	var stopped *run.InterruptedError
	why := err.Error()
	switch {
	case errors.As(err, &stopped) && stopped.Dir == "":
	case errors.As(err, &stopped):
		why += ": go on with " + resumeCommand(stopped)
	case errors.As(err, &usage):
		status = exitUsage
	case errors.As(err, &wrong):
		status, why = exitUsage, "--"+wrong.Error()
	case errors.As(err, &compared):
		status, why = exitUsage, "--"+compared.Error()
	case errors.Is(err, context.Canceled):
		why = "interrupted: nothing more was written"
	}
	if cmd != nil && status == exitUsage {
		why += fromEnvironment(cmd, why)
	}
	return what + withCure(oneLine(why), err), status
}

func resumeCommand(stopped *run.InterruptedError) string {
	return fmt.Sprintf("fmimg %s --resume --out %s", stopped.Command, quote.Shell(filepath.ToSlash(stopped.Dir)))
}

// oneLine joins the lines of a message, and shows what would do something to a terminal.
func oneLine(text string) string {
	return harmless(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
}

// harmless shows characters that would do something to a terminal, or begin a line, as Go writes them: names
// come from files that anybody may have made.
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

// flagError words the errors of package pflag in our own way.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return usagef("unknown flag %s%s", dashed(unknown.GetSpecifiedName()), suggestFlag(cmd, unknown.GetSpecifiedName()))
	case errors.As(err, &bare):
		return usagef("--%s needs a value: %s", bare.GetFlag().Name, strings.TrimSuffix(kindOf(bare.GetFlag()), ","))
	case errors.As(err, &invalid):
		return usagef("--%s %s: %s is needed", invalid.GetFlag().Name, invalid.GetValue(), kindOf(invalid.GetFlag()))
	}
	return usagef("%s", err)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// kindOf says what values a flag takes.
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
	case "shares":
		return "three numbers from 0 to 1 that add up to 1, such as 0.4,0.3,0.3,"
	case "RxC":
		return "rows x columns, such as 8x8,"
	}
	return "a name or a path"
}

// suggestFlag returns the end of a sentence that names the flag which was probably meant.
func suggestFlag(cmd *cobra.Command, name string) string {
	best, least := "", len(name)/2+1
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		d := distance(name, f.Name)
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

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
