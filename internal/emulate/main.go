// Command emulate runs tests on an emulated CPU with the instruction sets that this machine lacks.
// Bochs, an emulator that interprets each instruction, plays an Intel Sapphire Rapids, which has
// AVX-512 and AMX. It boots Linux from a CD with the test binaries on it. "make emulate" runs it.
//
// Bochs, Linux and what both need come from Debian's archive. They are unpacked into a folder of
// the user's cache, and nothing of them is installed. So a machine needs apt-get and dpkg-deb,
// but neither root nor virtualization.
//
// What runs on an emulated CPU is right or wrong as on a real one, but its time says nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fmimg/fmimg/kernels"
)

func main() {
	if os.Args[0] == guestPath {
		guest()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "emulate: %v\n", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	isas     []string // empty: what this machine lacks
	tests    string   // -test.run; empty: subtests of the instruction sets
	skip     string   // -test.skip
	cache    string
	limit    time.Duration
	verbose  bool
	maySkip  bool     // if the emulator cannot be fetched
	packages []string // folders below the root of the module, such as kernels
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("emulate", flag.ContinueOnError)
	f.SetOutput(stderr)
	isas := f.String("isa", "", "instruction `sets`, separated by commas (default what this machine lacks)")
	f.StringVar(&o.tests, "run", "", "tests that match this `pattern` (default subtests of those instruction sets)")
	f.StringVar(&o.skip, "skip", "", "no tests that match this `pattern`")
	f.StringVar(&o.cache, "cache", "", "`folder` of the emulator (default fmimg/emulate in the user's cache)")
	f.DurationVar(&o.limit, "timeout", time.Hour, "longest `time` of the emulation")
	f.BoolVar(&o.maySkip, "may-skip", false, "succeed, and say so, where the emulator cannot be fetched")
	f.BoolVar(&o.verbose, "v", false, "print all that the emulated machine prints")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: emulate [flags] [folders of packages (default asm kernels)]")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	for _, name := range f.Args() {
		o.packages = append(o.packages, filepath.ToSlash(filepath.Clean(name)))
	}
	if len(o.packages) == 0 {
		o.packages = []string{"asm", "kernels"}
	}
	if o.isas = slices.DeleteFunc(strings.Split(*isas, ","), isEmpty); len(o.isas) == 0 {
		o.isas = missing()
	}
	if o.tests == "" {
		o.tests = "/" + namesOf(o.isas)
	}
	return o, nil
}

func isEmpty(s string) bool { return s == "" }

// missing lists the instruction sets of this build that this machine cannot run.
func missing() []string {
	var all []string
	for _, isa := range kernels.Built() {
		if !slices.Contains(kernels.Available(), isa) {
			all = append(all, isa.String())
		}
	}
	return all
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("on %s/%s: Linux on amd64 is needed", runtime.GOOS, runtime.GOARCH)
	}
	if len(o.isas) == 0 {
		fmt.Fprintf(stdout, "nothing to emulate: make test runs all of %v on this CPU\n", kernels.Built())
		return nil
	}
	root, err := fetch(ctx, o.cache, stderr)
	if err != nil && o.maySkip && ctx.Err() == nil {
		fmt.Fprintf(stdout, "SKIPPED: %v were not tested, as the emulator cannot be fetched: %v\n", o.isas, err)
		return nil
	}
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "fmimg-emulate-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	files, err := build(ctx, o, scratch)
	if err != nil {
		return err
	}
	m := machine{debian: root, folder: scratch}
	if err := m.write(ctx, files); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	r := report{isas: o.isas, out: stdout, verbose: o.verbose}
	if err := m.boot(ctx, r.read); err != nil {
		return err
	}
	return r.check(o.packages)
}
