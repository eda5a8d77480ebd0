package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/prover"
)

func policyCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Check, test and read policies before they are live",
		Args:  knownCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(policyCheckCommand(s), policyTestCommand(s), policyMatrixCommand(s), policyProveCommand(s))
	return c
}

const policyArgs = `Without DIR it is about the configured policies: POSTERN_POLICIES and
POSTERN_OVERLAYS, else the embedded core. With DIR, a directory or a .tar.gz,
that is the core; --overlay lays another above it.`

func policyCheckCommand(s streams) *cobra.Command {
	var overlays []string
	c := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Say whether a policy would be put in force",
		Long: `Puts a policy through the gate that a running server puts it through: syntax,
strict compile with types, builtins, roots, what rules read, its own tests.
` + policyArgs + `
Exit code 3 if it is refused.`,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			engine, err := engineFor(s, args, overlays)
			if err != nil {
				return err
			}
			g, err := engine.Check(c.Context())
			if err != nil {
				return refused(err)
			}
			_, err = fmt.Fprintf(s.out, "%s would be put in force\n", g.Revision())
			return err
		},
	}
	overlayFlag(c, &overlays)
	return c
}

// policyProveCommand is what a server starts to try policies: see prover.
func policyProveCommand(s streams) *cobra.Command {
	var limits prover.Limits
	c := &cobra.Command{
		Use:    "prove",
		Short:  "Try the policies that a server gives on stdin",
		Hidden: true,
		Args:   noArgs,
		RunE:   func(c *cobra.Command, _ []string) error { return prover.Child(c.Context(), limits, s.in, s.out) },
	}
	c.Flags().Int64Var(&limits.Memory, "memory", 1<<30, "bytes that they may take")
	c.Flags().DurationVar(&limits.CPU, "cpu", 30*time.Second, "processor time that they may take")
	return c
}

func policyTestCommand(s streams) *cobra.Command {
	var (
		overlays []string
		coverage bool
	)
	c := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests of policies",
		Long: `Runs the Rego tests of every layer on that layer and those below it.
` + policyArgs + `
Exit code 4 if a test fails or there is none.`,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			engine, err := engineFor(s, args, overlays)
			if err != nil {
				return err
			}
			report, err := engine.Test(c.Context(), coverage)
			if err != nil {
				return refused(err)
			}
			return printTests(s.out, report)
		},
	}
	overlayFlag(c, &overlays)
	c.Flags().BoolVar(&coverage, "coverage", false, "also say how much of the policies the tests reach")
	return c
}

func printTests(w io.Writer, r policy.Report) error {
	passed, failed := 0, 0
	for _, t := range r.Tests {
		switch {
		case t.Passed:
			passed++
		case !t.Skipped:
			failed++
			_, _ = fmt.Fprintf(w, "FAIL %s\n", t)
			for _, name := range t.Failed {
				_, _ = fmt.Fprintf(w, "     %s\n", name)
			}
			if t.Error != nil {
				_, _ = fmt.Fprintf(w, "     %v\n", t.Error)
			}
		}
	}
	if r.Coverage != nil {
		_, _ = fmt.Fprintf(w, "%.1f%% covered\n", r.Coverage.Coverage)
	}
	if _, err := fmt.Fprintf(w, "%d passed, %d failed\n", passed, failed); err != nil {
		return err
	}
	if !r.Passed() {
		return &exitError{exitTests, nil}
	}
	return nil
}

func policyMatrixCommand(s streams) *cobra.Command {
	var overlays []string
	c := &cobra.Command{
		Use:   "matrix [DIR]",
		Short: "Print what each role may do, as a Markdown table",
		Long: `Prints every action and the roles that may do it, as the policy has them.
` + policyArgs,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			engine, err := engineFor(s, args, overlays)
			if err != nil {
				return err
			}
			g, err := engine.Check(c.Context())
			if err != nil {
				return refused(err)
			}
			return writeMatrix(c.Context(), s.out, g)
		},
	}
	overlayFlag(c, &overlays)
	return c
}

func overlayFlag(c *cobra.Command, overlays *[]string) {
	c.Flags().StringSliceVar(overlays, "overlay", nil, "a directory or .tar.gz above the core; may be repeated")
}

// engineFor is an engine over the policies a command is about.
func engineFor(s streams, args, overlays []string) (*policy.Engine, error) {
	cfg, err := load(s)
	if err != nil {
		return nil, err
	}
	about(cfg, args, overlays)
	engine, err := app.NewEngine(cfg, quiet(s), nil)
	if err != nil {
		return nil, usage(err)
	}
	return engine, nil
}

// about points the configuration at what was named on the command line.
func about(cfg *config.Config, args, overlays []string) {
	if len(args) == 1 {
		cfg.Policies, cfg.Overlays = args[0], nil
	}
	if len(overlays) > 0 {
		cfg.Overlays = overlays
	}
}

func refused(err error) error { return &exitError{exitPolicy, err} }

func atMostOne(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(fmt.Errorf("%s takes one directory, got %d; see `%s --help`", c.CommandPath(), len(args), c.CommandPath()))
	}
	return nil
}
