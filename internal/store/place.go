package store

import (
	"fmt"
	"os"

	"github.com/postern-authz/postern/internal/authz"
)

// A place is where an SQLite file was opened. A file that is moved away or
// replaced stays open: what is read from it is old, and what is written is lost.
type place struct {
	path string
	file os.FileInfo // nil: there is no file to watch
}

func placeOf(path string) (place, error) {
	file, err := os.Stat(path)
	if err != nil {
		return place{}, fmt.Errorf("open the database file: %w", err)
	}
	return place{path, file}, nil
}

// check wants the file that is open under its name. It costs a system call.
func (p place) check() error {
	if p.file == nil {
		return nil
	}
	now, err := os.Stat(p.path)
	if err == nil && os.SameFile(p.file, now) {
		return nil
	}
	return fmt.Errorf("the database file %s was moved away or replaced while it was open; put it back, or restart the server to work with what is there now: %w", p.path, authz.ErrUnavailable)
}
