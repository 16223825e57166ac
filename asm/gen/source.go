package main

import (
	"fmt"
	"go/format"
	"strings"
)

// A source is a Go file in the making.
type source struct{ text strings.Builder }

// newSource begins a file of a package; build is its build constraint, or "".
func newSource(build, pkg string, imports ...string) *source {
	s := &source{}
	s.text.WriteString(header)
	if build != "" {
		s.line("//go:build %s\n", build)
	}
	s.line("package %s", pkg)
	for _, path := range imports {
		s.line("\nimport %q", path)
	}
	return s
}

// line appends one line, or several with newlines between them.
func (s *source) line(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

// save formats the file and writes it.
func (s *source) save(name string) {
	text, err := format.Source([]byte(s.text.String()))
	check(err)
	write(name, text)
}

// list spells a slice of int in Go.
func list(numbers []int) string {
	var all []string
	for _, n := range numbers {
		all = append(all, fmt.Sprint(n))
	}
	return "[]int{" + strings.Join(all, ", ") + "}"
}

// quoted spells a list of strings in Go, without braces.
func quoted(all []string) string {
	var q []string
	for _, s := range all {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return strings.Join(q, ", ")
}
