package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func secretCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "secret",
		Short: "Derive the lesser secret of servers without a database",
		Args:  knownCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(deriveCommand(s))
	return c
}

func deriveCommand(s streams) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "derive",
		Short: "Print the secret for servers without a database",
		Long: `Prints what a server without a database needs of POSTERN_SECRET, to be its
POSTERN_SECRET: consistency tokens are signed and documents in Redis are sealed
with it. Nobody can make a link that would be mailed, or sign a webhook, with it.
The same secret always gives the same.

With --out it goes into a file that only its owner may read, and is not printed;
if there is one, nothing is done.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return derive(s, out) },
	}
	c.Flags().StringVar(&out, "out", "", "a file for the secret, in place of printing it")
	return c
}

func derive(s streams, out string) error {
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
	if out == "" {
		_, err = fmt.Fprintln(s.out, string(key))
		return err
	}
	return keepFile(s, out, func(file *os.File) error {
		_, err := fmt.Fprintln(file, string(key))
		return err
	})
}
