package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/backup"
	"github.com/postern-authz/postern/internal/demo"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

var rounds = flag.Int("backups", 6, "how many drawn directories are backed up and restored")

// engines are databases of their own, by the engine's name.
func engines() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{"SQLite": sqliteDSN, "PostgreSQL": postgres.DSN}
}

func takeBackup(t testing.TB, s backup.Source) ([]byte, backup.Summary) {
	t.Helper()
	var b bytes.Buffer
	summary, err := backup.Write(context.Background(), s, &b, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), summary
}

// restored is a store in an empty database that was given the backup.
func restored(t testing.TB, dsn string, text []byte) *store.Store {
	t.Helper()
	s := unprepared(t, dsn)
	if _, _, err := backup.Restore(context.Background(), bytes.NewReader(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// unprepared is a store without a schema.
func unprepared(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// rowsOf are the lines of a backup that a restore must not change: all but the
// head of the directory and its change log.
func rowsOf(text []byte) (rows []string) {
	table := ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, `{"table":`) {
			table, _, _ = strings.Cut(strings.TrimPrefix(line, `{"table":"`), `"`)
		}
		if !strings.HasPrefix(line, "{") && table != "directory" && table != "changes" {
			rows = append(rows, table+" "+line)
		}
	}
	return rows
}

func TestABackupHasEveryTable(t *testing.T) {
	for name, dsn := range engines() {
		t.Run(name, func(t *testing.T) {
			at := dsn(t)
			s := storetest.Open(t, at)
			storetest.Fill(t, s)
			_, summary := takeBackup(t, s)
			tables := storetest.Tables(t, at)
			if len(tables) < 28 {
				t.Errorf("tables: got %v, want those of the whole schema", tables)
			}
			for _, table := range tables {
				if summary.Rows[table] == 0 {
					t.Errorf("%s: the backup has no row of it; is it in tables(), and does storetest.Fill put one?", table)
				}
			}
		})
	}
}

// What is restored is what was there, whichever engines it went through. Each
// round is a directory of its own; -backups=200 by hand.
func TestABackupComesBackTheSame(t *testing.T) {
	for round := range *rounds {
		s := storetest.Open(t, sqliteDSN(t))
		rapid.Custom(func(rt *rapid.T) bool { storetest.Draw(rt, s); return true }).Example(round)
		first, _ := takeBackup(t, s)
		through := []func(testing.TB) string{sqliteDSN, postgres.DSN}[round%2]
		second, _ := takeBackup(t, restored(t, through(t), first))
		third, _ := takeBackup(t, restored(t, sqliteDSN(t), second))
		if want, got := rowsOf(first), rowsOf(second); !slices.Equal(got, want) {
			t.Fatalf("round %d, restored once: %s", round, firstDifference(got, want))
		}
		if want, got := rowsOf(first), rowsOf(third); !slices.Equal(got, want) {
			t.Fatalf("round %d, restored twice: %s", round, firstDifference(got, want))
		}
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("got\n%swant\n%s", got[i], want[i])
		}
	}
	return fmt.Sprintf("got %d rows, want %d", len(got), len(want))
}

func TestEqualStatesHaveEqualBackups(t *testing.T) {
	var backups [][]byte
	for _, dsn := range engines() {
		s := storetest.Open(t, dsn(t))
		for range 2 {
			text, _ := takeBackup(t, s)
			backups = append(backups, text)
		}
	}
	if !bytes.Equal(backups[0], backups[1]) || !bytes.Equal(backups[2], backups[3]) {
		t.Error("two backups of one state differ")
	}
	if a, b := rowsOf(backups[0]), rowsOf(backups[2]); !slices.Equal(a, b) {
		t.Errorf("the engines differ: %s", firstDifference(a, b))
	}
}

func TestAGeneratedDirectoryMovesToTheOtherEngineAndBack(t *testing.T) {
	var ndjson bytes.Buffer
	if err := demo.Generate(&ndjson, demo.Size{Users: 300, Accounts: 600, Grants: 3000}, 7); err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, sqliteDSN(t))
	source := directory.Source{Name: "large.ndjson", Open: func() (io.ReadCloser, error) { return io.NopCloser(&ndjson), nil }}
	if _, err := directory.Import(t.Context(), s, directory.ImportOptions{Sources: []directory.Source{source}}); err != nil {
		t.Fatal(err)
	}
	first, summary := takeBackup(t, s)
	moved := restored(t, postgres.DSN(t), first)
	back := restored(t, sqliteDSN(t), must(takeBackup(t, moved)))
	if got, want := must(takeBackup(t, back)), first; !slices.Equal(rowsOf(got), rowsOf(want)) {
		t.Error(firstDifference(rowsOf(got), rowsOf(want)))
	}
	if got, want := exported(t, back), exported(t, s); got != want {
		t.Error("what is exported differs")
	}
	if got := summary.Total(); got < 4500 {
		t.Errorf("rows: got %d, want all", got)
	}
}

func must(text []byte, _ backup.Summary) []byte { return text }

func exported(t *testing.T, s *store.Store) string {
	t.Helper()
	var b strings.Builder
	if err := directory.Export(t.Context(), s, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A follower at the backup's head, or beyond it, forgets what it knew.
func TestARestoredDirectoryMakesFollowersForget(t *testing.T) {
	for name, dsn := range engines() {
		t.Run(name, func(t *testing.T) {
			s := storetest.Open(t, sqliteDSN(t))
			storetest.Fill(t, s)
			text, summary := takeBackup(t, s)
			again := restored(t, dsn(t), text)
			id, err := again.DirectoryID(t.Context())
			if err != nil || id != summary.Directory {
				t.Errorf("directory: got %s, %v, want %s", id, err, summary.Directory)
			}
			for after, lost := range map[authz.Point]bool{
				{}: false, pointOf(t, s): false, {Revision: summary.Revision, Stamp: 1}: true,
				{Revision: summary.Revision + 1, Stamp: 1}: true, {Revision: summary.Revision + 5, Stamp: 1}: true,
			} {
				changes, err := again.Changes(t.Context(), after, 0)
				if err != nil || !changes.Reset || changes.Lost != lost || changes.Head.Revision != summary.Revision+1 || changes.Head.Stamp == 0 {
					t.Errorf("after %d: got %+v, %v, want a reset at %d, lost %v", after, changes, err, summary.Revision+1, lost)
				}
			}
			if err := again.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func pointOf(t *testing.T, s *store.Store) authz.Point {
	t.Helper()
	changes, err := s.Changes(t.Context(), authz.Point{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return changes.Head
}

// A backup of the first schema becomes what the migration makes of the database
// that it was taken from.
func TestABackupOfAnOlderSchemaIsMigrated(t *testing.T) {
	for from, source := range engines() {
		_, old := storetest.Old(t, source)
		text, summary := takeBackup(t, unprepared(t, old))
		if summary.Schema != 1 || summary.Rows["memberships"] == 0 {
			t.Fatalf("%s: got %+v, want a backup of the first schema", from, summary)
		}
		want, _ := takeBackup(t, storetest.Open(t, old))
		for to, dsn := range engines() {
			t.Run(from+" to "+to, func(t *testing.T) {
				s := restored(t, dsn(t), text)
				if got, _ := takeBackup(t, s); !slices.Equal(rowsOf(got), rowsOf(want)) {
					t.Error(firstDifference(rowsOf(got), rowsOf(want)))
				}
				if got := pointOf(t, s); got.Revision != summary.Revision+1 {
					t.Errorf("got revision %d, want %d, the next one", got.Revision, summary.Revision+1)
				}
				if lines := found(t, s); lines != nil {
					t.Errorf("got drift %q", lines)
				}
				prepared := storetest.Open(t, dsn(t))
				_, _, err := backup.Restore(t.Context(), bytes.NewReader(text), prepared)
				if !errors.Is(err, authz.ErrConflict) || !strings.Contains(err.Error(), "without a schema") {
					t.Errorf("into a newer schema: got %v, want it refused", err)
				}
			})
		}
	}
}

func TestWhatARestoreRefuses(t *testing.T) {
	source := storetest.Open(t, sqliteDSN(t))
	storetest.Fill(t, source)
	whole, summary := takeBackup(t, source)
	changed := bytes.Replace(whole, []byte("Acme South"), []byte("Acme Sauth"), 1)
	newer := signed(t, strings.Replace(string(whole), fmt.Sprintf(`"schema":%d`, summary.Schema), `"schema":9999`, 1))
	stranger := signed(t, strings.ReplaceAll(string(whole), `"tools"`, `"tolls"`))
	for name, dsn := range engines() {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				name string
				text []byte
				kind error
				says string
			}{
				{"nothing", nil, authz.ErrInvalid, "damaged at line 1"},
				{"another file", []byte("{\"type\":\"user\"}\n"), authz.ErrInvalid, "no backup of Postern"},
				{"another format", bytes.Replace(whole, []byte(`"postern_backup":1`), []byte(`"postern_backup":2`), 1), authz.ErrInvalid, "format 2"},
				{"one that was cut off in a row", whole[:len(whole)/2], authz.ErrInvalid, "cut off"},
				{"one that was cut off after a row", whole[:bytes.LastIndex(whole[:len(whole)-2], []byte("\n"))+1], authz.ErrInvalid, "cut off"},
				{"one in which a letter was changed", changed, authz.ErrInvalid, "SHA-256"},
				{"one with something after its end", append(bytes.Clone(whole), "[]\n"...), authz.ErrInvalid, "follows its last line"},
				{"a newer schema", newer, authz.ErrConflict, "9999"},
				{"a table that nobody knows", stranger, authz.ErrConflict, "table tolls"},
			} {
				t.Run(c.name, func(t *testing.T) {
					s := storetest.Open(t, dsn(t))
					_, _, err := backup.Restore(t.Context(), bytes.NewReader(c.text), s)
					if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
						t.Errorf("got %v, want it to say %q", err, c.says)
					}
					if revision, err := s.Revision(t.Context()); revision != 0 || err != nil {
						t.Errorf("something was written: revision %d, %v", revision, err)
					}
				})
			}
			t.Run("a directory that is not empty", func(t *testing.T) {
				s := restored(t, dsn(t), whole)
				_, _, err := backup.Restore(t.Context(), bytes.NewReader(whole), s)
				if !errors.Is(err, authz.ErrConflict) || !strings.Contains(err.Error(), "is not empty: organizations") {
					t.Errorf("got %v, want it to say what is there", err)
				}
			})
		})
	}
}

// signed has the SHA-256 that its last line wants, as somebody would make it who
// changed a backup on purpose.
func signed(t *testing.T, text string) []byte {
	t.Helper()
	end := strings.LastIndex(text, `{"end":`)
	before, _, found := strings.Cut(text[end:], `"sha256":"`)
	if !found {
		t.Fatal("the backup has no SHA-256")
	}
	return fmt.Appendf(nil, "%s%s\"sha256\":\"%x\"}\n", text[:end], before, sha256.Sum256([]byte(text[:end])))
}

func TestABackupFileIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.backup")
	s := storetest.Open(t, sqliteDSN(t))
	storetest.Fill(t, s)
	if _, err := backup.WriteFile(t.Context(), s, path, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file of mode 0600", info, err)
	}
	before, _ := os.ReadFile(path)
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := backup.WriteFile(ended, s, path, time.Unix(2, 0)); err == nil {
		t.Error("got no error of a backup that was ended")
	}
	after, err := os.ReadFile(path)
	files, _ := os.ReadDir(dir)
	if err != nil || !bytes.Equal(before, after) || len(files) != 1 {
		t.Errorf("afterwards: %v, equal %v, %d files, want the old backup alone", err, bytes.Equal(before, after), len(files))
	}
}
