package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

const (
	// maxDirty is how many keys one transaction lists; one that changes more
	// tells followers to forget everything, which costs them less.
	maxDirty = 1000
	// maxChanges is how many entries a follower is given at once, likewise.
	maxChanges = 10_000
	// pruneEvery is how many revisions pass between prunings of the log.
	pruneEvery = 256
	// kindReset marks the one entry of a transaction that changed too much.
	kindReset authz.Kind = "reset"
	// kindStamp marks the first entry of every transaction: its stamp.
	kindStamp authz.Kind = "stamp"
)

// dirtyKeys are the keys whose documents a transaction changed.
type dirtyKeys struct {
	keys     map[authz.Key]struct{}
	overflow bool
}

func (d *dirtyKeys) mark(kind authz.Kind, id string) {
	if d.overflow {
		return
	}
	if d.keys == nil {
		d.keys = make(map[authz.Key]struct{})
	}
	d.keys[authz.Key{Kind: kind, ID: id}] = struct{}{}
	if len(d.keys) > maxDirty {
		d.overflow, d.keys = true, nil
	}
}

// entries are the marked keys in a stable order.
func (d *dirtyKeys) entries() []authz.Key {
	if d.overflow {
		return []authz.Key{{Kind: kindReset}}
	}
	keys := make([]authz.Key, 0, len(d.keys))
	for key := range d.keys {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b authz.Key) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return keys
}

func (t *tx) logChanges(keep int) error {
	var rows rowset
	rows.add(int64(t.revision), 0, string(kindStamp), formatStamp(newStamp()), t.clock())
	for i, key := range t.dirty.entries() {
		rows.add(int64(t.revision), i+1, string(key.Kind), key.ID)
	}
	columns, values := "revision, seq, kind, key", "CAST(value->>0 AS BIGINT), CAST(value->>1 AS BIGINT), value->>2, value->>3"
	if !t.untimed {
		columns, values = columns+", written_at", values+", CAST(value->>4 AS BIGINT)"
	}
	if err := t.exec(`INSERT INTO changes (`+columns+`) SELECT `+values+` FROM {rows}`, &rows); err != nil {
		return fmt.Errorf("log the changes: %w", err)
	}
	if t.revision%pruneEvery != 0 {
		return nil
	}
	return t.prune(keep)
}

// newStamp draws a number that is not 0, which means that a stamp is not known.
func newStamp() uint64 { return rand.Uint64N(math.MaxUint64) + 1 }

func formatStamp(stamp uint64) string { return strconv.FormatUint(stamp, 16) }

// parseStamp reads a stamp. A revision that an older Postern made has none.
func parseStamp(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	return strconv.ParseUint(text, 16, 64)
}

// prune forgets the oldest revisions of the log but keeps at least so many
// entries, and remembers how far back the log reaches now.
func (t *tx) prune(keep int) error {
	const raise = `
		UPDATE directory SET change_floor = oldest.floor FROM (
			SELECT revision AS floor FROM changes ORDER BY revision DESC, seq DESC LIMIT 1 OFFSET $1
		) oldest`
	const forget = `DELETE FROM changes WHERE revision <= (SELECT change_floor FROM directory)`
	_, err := t.tx.ExecContext(t.ctx, t.dialect.sql(raise), keep)
	if err == nil {
		_, err = t.tx.ExecContext(t.ctx, forget)
	}
	if err != nil {
		return fmt.Errorf("prune the change log: %w", t.dialect.classify(err))
	}
	return nil
}

// headStamp is the stamp of the revision that the directory d is at.
const headStamp = `COALESCE((SELECT key FROM changes WHERE revision = d.revision AND seq = 0 AND kind = 'stamp'), '')`

// Changes returns what changed after a point, in the order it did. It never
// waits, and it has a connection of its own: however busy the others are, a
// follower learns what changed. Reset comes instead of keys when the log no
// longer reaches back to the point, when too much changed to be listed, and
// when this directory never was at that point: it has lost what came before it.
// A point whose stamp is 0 is not checked.
func (s *Store) Changes(ctx context.Context, after authz.Point, _ time.Duration) (authz.Changes, error) {
	if s.look > 0 {
		limited, stop := context.WithTimeout(ctx, s.look)
		defer stop()
		ctx = limited
	}
	changes, err := s.changes(ctx, s.follow, after)
	return changes, s.metrics.seen("changes", err)
}

// maxTold is how many others look at the change log at once.
const maxTold = 2

// Tell is Changes for servers that follow this one. They have a few of the
// connections that read, and not the follower's: however many they are, and
// whatever they ask, this server learns what changed.
func (s *Store) Tell(ctx context.Context, after authz.Point) (authz.Changes, error) {
	select {
	case s.told <- struct{}{}:
		defer func() { <-s.told }()
	case <-ctx.Done():
		return authz.Changes{}, fmt.Errorf("wait to read the change log: %w: %w", context.Cause(ctx), authz.ErrUnavailable)
	}
	changes, err := s.changes(ctx, s.reader, after)
	return changes, s.metrics.seen("changes", err)
}

func (s *Store) changes(ctx context.Context, from *sql.DB, after authz.Point) (authz.Changes, error) {
	if err := s.place.check(); err != nil {
		return authz.Changes{}, err
	}
	// One statement reads one state, so head and entries belong together.
	const query = `
		SELECT d.revision, ` + headStamp + `, d.change_floor, COALESCE(c.revision, 0), COALESCE(c.kind, ''), COALESCE(c.key, ''), c.written_at
		FROM directory d LEFT JOIN changes c ON c.revision >= $1 AND d.change_floor <= $1
		ORDER BY c.revision, c.seq LIMIT $2`
	result, err := from.QueryContext(ctx, s.dialect.sql(query), int64(after.Revision), maxChanges+1)
	if err != nil {
		return authz.Changes{}, fmt.Errorf("read the change log: %w", s.dialect.classify(err))
	}
	defer result.Close() //nolint:errcheck // Err below says the same
	changes, err := readChanges(result, after)
	if err == nil {
		err = s.dialect.classify(result.Err())
	}
	if err != nil {
		return authz.Changes{}, fmt.Errorf("read the change log: %w", err)
	}
	return changes, nil
}

// An entry is a row of the change log, with the directory it is of.
type entry struct {
	head  authz.Point
	floor authz.Revision
	authz.Change
	written time.Time // zero: not known
}

func readChanges(result *sql.Rows, after authz.Point) (authz.Changes, error) {
	var changes authz.Changes
	verified := after.Stamp == 0
	for rows := 0; result.Next(); rows++ {
		e, err := scanEntry(result)
		if err != nil {
			return authz.Changes{}, err
		}
		reset := authz.Changes{Head: e.head, Reset: true}
		switch {
		case after.Revision > e.head.Revision:
			reset.Lost = true
			return reset, nil
		case after.Revision < e.floor || rows == maxChanges || e.Revision > after.Revision && e.Key.Kind == kindReset:
			return reset, nil
		case e.Revision == after.Revision && e.Key.Kind == kindStamp && !verified:
			if verified = e.Key.ID == formatStamp(after.Stamp); !verified {
				reset.Lost = true
				return reset, nil
			}
		}
		changes.Head = e.head
		if err := add(&changes, e, after.Revision); err != nil {
			return authz.Changes{}, err
		}
	}
	return settle(changes, verified), nil
}

func scanEntry(row *sql.Rows) (e entry, err error) {
	var stamp string
	var written *int64
	if err := scan(row, &e.head.Revision, &stamp, &e.floor, &e.Revision, &e.Key.Kind, &e.Key.ID, &written); err != nil {
		return e, err
	}
	e.written = instant(written)
	e.head.Stamp, err = parseStamp(stamp)
	return e, err
}

// add notes an entry made after a revision. The first entry of a revision is
// its stamp, if it has one, with when it was written.
func add(c *authz.Changes, entry entry, after authz.Revision) (err error) {
	if entry.Revision <= after {
		return nil
	}
	if len(c.Points) == 0 {
		c.WrittenAt = entry.written
	}
	if n := len(c.Points); n == 0 || c.Points[n-1].Revision < entry.Revision {
		c.Points = append(c.Points, authz.Point{Revision: entry.Revision})
	}
	if entry.Key.Kind != kindStamp {
		c.Keys = append(c.Keys, entry.Change)
		return nil
	}
	c.Points[len(c.Points)-1].Stamp, err = parseStamp(entry.Key.ID)
	return err
}

// settle ends a look. A point that could not be verified, because the log was
// cut right behind it, is as good as forgotten.
func settle(c authz.Changes, verified bool) authz.Changes {
	if !verified {
		return authz.Changes{Head: c.Head, Reset: true}
	}
	if n := len(c.Points); n > 0 && c.Points[n-1].Revision < c.Head.Revision {
		c.Points = append(c.Points, c.Head)
	}
	return c
}
