package directory

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// A Source is one file of records.
type Source struct {
	Name string // in messages
	CSV  bool   // else NDJSON
	Type string // of the records of a CSV file that has no column "type"
	Size int64  // in bytes; 0: unknown
	Open func() (io.ReadCloser, error)
}

// Sources are the files that the arguments of a command name, in their order:
// a file ending in .csv is CSV, any other NDJSON; "-" is NDJSON on stdin; a
// directory stands for its files *.ndjson and *.csv, ordered by the type their
// name begins with (organizations.ndjson before accounts-2.csv), then by name.
// Files whose name begins with no type come first.
func Sources(args []string, stdin io.Reader) ([]Source, error) {
	var sources []Source
	var faults []error
	for _, arg := range args {
		found, err := sourcesOf(arg, stdin)
		sources, faults = append(sources, found...), append(faults, err)
	}
	return sources, errors.Join(faults...)
}

func sourcesOf(arg string, stdin io.Reader) ([]Source, error) {
	if arg == "-" {
		open := func() (io.ReadCloser, error) { return io.NopCloser(stdin), nil }
		return []Source{{Name: "stdin", Open: open}}, nil
	}
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		return nil, unreadable(err)
	case info.IsDir():
		return folder(arg)
	}
	return []Source{file(arg, info)}, nil
}

func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", err, authz.ErrNotFound)
	}
	return err
}

func file(path string, info fs.FileInfo) Source {
	return Source{
		Name: path,
		CSV:  strings.EqualFold(filepath.Ext(path), ".csv"),
		Type: typeOf(path),
		Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(path) },
	}
}

func folder(path string) ([]Source, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var sources []Source
	for _, entry := range entries {
		extension := strings.ToLower(filepath.Ext(entry.Name()))
		if extension != ".csv" && extension != ".ndjson" {
			continue
		}
		found, err := sourcesOf(filepath.Join(path, entry.Name()), nil)
		if err != nil {
			return nil, err
		}
		sources = append(sources, found...)
	}
	slices.SortStableFunc(sources, byType)
	if len(sources) == 0 {
		return nil, fmt.Errorf("%s holds no *.ndjson and no *.csv: %w", path, authz.ErrNotFound)
	}
	return sources, nil
}

func byType(a, b Source) int { return cmp.Compare(rank(a.Type), rank(b.Type)) }

// rank is the place of a type in the order of dependency; -1 for no type.
func rank(name string) int {
	return slices.IndexFunc(recordTypes(), func(t recordType) bool { return t.name == name })
}

// typeOf is the type that a file's name begins with in the plural, or none. The
// longest counts: account_groups.csv is not of accounts.
func typeOf(path string) string {
	base := filepath.Base(path)
	best, found := 0, ""
	for _, t := range recordTypes() {
		rest, ok := strings.CutPrefix(base, t.plural)
		if ok && len(t.plural) > best && (rest == "" || !alphanumeric(rest[0])) {
			best, found = len(t.plural), t.name
		}
	}
	return found
}
