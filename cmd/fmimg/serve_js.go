package main

import "github.com/spf13/cobra"

// newServe returns the command where it cannot be: a program in a browser listens nowhere.
func (a *app) newServe() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Serve a page for the browser and an API for programs (not in js/wasm)",
		RunE: func(*cobra.Command, []string) error {
			return usagef("serve: the build for js/wasm cannot listen: take one for this machine's system")
		},
	}
}
