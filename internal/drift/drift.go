// Package drift finds where a directory is not what its records say: documents
// that differ from those worked out anew, a broken audit trail, a change log with
// holes, counts that are wrong, and what the database itself finds damaged. It
// reads one unchanging state, a page at a time, and changes nothing.
package drift

import (
	"context"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// A Source is a directory that can be looked into.
type Source interface {
	// Inspect runs fn on one unchanging state.
	Inspect(ctx context.Context, fn func(State) error) error
}

// A State is one state of a directory: its plain rows, and what decisions are
// made on.
type State interface {
	// After are rows of a table in the order of their first column, those after
	// one, at most so many.
	After(table string, columns []string, after string, limit int) ([]Row, error)
	// Of are the rows of a table whose first column is one of the values.
	Of(table string, columns []string, values []string) ([]Row, error)
	// Documents is the way by which decisions read: in the order of keys.
	Documents(keys []authz.Key) ([]authz.Document, error)
	// Log hands out the change log in order, and what the directory says of it.
	Log(fn func(Entry) error) (Log, error)
	// NextTrail is the first organization after one that has an audit trail, or
	// false. The trail of what belongs to none is the one after nothing (nil).
	NextTrail(after *string) (string, bool, error)
	Events(pap.EventQuery) ([]pap.Event, error)
	// Damages are what the database finds wrong with itself, as sentences.
	Damages(fn func(about, says string) error) error
}

// An Entry is a row of the change log.
type Entry struct {
	Revision, Seq int64
	Kind, Key     string
}

// A Log is what the directory says of its change log: it holds what came after
// the floor, up to the head.
type Log struct {
	Directory   string
	Head, Floor int64
}

// A Finding is one thing that is not as it should be.
type Finding struct {
	About string `json:"about"` // what differs: a kind and an id
	Says  string `json:"says"`
}

func (f Finding) String() string { return f.About + ": " + f.Says }

// A Trail is an audit trail that was checked. Whoever keeps its head elsewhere
// finds out when its end is cut off.
type Trail struct {
	Organization string `json:"trail"`
	Events       int64  `json:"events"`
	Head         string `json:"head"` // hash of the last event that is as it was written, in hex
}

// A Report takes what is found. Nil functions are not called.
type Report struct {
	Found func(Finding) error
	Trail func(Trail) error
}

// A Summary says what was looked at.
type Summary struct {
	Directory string         `json:"directory"`
	Revision  authz.Revision `json:"revision"`
	Documents int64          `json:"documents"`
	Entries   int64          `json:"change_log"`
	Events    int64          `json:"audit_events"`
	Findings  int64          `json:"findings"`
}

// Check looks at everything. An error says that it could not look; what it finds
// goes to the Report.
func Check(ctx context.Context, source Source, to Report) (Summary, error) {
	c := &check{report: to, seats: map[string]int64{}}
	err := source.Inspect(ctx, func(s State) error {
		c.State = s
		return inOrder(c.damages, c.log, c.places, c.users, c.memberships, c.organizations, c.trails)
	})
	if err != nil {
		return c.summary, fmt.Errorf("verify: %w", err)
	}
	return c.summary, nil
}

func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// A check is one look at a state.
type check struct {
	State
	report  Report
	summary Summary
	seats   map[string]int64 // taken, by organization: those that have members
}

// find reports a difference.
func (c *check) find(about, format string, values ...any) error {
	c.summary.Findings++
	if c.report.Found == nil {
		return nil
	}
	return c.report.Found(Finding{About: about, Says: fmt.Sprintf(format, values...)})
}

func (c *check) damages() error {
	return c.Damages(func(about, says string) error { return c.find(about, "%s", says) })
}
