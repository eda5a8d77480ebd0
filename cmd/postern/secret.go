package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func secretCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "secret",
		Short: "Derive the lesser secret of servers without a database",
		Args:  knownCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "derive",
		Short: "Print the secret for servers without a database",
		Long: `Prints what a server without a database needs of POSTERN_SECRET, to be its
POSTERN_SECRET: consistency tokens are signed and documents in Redis are sealed
with it. Nobody can make a link that would be mailed, or sign a webhook, with it.
The same secret always gives the same.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return printShared(s) },
	})
	return c
}

func printShared(s streams) error {
	cfg, err := load(s)
	if err != nil {
		return err
	}
	if cfg.Shared() {
		return usage(errors.New("POSTERN_SECRET is derived already"))
	}
	key, err := cfg.SharedKey()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, string(key))
	return err
}
