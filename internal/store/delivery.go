package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// ClaimMessages takes up to limit messages of a channel that are due and that
// nobody else has claimed, and counts the attempt. They are nobody else's until
// now and lock. They come by revision; of the messages to one webhook only the
// oldest that waits is ever taken, so none overtakes another.
func (s *Store) ClaimMessages(ctx context.Context, channel string, now time.Time, lock time.Duration, limit int) ([]pap.Message, error) {
	var claimed []pap.Message
	err := s.deliver(ctx, func(q queryer) error {
		return q.all(claim, func(row *sql.Rows) error {
			m, err := readMessage(row)
			claimed = append(claimed, m)
			return err
		}, channel, now.UnixMilli(), now.Add(lock).UnixMilli(), atMost(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	slices.SortFunc(claimed, func(a, b pap.Message) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.ID, b.ID))
	})
	return claimed, nil
}

// The first that waits for each webhook is found by index, however many wait
// behind it.
const claim = `
	WITH due AS MATERIALIZED (
		SELECT o.id AS due_id FROM outbox o
		WHERE o.channel = $1 AND ` + waiting + ` AND o.available_at <= $2 AND (o.locked_until IS NULL OR o.locked_until <= $2)
		AND (o.channel <> 'webhook' OR o.id IN (
			SELECT (SELECT h.id FROM outbox h WHERE h.recipient = w.id AND h.delivered_at IS NULL AND h.failed_at IS NULL
				ORDER BY h.revision, h.id LIMIT 1) FROM webhooks w))
		ORDER BY o.revision, o.id LIMIT $4 {skip locked}
	)
	UPDATE outbox SET locked_until = $3, attempts = attempts + 1 FROM due WHERE id = due_id RETURNING ` + messageColumns

// MessageDelivered ends a message well. It makes no revision. An unknown message
// is of kind authz.ErrNotFound.
func (s *Store) MessageDelivered(ctx context.Context, id string, at time.Time) error {
	return s.endAttempt(ctx, id, `delivered_at = $1, last_error = NULL`, at.UnixMilli(), id)
}

// MessageFailed frees a message to be tried again from retryAt or, if final,
// gives it up as of then. It makes no revision. An unknown message is of kind
// authz.ErrNotFound.
func (s *Store) MessageFailed(ctx context.Context, id, reason string, retryAt time.Time, final bool) error {
	column := "available_at"
	if final {
		column = "failed_at"
	}
	return s.endAttempt(ctx, id, column+` = $1, last_error = $3`, retryAt.UnixMilli(), id, reason)
}

// endAttempt writes what became of an attempt, unless the message has ended.
func (s *Store) endAttempt(ctx context.Context, id, set string, arguments ...any) error {
	err := s.deliver(ctx, func(q queryer) error {
		if _, err := readerOf(q, 0).Message(id); err != nil {
			return err
		}
		_, err := q.run(`UPDATE outbox SET locked_until = NULL, `+set+`
			WHERE id = $2 AND delivered_at IS NULL AND failed_at IS NULL`, arguments...)
		return err
	})
	if err != nil {
		return fmt.Errorf("end the attempt to deliver %s: %w", id, err)
	}
	return nil
}

// OutboxDepth is what waits to be delivered, by channel; a channel on which
// nothing waits is missing.
func (s *Store) OutboxDepth(ctx context.Context) (map[string]pap.Backlog, error) {
	depth := map[string]pap.Backlog{}
	err := s.snapshot(ctx, func(q queryer) error {
		query := `SELECT o.channel, count(*), min(o.created_at) FROM outbox o WHERE ` + waiting + ` GROUP BY o.channel`
		return q.all(query, func(row *sql.Rows) error {
			var channel string
			var b pap.Backlog
			var oldest *int64
			err := scan(row, &channel, &b.Waiting, &oldest)
			b.Oldest = instant(oldest)
			depth[channel] = b
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the backlog: %w", err)
	}
	return depth, nil
}

// deliver runs fn in a transaction that writes and makes no revision.
func (s *Store) deliver(ctx context.Context, fn func(queryer) error) error {
	db, err := s.transaction(ctx, s.writer, nil)
	if err != nil {
		return fmt.Errorf("begin to write: %w", s.metrics.seen("write", err))
	}
	defer db.Rollback() //nolint:errcheck // after Commit it does nothing, and before it nothing is kept either way
	if err := fn(queryer{ctx: ctx, tx: db, dialect: s.dialect}); err != nil {
		return s.metrics.seen("write", err)
	}
	return s.metrics.seen("write", s.dialect.classify(db.Commit()))
}
