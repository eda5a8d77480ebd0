// Command postern answers authorization decisions for customer portals.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/secret"
)

// Exit codes. They are a promise to scripts: `postern help exit-codes`.
const (
	exitFailed      = 1   // the command could not do what was asked
	exitUsage       = 2   // arguments or configuration are wrong; nothing was done
	exitPolicy      = 3   // the policy is refused
	exitTests       = 4   // policy tests failed
	exitDenied      = 5   // decide --exit-code: the decision is no
	exitUnavailable = 6   // a dependency does not answer
	exitInterrupted = 130 // the user ended it
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

func run(args []string, in io.Reader, out, errOut io.Writer, environ []string) int {
	ctx, stop := interruptible()
	defer stop()
	root := command(streams{in, out, errOut, environ})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitCode(ctx, err)
	if said := new(exitError); !errors.As(err, &said) || said.err != nil {
		_, _ = fmt.Fprintln(errOut, "postern:", sentence(err))
	}
	return code
}

// sentence is an error without the word for its kind at the end: that is for
// programs, and the exit code says it. Who gave a key in place of its id does not
// find it in the log of a build.
func sentence(err error) string {
	text := err.Error()
	for _, kind := range []error{authz.ErrInvalid, authz.ErrNotFound, authz.ErrConflict, authz.ErrUnavailable} {
		text = strings.TrimSuffix(text, ": "+kind.Error())
	}
	return secret.Redact(text)
}

// streams is where a command reads and writes, and its environment.
type streams struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	environ []string
}

// command is the tree of all commands.
func command(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "postern",
		Short:         "Answers \"may this user do this, here?\" from Rego policies and cached grants",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see `%s --help`", err, c.CommandPath()))
	})
	root.SetHelpCommand(helpCommand(s))
	root.AddCommand(
		serveCommand(s), decideCommand(s), importCommand(s), exportCommand(s), migrateCommand(s),
		backupCommand(s), restoreCommand(s), verifyCommand(s),
		orgCommand(s), memberCommand(s), inviteCommand(s), tokenCommand(s), auditCommand(s),
		policyCommand(s), keyCommand(s), secretCommand(s), configCommand(s), healthcheckCommand(s), openapiCommand(s), versionCommand(s),
	)
	return root
}

// knownCommand refuses a word that is no command, with what may have been meant.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see `%s --help`", c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(fmt.Errorf("there is no command %q of %s; %s", args[0], c.CommandPath(), hint))
}

// An exitError ends the program with a code of its own. Without an err the
// command has said already what there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{exitUsage, err} }

func exitCode(ctx context.Context, err error) int {
	var said *exitError
	switch {
	case errors.As(err, &said):
		return said.code
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, new(*policy.Refusal)):
		return exitPolicy
	case errors.Is(err, authz.ErrUnavailable):
		return exitUnavailable
	}
	return exitFailed
}
