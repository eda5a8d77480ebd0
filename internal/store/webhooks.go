package store

import (
	"database/sql"

	"github.com/postern-authz/postern/internal/pap"
)

const selectWebhooks = `
	SELECT id, organization_id, url, events, state, generation, previous_until, created_at, changed_revision FROM webhooks`

func readWebhook(row *sql.Rows) (w pap.Webhook, err error) {
	var previous, created *int64
	err = scan(row, &w.ID, &w.Organization, &w.URL, kept{&w.Events}, &w.State, &w.Generation, &previous, &created, &w.Revision)
	w.PreviousUntil, w.CreatedAt = moment(previous), instant(created)
	return w, err
}

func (r reader) Webhook(id string) (pap.Webhook, error) {
	return one(r, "webhook "+id, readWebhook, selectWebhooks+` WHERE id = $1`, id)
}

// Webhooks are those of exactly that organization, oldest first.
func (r reader) Webhooks(organization string) ([]pap.Webhook, error) {
	return list(r, readWebhook, selectWebhooks+` WHERE organization_id = $1 ORDER BY created_at, id`, organization)
}

func (c change) PutWebhook(w pap.Webhook) error {
	return c.upsert("webhooks", "id",
		column{name: "id", value: w.ID},
		column{name: "organization_id", value: w.Organization},
		column{name: "url", value: w.URL},
		column{name: "events", value: kept{append([]string{}, w.Events...)}},
		column{name: "state", value: w.State},
		column{name: "generation", value: w.Generation},
		column{name: "previous_until", value: when(w.PreviousUntil)},
		column{name: "created_at", value: w.CreatedAt.UnixMilli(), first: true},
		column{name: "changed_revision", value: int64(c.reader.revision)},
	)
}

// DeleteWebhook takes what waits to be delivered to it along.
func (c change) DeleteWebhook(id string) error {
	if _, err := c.run(`DELETE FROM outbox WHERE recipient = $1 AND channel = 'webhook'`, id); err != nil {
		return err
	}
	return c.remove("webhook", `DELETE FROM webhooks WHERE id = $1`, id)
}
