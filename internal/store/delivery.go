package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
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

// MessageDelivered ends a message well. Of the mail of an invitation the
// invitation says so too. It makes no revision. An unknown message is of kind
// authz.ErrNotFound.
func (s *Store) MessageDelivered(ctx context.Context, id string, at time.Time) error {
	return s.endMessage(ctx, id, "sent", "", `
		UPDATE outbox SET delivered_at = $1, locked_until = NULL, last_error = NULL
		WHERE id = $2 AND delivered_at IS NULL AND failed_at IS NULL`, at.UnixMilli(), id)
}

// reasonObsolete is why a mail is not sent whose invitation was sent again or
// revoked: that says nothing about the invitation as it is now.
const reasonObsolete = "obsolete"

// MessageFailed frees a message to be tried again from retryAt or, if final,
// gives it up as of then. Of the mail of an invitation that is given up the
// invitation says so too, unless the mail is merely obsolete. It makes no
// revision. An unknown message is of kind authz.ErrNotFound.
func (s *Store) MessageFailed(ctx context.Context, id, reason string, retryAt time.Time, final bool) error {
	if !final {
		return s.endMessage(ctx, id, "", "", `
			UPDATE outbox SET available_at = $1, locked_until = NULL, last_error = $3
			WHERE id = $2 AND delivered_at IS NULL AND failed_at IS NULL`, retryAt.UnixMilli(), id, reason)
	}
	delivery := "failed"
	if reason == reasonObsolete {
		delivery = ""
	}
	return s.endMessage(ctx, id, delivery, reason, `
		UPDATE outbox SET failed_at = $1, locked_until = NULL, last_error = $3
		WHERE id = $2 AND delivered_at IS NULL AND failed_at IS NULL`, retryAt.UnixMilli(), id, reason)
}

// endMessage writes what became of an attempt, and into the invitation what
// became of its mail, if that is to be said.
func (s *Store) endMessage(ctx context.Context, id, delivery, reason, query string, arguments ...any) error {
	err := s.deliver(ctx, func(q queryer) error {
		m, err := readerOf(q, 0).Message(id)
		if err != nil {
			return err
		}
		mail, tells := invitationMail(m)
		if tells = tells && delivery != ""; tells {
			// A change that has read the invitation writes all of it back.
			if _, err := q.run(`UPDATE directory SET revision = revision`); err != nil {
				return err
			}
		}
		n, err := q.run(query, arguments...)
		if err != nil || n == 0 || !tells {
			return err
		}
		_, err = q.run(`UPDATE invitations SET delivery = $1, delivery_reason = $2 WHERE id = $3 AND generation = $4`,
			delivery, optional(reason), mail.About, mail.Generation)
		return err
	})
	if err != nil {
		return fmt.Errorf("end the attempt to deliver %s: %w", id, err)
	}
	return nil
}

// invitationMail is the mail that a message is, if that carries an invitation.
func invitationMail(m pap.Message) (mail pap.Mail, ok bool) {
	if m.Channel != pap.ChannelMail || m.Type != pap.MailInvitation {
		return mail, false
	}
	return mail, json.Unmarshal(m.Payload, &mail) == nil
}

// DisableWebhook keeps further events from a webhook whose receiver is gone. It
// makes no revision. An unknown webhook is of kind authz.ErrNotFound.
func (s *Store) DisableWebhook(ctx context.Context, id string) error {
	err := s.deliver(ctx, func(q queryer) error {
		n, err := q.run(`UPDATE webhooks SET state = 'disabled' WHERE id = $1`, id)
		if err == nil && n == 0 {
			err = authz.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("disable webhook %s: %w", id, err)
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
	db, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to write: %w", s.dialect.classify(err))
	}
	defer db.Rollback() //nolint:errcheck // after Commit it does nothing, and before it nothing is kept either way
	if err := fn(queryer{ctx: ctx, tx: db, dialect: s.dialect}); err != nil {
		return err
	}
	return s.dialect.classify(db.Commit())
}
