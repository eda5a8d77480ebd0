package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/ops"
)

func versionCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary and of the policy engine in it",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			b := ops.ReadBuild()
			_, err := fmt.Fprintf(s.out, "postern %s\nopa     %s\ngo      %s\n", strings.TrimSpace(b.Version+" "+b.Revision), b.OPA, b.Go)
			return err
		},
	}
}

// noArgs is cobra.NoArgs with the exit code of a wrong call.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("%s takes no arguments, got %q; see `%s --help`", c.CommandPath(), args[0], c.CommandPath()))
	}
	return nil
}
