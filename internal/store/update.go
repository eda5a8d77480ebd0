package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Update runs fn in one transaction and returns the revision it made, or the
// current one if it changed nothing. See directory.Store. Updates run one after
// the other: the revision is counted up first, and its row stays locked until
// the commit. An Update inside another's fn would wait for itself.
//
// When the commit fails with pap.ErrOutcomeUnknown it may have been kept after
// all; as putting a record again changes nothing, the whole Update may be repeated.
func (s *Store) Update(ctx context.Context, fn func(directory.Tx) error) (authz.Revision, error) {
	return s.write(ctx, func(t *tx) error {
		if err := t.unhurried(); err != nil {
			return err
		}
		return fn(t)
	})
}

// write runs fn in a transaction that stands in line with all others that write.
func (s *Store) write(ctx context.Context, fn func(*tx) error) (authz.Revision, error) {
	revision, err := s.writeOnce(ctx, fn)
	return revision, s.metrics.seen("write", err)
}

func (s *Store) writeOnce(ctx context.Context, fn func(*tx) error) (authz.Revision, error) {
	db, err := s.transaction(ctx, s.writer, nil)
	if err != nil {
		return 0, fmt.Errorf("begin to write: %w", err)
	}
	defer db.Rollback() //nolint:errcheck // after Commit it does nothing, and before it nothing is kept either way
	t, err := s.begin(ctx, db)
	if err != nil {
		return 0, err
	}
	if err := fn(t); err != nil {
		return 0, err
	}
	if err := t.finish(s.keep); err != nil {
		return 0, err
	}
	if !t.changed {
		return t.revision - 1, nil
	}
	if err := t.tell(); err != nil {
		return 0, err
	}
	if err := s.place.check(); err != nil {
		return 0, err
	}
	if err := db.Commit(); err != nil {
		return 0, fmt.Errorf("commit revision %d: %w", t.revision, s.dialect.uncommitted(err))
	}
	return t.revision, nil
}

// tell has those who listen hear of the revision once it is committed.
func (t *tx) tell() error {
	if t.dialect.notify == "" {
		return nil
	}
	if _, err := t.tx.ExecContext(t.ctx, t.dialect.notify, strconv.FormatUint(uint64(t.revision), 10)); err != nil {
		return fmt.Errorf("tell of revision %d: %w", t.revision, t.dialect.classify(err))
	}
	return nil
}

func (s *Store) begin(ctx context.Context, db *sql.Tx) (*tx, error) {
	var revision int64
	const bump = "UPDATE directory SET revision = revision + 1 RETURNING revision"
	if err := db.QueryRowContext(ctx, bump).Scan(&revision); err != nil {
		return nil, fmt.Errorf("count the revision: %w", s.dialect.classify(err))
	}
	return &tx{
		queryer:  queryer{ctx: ctx, tx: db, dialect: s.dialect},
		now:      s.milliseconds(),
		clock:    s.milliseconds,
		revision: authz.Revision(revision),
	}, nil
}

// flushAt is how many records are kept back before they are written: enough to
// make what a statement costs small beside what its rows cost.
const flushAt = 4000

// A tx keeps records back by kind and writes them many at a time, a kind after
// those it refers to. Records of one kind are written in the order they were
// put. It belongs to one goroutine.
type tx struct {
	queryer
	now      int64        // of the whole transaction, in ms
	clock    func() int64 // in ms
	revision authz.Revision
	changed  bool
	dirty    dirtyKeys
	untimed  bool  // the schema is one that does not keep when a revision was written
	err      error // the first failure of a statement; nothing can follow it
	held     int   // records, and accounts of account groups, kept back

	roles         buffer[directory.Role]
	tools         buffer[directory.Tool]
	organizations buffer[directory.Organization]
	companies     buffer[directory.Company]
	accounts      buffer[directory.Account]
	accountGroups buffer[directory.AccountGroup]
	users         buffer[directory.User]
	memberships   buffer[directory.Membership]
	grants        buffer[directory.GrantRecord]

	enclosed []directory.Account // accounts that lie in others, to be checked at the end
}

var _ directory.Tx = (*tx)(nil)

// A buffer keeps records of one kind back. No two of them are about the same
// thing, so the order within a statement does not matter.
type buffer[T any] struct {
	records []T
	keys    map[string]struct{}
}

func (b *buffer[T]) has(keys []string) bool {
	for _, key := range keys {
		if _, ok := b.keys[key]; ok {
			return true
		}
	}
	return false
}

func (b *buffer[T]) add(record T, keys []string) {
	if b.keys == nil {
		b.keys = make(map[string]struct{}, flushAt)
	}
	b.records = append(b.records, record)
	for _, key := range keys {
		b.keys[key] = struct{}{}
	}
}

// take empties the buffer. The records are valid until the next add.
func (b *buffer[T]) take() []T {
	records := b.records
	b.records = b.records[:0]
	clear(b.keys)
	return records
}

// put keeps a record back that weighs so many and is found by keys.
func put[T any](t *tx, b *buffer[T], record T, weight int, keys ...string) error {
	if t.err != nil {
		return t.err
	}
	if b.has(keys) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	b.add(record, keys)
	if t.held += weight; t.held >= flushAt {
		return t.flush()
	}
	return nil
}

// flush writes what was kept back.
func (t *tx) flush() error {
	t.held = 0
	for _, write := range []func() error{
		t.writeRoles, t.writeTools, t.writeOrganizations, t.writeCompanies, t.writeAccounts,
		t.writeAccountGroups, t.writeUsers, t.writeMemberships, t.writeGrants,
	} {
		if t.err == nil {
			t.err = write()
		}
	}
	return t.err
}

// finish writes everything that is left, and the change log.
func (t *tx) finish(keep int) error {
	if t.err != nil {
		return t.err
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.checkEnclosed(); err != nil {
		return err
	}
	if !t.changed {
		return nil
	}
	return t.logChanges(keep)
}
