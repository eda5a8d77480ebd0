// Package backup writes one state of a whole directory as lines of JSON and
// reads it back, on whichever engine: what is damaged is refused, and memory
// does not grow with the directory.
//
// The first line is the Header. A line {"table":…,"columns":[…]} begins a table,
// each array after it is one of its rows. The last line counts the rows and has
// the SHA-256 of every byte before it.
package backup

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Format is the version of the format that is written, and the only one read.
const Format = 1

// A Header says what a backup is of.
type Header struct {
	Format    int            `json:"postern_backup"`
	Schema    int64          `json:"schema"` // version of the tables
	Directory string         `json:"directory"`
	Revision  authz.Revision `json:"revision"`
	At        time.Time      `json:"at"` // when the backup was begun, in UTC
}

// The types of columns: what an engine keeps otherwise is one of them in a
// backup. A truth is the integer 0 or 1, a time an integer of milliseconds.
const (
	Integer = "integer"
	Text    = "text"
	Bytes   = "bytes" // hexadecimal
)

// A Column is one of a table's, by name.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// A Table begins the rows of one table.
type Table struct {
	Name    string   `json:"table"`
	Columns []Column `json:"columns"`
}

// A Sink takes a backup in order: the header, then each table before its rows,
// a table after those it refers to. An error ends the backup with that error.
type Sink interface {
	Begin(Header) error
	Table(Table) error
	// Row is one row of the last table: nil, int64 or string for each column, in
	// their order. The slice is the caller's again when Row returns.
	Row(values []any) error
}

// A Source is where a backup is taken from.
type Source interface {
	// Dump hands over one unchanging state. It leaves Header.At and Format to
	// the Sink.
	Dump(ctx context.Context, to Sink) error
}

// A Target is where a backup is restored to.
type Target interface {
	// Load brings in what rows gives, all of it or, on an error, nothing, and
	// returns the revision that it made. What it refuses is of kind
	// authz.ErrConflict: a target that is not empty, or a schema it cannot make.
	Load(ctx context.Context, h Header, rows func(Sink) error) (authz.Revision, error)
}

// A Summary is what a whole backup holds.
type Summary struct {
	Header
	Rows  map[string]int64 // by table
	Bytes int64            // of the file
}

// Total is the number of all rows.
func (s Summary) Total() (sum int64) {
	for _, n := range s.Rows {
		sum += n
	}
	return sum
}

// A trailer is the last line.
type trailer struct {
	End    map[string]int64 `json:"end"`
	SHA256 string           `json:"sha256"`
}
