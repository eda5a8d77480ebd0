package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
)

func importCommand(s streams) *cobra.Command {
	var o directory.ImportOptions
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Bring organizations, accounts, users and grants into the directory",
		Long: `Reads NDJSON (.ndjson) and CSV (.csv) files, directories of such files, or - for
NDJSON on standard input. Every record is checked by itself, against what the
directory holds and against the records before it; every fault is reported with
its file and line. If one is wrong nothing is written, unless --keep-going.
Importing the same again changes nothing. The format: postern help import.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("import needs a file, a directory, or - for standard input; see `postern import --help`"))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return importFiles(c, s, o, args) },
	}
	c.Flags().BoolVar(&o.KeepGoing, "keep-going", false, "write the records that are right, leave out the others")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "check everything, write nothing")
	return c
}

func importFiles(c *cobra.Command, s streams, o directory.ImportOptions, args []string) error {
	sources, err := directory.Sources(args, s.in)
	if err != nil {
		return usage(err)
	}
	o.Sources = sources
	return withStore(c, s, func(st *store.Store) error { return importInto(c, s, st, o) })
}

func importInto(c *cobra.Command, s streams, st *store.Store, o directory.ImportOptions) error {
	start, bar := time.Now(), newProgress(s.err, "records")
	o.Progress = func(p directory.Progress) { bar.show(int64(p.Records), p.Bytes, p.Total) }
	report, err := directory.Import(c.Context(), st, o)
	bar.end()
	printFaults(s.err, report)
	if err != nil {
		return err
	}
	if err := printImport(s.out, o, report, time.Since(start)); err != nil {
		return err
	}
	if report.ErrorCount > 0 {
		return &exitError{exitFailed, fmt.Errorf("%d records were left out", report.ErrorCount)}
	}
	return nil
}

func printFaults(w io.Writer, r directory.Report) {
	for _, e := range r.Errors {
		_, _ = fmt.Fprintln(w, e)
	}
	if hidden := r.ErrorCount - len(r.Errors); hidden > 0 {
		_, _ = fmt.Fprintf(w, "and %d more\n", hidden)
	}
}

func printImport(out io.Writer, o directory.ImportOptions, r directory.Report, took time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, t := range r.Types {
		_, _ = fmt.Fprintf(w, "%s\t%d\n", t.Type, t.Written)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	verb, tail := "imported", fmt.Sprintf(", directory revision %d", r.Revision)
	if o.DryRun {
		verb, tail = "checked", "; nothing is written"
	}
	_, err := fmt.Fprintf(out, "%d records %s in %v%s\n", r.Written, verb, took.Round(time.Millisecond), tail)
	return err
}

func exportCommand(s streams) *cobra.Command {
	var folder string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the directory in the format that import reads",
		Long: `Writes NDJSON to standard output, one record a line, each after those it refers
to. The same directory always gives the same bytes. With --csv it writes one
file for each type of record into a folder that is there and has none of them.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStore(c, s, func(st *store.Store) error {
				if folder != "" {
					return directory.ExportCSV(c.Context(), st, folder)
				}
				return directory.Export(c.Context(), st, s.out)
			})
		},
	}
	c.Flags().StringVar(&folder, "csv", "", "a folder to write CSV files into")
	return c
}

func migrateCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema to that of this binary",
		Long: `Applies the migrations that are missing, each in a transaction. SQLite is migrated
by serve itself; PostgreSQL only by this command, so that the server's database
user needs no right to change tables.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(s)
			if err != nil {
				return err
			}
			return app.Migrate(c.Context(), cfg, logger(s, cfg))
		},
	}
}
