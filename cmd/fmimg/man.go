package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/fmimg/fmimg/pipeline"
)

// newMan makes the command that writes a man page for each command. Packagers run it.
func (a *app) newMan() *cobra.Command {
	return &cobra.Command{
		Use: "man FOLDER", Short: "Write the man pages into a folder", Hidden: true, Example: "  fmimg man man/",
		Long: "Write a man page for each command into a folder, which is made if it is not there.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name the folder to write the man pages into, such as man/")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the folder %s: %w", args[0], reason(err))
			}
			root := cmd.Root()
			forEveryMachine(root)
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "fmimg " + pipeline.Version(), Manual: "fmimg"}, args[0]); err != nil {
				return fmt.Errorf("write the man pages into %s: %w", args[0], reason(err))
			}
			return nil
		},
	}
}
