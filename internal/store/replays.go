package store

import (
	"database/sql"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

func (r reader) Replay(principal, route, key string) (pap.Replay, error) {
	const query = `
		SELECT principal, route, key, fingerprint, resource, revision, expires_at FROM replays
		WHERE principal = $1 AND route = $2 AND key = $3`
	return one(r, "idempotency key", func(row *sql.Rows) (p pap.Replay, err error) {
		var fingerprint []byte
		var expires *int64
		err = scan(row, &p.Principal, &p.Route, &p.Key, &fingerprint, &p.Resource, &p.Revision, &expires)
		copy(p.Fingerprint[:], fingerprint)
		p.ExpiresAt = instant(expires)
		return p, err
	}, query, principal, route, key)
}

func (c change) PutReplay(p pap.Replay) error {
	return c.upsert("replays", "principal, route, key",
		column{name: "principal", value: p.Principal},
		column{name: "route", value: p.Route},
		column{name: "key", value: p.Key},
		column{name: "fingerprint", value: p.Fingerprint[:]},
		column{name: "resource", value: p.Resource},
		column{name: "revision", value: int64(p.Revision)},
		column{name: "expires_at", value: p.ExpiresAt.UnixMilli()},
	)
}

const (
	// mailsCountFor is how long it is remembered that a mail went to an address.
	mailsCountFor = 24 * time.Hour
	// messagesStayFor is how long it can be seen what became of a message.
	messagesStayFor = 30 * 24 * time.Hour
)

// forget drops, now and then, what no longer counts: idempotency keys that
// expired, and mails and webhooks that were done with long ago.
func (t *tx) forget() error {
	if !t.changed || t.revision%pruneEvery != 0 {
		return nil
	}
	if _, err := t.run(`DELETE FROM replays WHERE expires_at <= $1`, t.now); err != nil {
		return err
	}
	if _, err := t.run(`DELETE FROM sent_mails WHERE sent_at <= $1`, t.now-mailsCountFor.Milliseconds()); err != nil {
		return err
	}
	_, err := t.run(`DELETE FROM outbox WHERE COALESCE(delivered_at, failed_at) <= $1`, t.now-messagesStayFor.Milliseconds())
	return err
}
