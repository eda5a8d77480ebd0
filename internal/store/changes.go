package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

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
	for seq, key := range t.dirty.entries() {
		rows.add(int64(t.revision), seq, string(key.Kind), key.ID)
	}
	const insert = `
		INSERT INTO changes (revision, seq, kind, key)
		SELECT CAST(value->>0 AS BIGINT), CAST(value->>1 AS BIGINT), value->>2, value->>3 FROM {rows}`
	if err := t.exec(insert, &rows); err != nil {
		return fmt.Errorf("log the changes: %w", err)
	}
	if t.revision%pruneEvery != 0 {
		return nil
	}
	return t.prune(keep)
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

// Changes returns what changed after a revision, in the order it did. It has a
// connection of its own: however busy the others are, a follower learns what
// changed. Reset comes instead of keys when the log no longer reaches back to
// the revision, when too much changed to be listed, and when the revision is of
// a future this directory does not have: it was restored from a backup.
func (s *Store) Changes(ctx context.Context, after authz.Revision) (authz.Changes, error) {
	// One statement reads one state, so head and entries belong together.
	const query = `
		SELECT d.revision, d.change_floor, COALESCE(c.revision, 0), COALESCE(c.kind, ''), COALESCE(c.key, '')
		FROM directory d LEFT JOIN changes c ON c.revision > $1 AND d.change_floor <= $1
		ORDER BY c.revision, c.seq LIMIT $2`
	result, err := s.follow.QueryContext(ctx, s.dialect.sql(query), int64(after), maxChanges+1)
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

func readChanges(result *sql.Rows, after authz.Revision) (authz.Changes, error) {
	var changes authz.Changes
	for result.Next() {
		var floor authz.Revision
		var change authz.Change
		if err := scan(result, &changes.Head, &floor, &change.Revision, &change.Key.Kind, &change.Key.ID); err != nil {
			return authz.Changes{}, err
		}
		if after < floor || after > changes.Head || change.Key.Kind == kindReset || len(changes.Keys) == maxChanges {
			return authz.Changes{Head: changes.Head, Reset: true}, nil
		}
		if change.Revision != 0 {
			changes.Keys = append(changes.Keys, change)
		}
	}
	return changes, nil
}
