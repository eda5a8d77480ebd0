package store

import (
	"database/sql"

	"github.com/postern-authz/postern/internal/pap"
)

const selectEvents = `
	SELECT organization_id, sequence, id, revision, at, type, target, actor, before, after, COALESCE(decision_id, ''),
		COALESCE(request_id, ''), COALESCE(acknowledgement, ''), previous_hash, hash
	FROM audit_events`

// readEvent gives back exactly what was sealed.
func readEvent(row *sql.Rows) (e pap.Event, err error) {
	var at *int64
	err = scan(row, &e.Organization, &e.Sequence, &e.ID, &e.Revision, &at, &e.Type, &e.Target, kept{&e.Actor}, raw{&e.Before}, raw{&e.After},
		&e.Decision, &e.RequestID, &e.Acknowledgement, &e.PreviousHash, &e.Hash)
	e.At = instant(at)
	if len(e.PreviousHash) == 0 {
		e.PreviousHash = nil
	}
	return e, err
}

func (r reader) LastEvent(organization string) (pap.Event, error) {
	const query = selectEvents + ` WHERE organization_id = $1 ORDER BY sequence DESC LIMIT 1`
	found, err := list(r, readEvent, query, organization)
	if err != nil || len(found) == 0 {
		return pap.Event{}, err
	}
	return found[0], nil
}

// Events are those from Since on and before Until.
func (r reader) Events(q pap.EventQuery) ([]pap.Event, error) {
	w, order := &where{}, "sequence"
	w.is("organization_id = ?", q.Organization)
	w.text("type = ?", q.Type)
	w.text("actor_id = ?", q.Actor)
	w.text("target = ?", q.Target)
	w.at("at >= ?", q.Since)
	w.at("at < ?", q.Until)
	switch {
	case q.Newest && q.After > 0:
		w.is("sequence < ?", q.After)
	case !q.Newest:
		w.is("sequence > ?", q.After)
	}
	if q.Newest {
		order = "sequence DESC"
	}
	query := selectEvents + w.sql(order, q.Limit)
	return list(r, readEvent, query, w.arguments...)
}

// PutEvent adds a row; there is no way to change one.
func (c change) PutEvent(e pap.Event) error {
	const query = `
		INSERT INTO audit_events (organization_id, sequence, id, revision, at, type, target, actor, actor_id, before, after,
			decision_id, request_id, acknowledgement, previous_hash, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	_, err := c.run(query, e.Organization, e.Sequence, e.ID, int64(e.Revision), e.At.UnixMilli(), e.Type, e.Target, kept{e.Actor}, e.Actor.ID,
		verbatim(e.Before), verbatim(e.After), optional(e.Decision), optional(e.RequestID), optional(e.Acknowledgement),
		append([]byte{}, e.PreviousHash...), e.Hash)
	return err
}
