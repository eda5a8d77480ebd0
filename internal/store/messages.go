package store

import (
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

const messageColumns = `id, organization_id, revision, channel, type, recipient, payload, created_at, available_at,
	attempts, locked_until, delivered_at, failed_at, COALESCE(last_error, ''), COALESCE(traceparent, '')`

func readMessage(row *sql.Rows) (m pap.Message, err error) {
	var created, available, locked, delivered, failed *int64
	err = scan(row, &m.ID, &m.Organization, &m.Revision, &m.Channel, &m.Type, &m.Recipient, raw{&m.Payload}, &created, &available,
		&m.Attempts, &locked, &delivered, &failed, &m.LastError, &m.Traceparent)
	m.CreatedAt, m.AvailableAt = instant(created), instant(available)
	m.LockedUntil, m.DeliveredAt, m.FailedAt = moment(locked), moment(delivered), moment(failed)
	return m, err
}

func (r reader) Message(id string) (pap.Message, error) {
	return one(r, "message "+id, readMessage, `SELECT `+messageColumns+` FROM outbox o WHERE o.id = $1`, id)
}

func (r reader) Messages(q pap.MessageQuery) ([]pap.Message, error) {
	var w where
	if q.Organization != "" || q.Recipient == "" {
		w.is("o.organization_id = ?", q.Organization)
	}
	w.text("o.channel = ?", q.Channel)
	w.text("o.recipient = ?", q.Recipient)
	switch q.State {
	case "":
	case "waiting":
		w.is(waiting)
	case "delivered":
		w.is("o.delivered_at IS NOT NULL")
	case "failed":
		w.is("o.failed_at IS NOT NULL")
	default:
		return nil, fmt.Errorf("a message is waiting, delivered or failed, and not %q: %w", q.State, authz.ErrInvalid)
	}
	query := `SELECT ` + messageColumns + ` FROM outbox o` + w.page("o", q.Page)
	return list(r, readMessage, query, w.arguments...)
}

// waiting is the condition on a message that is neither delivered nor given up.
const waiting = "o.delivered_at IS NULL AND o.failed_at IS NULL"

// PutMessage counts a mail to its address from the moment it is to be sent, so
// that a burst cannot pass the limit before the first is delivered (C14).
func (c change) PutMessage(m pap.Message) error {
	err := c.upsert("outbox", "id",
		column{name: "id", value: m.ID},
		column{name: "organization_id", value: m.Organization},
		column{name: "revision", value: int64(m.Revision)},
		column{name: "channel", value: m.Channel},
		column{name: "type", value: m.Type},
		column{name: "recipient", value: m.Recipient},
		column{name: "payload", value: verbatim(m.Payload)},
		column{name: "created_at", value: m.CreatedAt.UnixMilli(), first: true},
		column{name: "available_at", value: m.AvailableAt.UnixMilli()},
		column{name: "attempts", value: m.Attempts},
		column{name: "locked_until", value: when(m.LockedUntil)},
		column{name: "delivered_at", value: when(m.DeliveredAt)},
		column{name: "failed_at", value: when(m.FailedAt)},
		column{name: "last_error", value: optional(m.LastError)},
		column{name: "traceparent", value: optional(m.Traceparent)},
	)
	if err != nil || m.Channel != pap.ChannelMail {
		return err
	}
	key, err := directory.EmailKey(m.Recipient)
	if err != nil {
		return fmt.Errorf("message %s: %w", m.ID, err)
	}
	_, err = c.run(`INSERT INTO sent_mails (email_key, sent_at, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		key, m.CreatedAt.UnixMilli(), m.ID)
	return err
}
