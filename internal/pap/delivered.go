package pap

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// What the outbox reports is written like any change: the trail, the message and
// what it was about belong to one transaction. The policy is not asked, because
// nobody asks for anything: it has happened already.

// Delivered ends the mail of an invitation well, and says so in the invitation
// and in the trail. A message that ended before, or is there no more, stays so.
func (p *PAP) Delivered(ctx context.Context, message string, at time.Time) error {
	return p.report(ctx, message, func(w *work, m Message) error {
		m.DeliveredAt, m.LastError = &at, ""
		return w.delivered(m, "invitation.sent", Delivery{State: DeliverySent})
	})
}

// Undelivered gives up the mail of an invitation as of that time, and says so in
// the invitation and in the trail. The reason is a word of a closed list, which
// names nobody.
func (p *PAP) Undelivered(ctx context.Context, message, reason string, at time.Time) error {
	return p.report(ctx, message, func(w *work, m Message) error {
		m.FailedAt, m.LastError = &at, reason
		return w.delivered(m, "invitation.send_failed", Delivery{State: DeliveryFailed, FailedReason: reason})
	})
}

// DisableWebhook gives up a message to a webhook whose receiver is gone, and
// keeps further events from that webhook until somebody enables it.
func (p *PAP) DisableWebhook(ctx context.Context, message, reason string, at time.Time) error {
	return p.report(ctx, message, func(w *work, m Message) error {
		m.FailedAt, m.LastError = &at, reason
		if err := w.tx.PutMessage(m); err != nil {
			return err
		}
		before, err := w.Reader.Webhook(m.Recipient)
		if err != nil || before.State == WebhookDisabled {
			return absent(err)
		}
		after := before
		after.State = WebhookDisabled
		if err := w.tx.PutWebhook(after); err != nil {
			return err
		}
		return w.noteChange("webhook.disabled", after.Organization, after.ID, before, after)
	})
}

// report writes what became of a message that waits.
func (p *PAP) report(ctx context.Context, message string, write func(*work, Message) error) error {
	_, _, err := change(ctx, p, Call{}, func(w *work) (struct{}, string, error) {
		w.actor.Actor = Actor{ID: "outbox", Kind: "system"}
		m, err := w.Message(message)
		if err != nil || m.DeliveredAt != nil || m.FailedAt != nil {
			return struct{}{}, "", absent(err)
		}
		m.LockedUntil = nil
		return struct{}{}, "", write(w, m)
	}, nil)
	if err != nil {
		return fmt.Errorf("write down what became of %s: %w", message, err)
	}
	return nil
}

// delivered ends the mail of an invitation. One that was sent again meanwhile
// waits for its newer mail and learns nothing from the old one.
func (w *work) delivered(m Message, event string, d Delivery) error {
	if err := w.tx.PutMessage(m); err != nil {
		return err
	}
	var mail Mail
	if err := json.Unmarshal(m.Payload, &mail); err != nil {
		return err
	}
	inv, err := w.Reader.Invitation("", mail.About)
	if err != nil || inv.Generation != mail.Generation {
		return absent(err)
	}
	before := inv.Delivery
	inv.Delivery = d
	if err := w.tx.PutInvitation(inv); err != nil {
		return err
	}
	return w.note(event, inv.Organization, inv.ID, map[string]any{"delivery": before}, map[string]any{"delivery": d})
}
