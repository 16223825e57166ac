package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
)

func (a *app) newVersion() *cobra.Command {
	var asJSON bool
	var isa string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version, its commit, and what this machine offers",
		Example: "  fmimg version\n  fmimg version --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			m, err := pipeline.ThisMachine().Using(isa)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(m)
			}
			_, err = fmt.Fprintf(a.stdout, "fmimg %s%s\n%s %s\nCPU: %s, %s\ninstruction sets: %s (default %s)\nprecision of networks: %s\n",
				m.Version, commitOf(m.Build), m.Go, m.System, cmp.Or(m.CPU, "unnamed"), text.Count(m.Threads, "thread", "threads"), strings.Join(m.ISAs, ", "), m.Best, m.Precision)
			if note := m.UnchosenNote(m.ISAs...); note != "" && err == nil {
				_, err = fmt.Fprintln(a.stdout, note)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&isa, "isa", "", "instruction `set` to show as the default, if it can be used here")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// commitOf says which commit a build is of, where that is known.
func commitOf(b pipeline.Build) string {
	switch {
	case b.Commit == "":
		return ""
	case b.Modified:
		return ", commit " + b.Commit + " with changes"
	}
	return ", commit " + b.Commit
}
