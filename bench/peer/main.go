// Command peer compares fmimg with PyTorch on the same network and machine. "make peer" runs it.
//
// It first measures every way to run PyTorch that it finds: each interpreter, eager and compiled,
// contiguous and channels-last. Then it measures fmimg and the best way in turn, A B A B, so that
// the load of a shared machine hits both alike.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
)

//go:embed torch_unet.py
var script string

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
	batch   int
	rounds  int
	tries   int     // of each variant of PyTorch, before
	seconds float64 // to measure each of training and forward for
	out     string
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("peer", flag.ContinueOnError)
	f.SetOutput(stderr)
	var pythons, threads string
	f.StringVar(&o.fmimg, "fmimg", "./fmimg", "the `program`")
	f.StringVar(&pythons, "pythons", "python3 /usr/bin/python3",
		"`interpreters` that may have PyTorch, separated by spaces")
	f.StringVar(&threads, "threads", "1,2", "`numbers` of threads")
	f.StringVar(&o.preset, "preset", "base", "`network`: base or large")
	f.IntVar(&o.batch, "batch", 128, "`images` of a step and of a forward")
	f.IntVar(&o.rounds, "rounds", 3, "`times` that each is measured in turn")
	f.IntVar(&o.tries, "tries", 1, "`times` that each way to run PyTorch is tried before, of which the best counts")
	f.Float64Var(&o.seconds, "time", 10, "`seconds` to measure each of training and forward for, each time")
	f.StringVar(&o.out, "out", "", "write all measurements to a JSON `file` too")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.pythons = strings.Fields(pythons)
	for text := range strings.SplitSeq(threads, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return o, fmt.Errorf("-threads %s: numbers such as 1,2 are needed", threads)
		}
		o.threads = append(o.threads, n)
	}
	if f.NArg() > 0 || o.batch < 1 || o.rounds < 1 || o.tries < 1 || !(o.seconds > 0) {
		return o, errors.New("-batch, -rounds, -tries and -time take numbers above 0, and nothing stands behind " +
			"the flags: see -help")
	}
	return o, nil
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
	c := comparison{options: o, command: command, progress: stderr}
	if err := c.findPeers(ctx); err != nil {
		return err
	}
	for _, threads := range o.threads {
		if err := c.measure(ctx, threads); err != nil {
			return err
		}
	}
	if err := c.write(stdout); err != nil || o.out == "" {
		return err
	}
	return c.save(o.out)
}

// command runs a program with a text as stdin, and returns what it writes to stdout.
func command(ctx context.Context, stdin string, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, lastLine(stderr.String()))
	}
	return out, nil
}

// lastLine returns the last line of a message, where Python says what happened.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
