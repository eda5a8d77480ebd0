package pap

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/trace"
)

// A WebhookDelivery is what became of telling a webhook of one event. What was
// told is not in it: who wants to know reads the audit trail.
type WebhookDelivery struct {
	ID          string     `json:"id"` // msg_…; the header webhook-id of every attempt
	Type        string     `json:"type"`
	State       string     `json:"state"` // waiting, delivered or failed
	Attempts    int        `json:"attempts"`
	CreatedAt   time.Time  `json:"created_at"`
	NextAt      *time.Time `json:"next_at,omitempty"` // of one that waits: not before
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	FailedAt    *time.Time `json:"failed_at,omitempty"` // given up
	LastError   string     `json:"last_error,omitempty"`
}

// The states of a delivery.
const (
	DeliveryWaiting   = "waiting"
	DeliveryDelivered = "delivered"
	DeliveryFailed    = "failed"
)

func deliveryOf(m Message) WebhookDelivery {
	d := WebhookDelivery{
		ID: m.ID, Type: m.Type, State: DeliveryWaiting, Attempts: m.Attempts, CreatedAt: m.CreatedAt,
		DeliveredAt: m.DeliveredAt, FailedAt: m.FailedAt, LastError: m.LastError,
	}
	switch {
	case m.DeliveredAt != nil:
		d.State = DeliveryDelivered
	case m.FailedAt != nil:
		d.State = DeliveryFailed
	default:
		d.NextAt = &m.AvailableAt
	}
	return d
}

// Deliveries lists what a webhook was told or is to be told, newest first. An
// empty state means any.
func (p *PAP) Deliveries(ctx context.Context, call Call, organization, webhook, state string, page Page) ([]WebhookDelivery, *Cursor, error) {
	var next *Cursor
	list, err := look(ctx, p, call, func(w *work) ([]WebhookDelivery, error) {
		if err := w.authorizeOver("webhook.view", organization, webhook); err != nil {
			return nil, err
		}
		if _, err := w.webhook(organization, webhook); err != nil {
			return nil, err
		}
		if !oneOf(state, "", DeliveryWaiting, DeliveryDelivered, DeliveryFailed) {
			return nil, invalid("/state", "value", "state is waiting, delivered or failed")
		}
		found, err := w.Messages(MessageQuery{Organization: organization, Channel: ChannelWebhook, Recipient: webhook, State: state, Page: page})
		if err != nil {
			return nil, err
		}
		if len(found) > 0 && len(found) == page.Size {
			last := found[len(found)-1]
			next = &Cursor{At: last.CreatedAt, ID: last.ID}
		}
		return each(found, func(m Message) (WebhookDelivery, error) { return deliveryOf(m), nil })
	})
	return list, next, err
}

// Redeliver tells a webhook once more, under the same id, so that a receiver
// that keeps ids does nothing twice, and in the trace of who asks for it.
func (p *PAP) Redeliver(ctx context.Context, call Call, organization, webhook, id string) (WebhookDelivery, Change, error) {
	return change(ctx, p, call, func(w *work) (WebhookDelivery, string, error) {
		if err := w.authorizeOver("webhook.update", organization, webhook); err != nil {
			return WebhookDelivery{}, "", err
		}
		h, err := w.webhook(organization, webhook)
		if err != nil {
			return WebhookDelivery{}, "", err
		}
		if h.State != WebhookEnabled {
			return WebhookDelivery{}, "", conflict("webhook-disabled", "webhook %q is disabled: enable it first", webhook)
		}
		m, err := w.delivery(webhook, id)
		if err != nil {
			return WebhookDelivery{}, "", err
		}
		m.Attempts, m.AvailableAt, m.DeliveredAt, m.FailedAt, m.LastError = 0, w.now, nil, nil, ""
		m.Traceparent = trace.From(w.ctx).String()
		if err := w.tx.PutMessage(m); err != nil {
			return WebhookDelivery{}, "", err
		}
		return deliveryOf(m), id, w.note("webhook.redelivered", organization, webhook, nil, map[string]any{"delivery": id})
	}, afresh("webhook.update", organization, func(w *work, id string) (WebhookDelivery, error) {
		m, err := w.delivery(webhook, id)
		return deliveryOf(m), err
	}))
}

func (w *work) delivery(webhook, id string) (Message, error) {
	m, err := w.Message(id)
	if err == nil && (m.Channel != ChannelWebhook || m.Recipient != webhook) {
		err = authz.ErrNotFound
	}
	if errors.Is(err, authz.ErrNotFound) {
		return Message{}, notFound("delivery", id)
	}
	return m, err
}
