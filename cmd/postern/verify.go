package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/drift"
)

func verifyCommand(s streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Say whether the directory is what its records, its trail and its change log say",
		Long: `Looks at one moment of the directory's database, while the server runs, and changes
nothing. It works out anew what decisions are made on, from the plain records, and
compares; it checks every audit trail from its first event, the change log, the
seats that are counted, and lets the database check itself.

Each line names one thing that differs. The exit code is 0 if there is none, 1 if
there is one, and 2 if it could not look. With --json each line is an object; also
the head of every audit trail, which, kept elsewhere, shows that an end was cut
off; the last has what was looked at.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			clean, err := verify(c, s, asJSON)
			if err != nil {
				return &exitError{exitUsage, err} // scripts tell "could not look" from "differs" by it
			}
			if !clean {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func verify(c *cobra.Command, s streams, asJSON bool) (clean bool, err error) {
	cfg, err := load(s)
	if err != nil {
		return false, err
	}
	st, err := app.ExistingStore(c.Context(), cfg, quiet(s))
	if err != nil {
		return false, err
	}
	defer st.Close()
	if err := st.CheckSchema(c.Context()); err != nil {
		return false, err
	}
	start := time.Now()
	summary, err := drift.Check(c.Context(), st, driftReport(s.out, asJSON))
	if err != nil {
		return false, err
	}
	return summary.Findings == 0, printVerified(s.out, summary, start, asJSON)
}

func driftReport(w io.Writer, asJSON bool) drift.Report {
	if !asJSON {
		return drift.Report{Found: func(f drift.Finding) error {
			_, err := fmt.Fprintln(w, f)
			return err
		}}
	}
	out := json.NewEncoder(w)
	return drift.Report{
		Found: func(f drift.Finding) error { return out.Encode(f) },
		Trail: func(t drift.Trail) error { return out.Encode(t) },
	}
}

func printVerified(w io.Writer, v drift.Summary, start time.Time, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(v)
	}
	_, err := fmt.Fprintf(w, "directory %s at revision %d: %d documents, %d audit events and %d entries of the change log looked at in %v, %d differ\n",
		v.Directory, v.Revision, v.Documents, v.Events, v.Entries, time.Since(start).Round(time.Millisecond), v.Findings)
	return err
}
