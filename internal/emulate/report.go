package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A report is what the tests on the emulated machine said.
type report struct {
	isas    []string
	out     io.Writer
	verbose bool

	done   []string       // packages whose tests ended well
	failed []string       // the others
	passed map[string]int // tests of each instruction set
	missed []string       // tests of instruction sets that were skipped
}

// namesOf returns a pattern of the tests of instruction sets: package asm writes "AVX2" where the
// other packages write "avx2".
func namesOf(isas []string) string { return "(?i:" + strings.Join(isas, "|") + ")" }

// result matches the line of a test that ended.
var result = regexp.MustCompile(`^ *--- (PASS|SKIP|FAIL): (\S+) \(`)

// read reads all that the machine prints, and prints what matters. An error means that the machine
// ended too early.
func (r *report) read(serial io.Reader) error {
	r.passed = map[string]int{}
	begin := time.Now()
	var last []string // lines, in case the machine fails
	name := ""        // of the package; empty between packages
	lines := bufio.NewScanner(serial)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		last = append(last[max(0, len(last)-20):], line)
		if started, ok := strings.CutPrefix(line, startMark); ok {
			name = started
			fmt.Fprintf(r.out, "%s on an emulated Sapphire Rapids, booted within %.0f s\n", name, time.Since(begin).Seconds())
			begin = time.Now()
			continue
		}
		if how, ok := strings.CutPrefix(line, endMark); ok && name != "" {
			r.end(name, how, time.Since(begin))
			name, begin = "", time.Now()
			continue
		}
		r.line(line, name != "")
	}
	if lines.Err() != nil || name != "" || len(r.done)+len(r.failed) == 0 {
		return errors.Join(lines.Err(), fmt.Errorf("the machine ended too early; its last lines:\n%s", strings.Join(last, "\n")))
	}
	return nil
}

// end notes the end of a package's tests.
func (r *report) end(name, how string, took time.Duration) {
	if how == "ok" {
		r.done = append(r.done, name)
	} else {
		r.failed = append(r.failed, name)
	}
	fmt.Fprintf(r.out, "%s: %s after %.0f s\n", name, how, took.Seconds())
}

// line notes a result, and prints a line of tests that says more than that all goes well.
func (r *report) line(line string, ofTest bool) {
	var status, test string // empty unless the line is a test's result
	if m := result.FindStringSubmatch(line); len(m) == 3 {
		status, test = m[1], m[2]
	}
	says := status == "FAIL" || ofTest && status == "" && !strings.HasPrefix(line, "=== ")
	if says || r.verbose {
		fmt.Fprintln(r.out, line)
	}
	isa := r.isaOf(test)
	switch {
	case isa == "":
	case status == "PASS":
		r.passed[isa]++
	case status == "SKIP":
		r.missed = append(r.missed, test)
	}
}

// isaOf returns the instruction set of a test, which is the longest name in the test's own, or "".
func (r *report) isaOf(test string) string {
	longest := ""
	for _, isa := range r.isas {
		if strings.Contains(strings.ToLower(test), isa) && len(isa) > len(longest) {
			longest = isa
		}
	}
	return longest
}

// check prints a summary. It fails where a test failed or an instruction set was not tested.
func (r *report) check(packages []string) error {
	for _, isa := range r.isas {
		fmt.Fprintf(r.out, "%s: %d tests passed\n", isa, r.passed[isa])
	}
	var all []error
	for _, name := range packages {
		if !slices.Contains(r.done, name) {
			all = append(all, fmt.Errorf("the tests of %s failed", name))
		}
	}
	for _, isa := range r.isas {
		if r.passed[isa] == 0 {
			all = append(all, fmt.Errorf("no test of %s passed", isa))
		}
	}
	if len(r.missed) > 0 {
		all = append(all, fmt.Errorf("the emulated CPU skipped %s", strings.Join(r.missed, ", ")))
	}
	return errors.Join(all...)
}
