// Command quality keeps scores of models after some minutes of training, and draws charts of them.
//
// A file has a row for each run: "make quality" and "make peer-quality" add rows, and "make
// quality-chart" draws FID against the minutes. "make evaluations" draws FID of several models
// against the number of evaluations.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fmimg/fmimg/bench"
	"github.com/fmimg/fmimg/internal/atomicfile"
)

func main() {
	err := run(os.Args[1:], os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "quality: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rows        string
	chart       string
	curves      string
	reports     []string // arguments behind the flags
	report      string
	trainer     string
	time        time.Duration
	threads     int
	evaluations float64
	command     string
}

// parse reads the flags. Exactly one of -add, -chart and -curves must be there.
func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("quality", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.rows, "rows", "docs/quality.jsonl", "`file` of the rows")
	f.StringVar(&o.chart, "chart", "", "draw the rows into a PNG `file`")
	f.StringVar(&o.curves, "curves", "", "draw into a PNG `file` FID against evaluations of what fmimg eval "+
		"--evaluations --json wrote into the files behind the flags")
	f.StringVar(&o.report, "add", "", "add a row from what fmimg eval --json wrote into a `file`")
	f.StringVar(&o.trainer, "trainer", "fmimg", "of the row: the `program` that trained")
	f.DurationVar(&o.time, "time", 0, "of the row: training `time`, such as 3m")
	f.IntVar(&o.threads, "threads", 0, "of the row: `threads` that trained")
	f.Float64Var(&o.evaluations, "evaluations", 0, "of the row: `number` of evaluations of an image (default as "+
		"in the report, which knows none for --images)")
	f.StringVar(&o.command, "command", "", "of the row: the `command` that trained")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.reports = f.Args()
	modes := 0
	for _, mode := range []string{o.chart, o.curves, o.report} {
		if mode != "" {
			modes++
		}
	}
	switch {
	case modes != 1:
		return o, errors.New("one of -add, -chart and -curves is needed: see -help")
	case (o.curves != "") != (len(o.reports) > 0):
		return o, errors.New("-curves needs files behind the flags, and nothing else does")
	case o.report != "" && (o.time <= 0 || o.threads < 1 || o.command == ""):
		return o, errors.New("-add needs the -time, -threads and -command of the training")
	}
	return o, nil
}

// run does what the flags say.
func run(args []string, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.curves != "" {
		c, err := curves(o.reports)
		if err != nil {
			return err
		}
		return atomicfile.Write(o.curves, c.WritePNG)
	}
	all, err := readRows(o.rows)
	if err != nil {
		return err
	}
	if o.chart != "" {
		c, err := all.chart()
		if err != nil {
			return fmt.Errorf("%s: %w", o.rows, err)
		}
		return atomicfile.Write(o.chart, c.WritePNG)
	}
	added, err := o.row(bench.ThisMachine().Processor.Name, time.Now())
	if err != nil || all.has(added) {
		return err
	}
	return atomicfile.Write(o.rows, append(all, added).write)
}
