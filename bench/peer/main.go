// Command peer compares fmimg with PyTorch on the same network and machine. "make peer" runs it.
//
// It measures every way to run PyTorch that it finds: each interpreter, in float32 and by autocast
// to bfloat16, eager and compiled, contiguous and channels-last. It measures fmimg in both
// precisions too. All are measured in turn, A B C A B C, so that the load of a shared machine hits
// them alike, and a way that fails is listed with the reason.
//
// Start reading at rounds.go. Contestants are in contestant.go, the table is in table.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "peer: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	fmimg   string
	pythons []string
	threads []int
	preset  string
	works   []work
	rounds  int
	seconds float64 // to measure each figure for, in each round
	keep    float64
	only    *regexp.Regexp // which ways to run PyTorch are measured; nil: all
	out     string
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("peer", flag.ContinueOnError)
	f.SetOutput(stderr)
	var pythons, threads, works string
	f.StringVar(&o.fmimg, "fmimg", "./fmimg", "the `program`")
	f.StringVar(&pythons, "pythons", "python3 /usr/bin/python3",
		"`interpreters` that may have PyTorch, separated by spaces")
	f.StringVar(&threads, "threads", "1,2", "`numbers` of threads")
	f.StringVar(&o.preset, "preset", "base", "`network`: base or large")
	f.StringVar(&works, "work", "28-gray-128,32-rgb-64,64-rgb-64",
		"`list` of what to train on: the side of the images, gray or rgb, and the images of a step")
	f.IntVar(&o.rounds, "rounds", 3, "`times` that each is measured, in turn")
	f.Float64Var(&o.seconds, "time", 4, "`seconds` to measure each figure for, each time")
	f.Float64Var(&o.keep, "keep", 0.7,
		"`share` of the best rate below which a way to run PyTorch is measured only once; 0 keeps all")
	f.Func("only", "measure the ways to run PyTorch whose lines in the table match this `pattern`, such as compiled",
		func(text string) (err error) { o.only, err = regexp.Compile(text); return err })
	f.StringVar(&o.out, "out", "", "write all measurements to a JSON `file` too")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.pythons = strings.Fields(pythons)
	if o.threads, err = parseThreads(threads); err != nil {
		return o, err
	}
	if o.works, err = parseWorks(works); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 || !(o.seconds > 0) || !(o.keep >= 0 && o.keep <= 1) {
		return o, errors.New("-rounds and -time take numbers above 0, -keep one from 0 to 1, and nothing stands " +
			"behind the flags: see -help")
	}
	return o, nil
}

func parseThreads(list string) (threads []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-threads %s: numbers such as 1,2 are needed", list)
		}
		threads = append(threads, n)
	}
	return threads, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if os.Getenv("CFM") == "" {
		return errors.New("CFM must name a checkout of torchcfm, whose network is the peer:\n" +
			"  git clone https://github.com/atong01/conditional-flow-matching\n" +
			"  make peer CFM=conditional-flow-matching")
	}
	if _, err := exec.LookPath(o.fmimg); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	scripts, err := os.MkdirTemp("", "fmimg-peer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scripts)
	if err := os.CopyFS(scripts, python); err != nil {
		return err
	}
	c := comparison{options: o, start: start, scripts: scripts, progress: stderr}
	if err := c.compare(ctx); err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, c.text()); err != nil || o.out == "" {
		return err
	}
	return c.save(o.out)
}
