package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/dataset"
)

func (a *app) newData() *cobra.Command {
	cmd := &cobra.Command{
		Use: "data", Short: "List known data sets, look at one",
		Example: "  fmimg data list\n  fmimg data show --data photos/ --out grid.png",
		Args:    knownCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newDataList(), a.newDataShow())
	return cmd
}

func (a *app) newDataList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the data sets that are known by name, and where they are",
		Example: "  fmimg data list\n  fmimg data list --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(dataset.List())
			}
			return writeDataList(a.stdout, dataset.List())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func writeDataList(w io.Writer, list []dataset.Info) error {
	for _, set := range list {
		where := set.Found
		if where == "" {
			where = "not here: " + set.Get
		}
		if _, err := fmt.Fprintf(w, "%-14s %s\n%-14s %s\n", set.Name, set.Description, "", where); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "\nA path works in place of a name: a folder, .zip or .tar of pictures, IDX files, CIFAR batches, .npy or .npz arrays, a .csv of pixels, .parquet files.")
	return err
}
