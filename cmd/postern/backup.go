package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/app"
	"github.com/postern-authz/postern/internal/backup"
)

func backupCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Write the whole directory into one file, while the server runs",
		Long: `Writes every row of the directory's database as of one moment: people, grants,
invitations, the audit trail, what waits to be sent, and the hashes of keys and
passwords. The file is readable by its owner alone, and replaces the one of that
name only when it is whole. With - it goes to standard output.

The secret of the servers (POSTERN_SECRET) is not in it: keep it too.
More: postern help backup.`,
		Args: one("backup", "a file to write, or - for standard output"),
		RunE: func(c *cobra.Command, args []string) error { return takeBackup(c, s, args[0]) },
	}
}

func takeBackup(c *cobra.Command, s streams, path string) error {
	cfg, err := load(s)
	if err != nil {
		return err
	}
	st, err := app.ExistingStore(c.Context(), cfg, quiet(s))
	if err != nil {
		return err
	}
	defer st.Close()
	start := time.Now()
	if path == "-" {
		_, err := backup.Write(c.Context(), st, s.out, start)
		return err
	}
	summary, err := backup.WriteFile(c.Context(), st, path, start)
	if err != nil {
		return err
	}
	return printBackup(s.out, "backed up", summary, start, "")
}

func printBackup(w io.Writer, did string, b backup.Summary, start time.Time, tail string) error {
	_, err := fmt.Fprintf(w, "%d rows of directory %s at revision %d %s in %v (%.1f MB)%s\n",
		b.Total(), b.Directory, b.Revision, did, time.Since(start).Round(time.Millisecond), float64(b.Bytes)/1e6, tail)
	return err
}

func restoreCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring a backup into an empty database of either engine",
		Long: `Brings all of the backup into the database that POSTERN_DATABASE names, or nothing
of it. The database is an SQLite file that is made, or a PostgreSQL database
without tables or without rows; restore makes the schema. A file that was cut off
or changed is refused before anything is written. Start servers afterwards.

What was undone since the backup is back: see postern help backup.`,
		Args: one("restore", "a file that `postern backup` wrote"),
		RunE: func(c *cobra.Command, args []string) error { return restoreFrom(c, s, args[0]) },
	}
}

func restoreFrom(c *cobra.Command, s streams, path string) error {
	cfg, err := load(s)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return usage(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return usage(errors.Join(fmt.Errorf("%s is no file that can be read twice: write the backup to the disk first", path), err))
	}
	start := time.Now()
	summary, revision, err := app.Restore(c.Context(), cfg, quiet(s), file)
	if err != nil {
		return err
	}
	return printBackup(s.out, "restored", summary, start, fmt.Sprintf(", directory revision %d", revision))
}
