package pap

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/trace"
)

// note adds an event to the trail. before and after hold the members that
// changed, and no secret; nil for none.
func (w *work) note(kind, organization, target string, before, after any) error {
	b, err := raw(before)
	if err != nil {
		return err
	}
	a, err := raw(after)
	if err != nil {
		return err
	}
	w.events = append(w.events, Event{
		ID: w.NewID(PrefixEvent), Organization: organization, At: w.now, Actor: w.actor.Actor,
		Type: kind, Target: target, Before: b, After: a, RequestID: w.call.RequestID,
	})
	return nil
}

func raw(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write an audit event: %w", err)
	}
	return text, nil
}

// record keeps the events, each sealed to the one before it in its organization,
// tells the webhooks that want to know, and keeps the mails.
func (w *work) record() error {
	last := map[string]Event{}
	for i := range w.events {
		e := &w.events[i]
		before, known := last[e.Organization]
		if !known {
			var err error
			if before, err = w.LastEvent(e.Organization); err != nil {
				return err
			}
		}
		e.Decision, e.Revision, e.Sequence, e.PreviousHash = w.verdict.ID, w.Revision(), before.Sequence+1, before.Hash
		e.Hash = e.Seal()
		last[e.Organization] = *e
		if err := w.tx.PutEvent(*e); err != nil {
			return err
		}
		if err := w.announce(*e); err != nil {
			return err
		}
	}
	for _, m := range w.messages {
		m.Revision, m.Traceparent = w.Revision(), trace.From(w.ctx).String()
		if err := w.tx.PutMessage(m); err != nil {
			return err
		}
	}
	return nil
}

// Seal is the hash that an event has: SHA-256 over the hash of the one before
// and over the event as JSON without its own hash.
func (e Event) Seal() []byte {
	e.Hash = nil
	if len(e.PreviousHash) == 0 {
		e.PreviousHash = nil // a store may give none back as an empty one
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, numbers and JSON that was read or made here
	}
	h := sha256.New()
	h.Write(e.PreviousHash)
	h.Write(text)
	return h.Sum(nil)
}

// announce puts an event into the outbox for each webhook that wants it. The
// body is thin: whoever wants to know more asks.
func (w *work) announce(e Event) error {
	var hooks []Webhook
	for _, organization := range slices.Compact([]string{e.Organization, ""}) {
		some, err := w.Webhooks(organization)
		if err != nil {
			return err
		}
		hooks = append(hooks, some...)
	}
	for _, h := range hooks {
		if h.State != WebhookEnabled || !h.wants(e.Type) {
			continue
		}
		payload, err := raw(map[string]any{
			"event_id": e.ID, "organization": e.Organization, "target": e.Target, "revision": e.Revision,
			"actor": e.Actor.ID, "decision_id": e.Decision,
		})
		if err != nil {
			return err
		}
		w.messages = append(w.messages, Message{
			ID: w.NewID(PrefixMessage), Organization: e.Organization, Channel: ChannelWebhook, Type: e.Type,
			Recipient: h.ID, Payload: payload, CreatedAt: w.now, AvailableAt: w.now,
		})
	}
	return nil
}

// The words of messages and webhooks.
const (
	ChannelMail    = "mail"
	ChannelWebhook = "webhook"

	WebhookEnabled  = "enabled"
	WebhookDisabled = "disabled"
)

func (h Webhook) wants(kind string) bool {
	if len(h.Events) == 0 {
		return true
	}
	return slices.ContainsFunc(h.Events, func(want string) bool {
		prefix, any := strings.CutSuffix(want, "*")
		return want == kind || any && strings.HasPrefix(kind, prefix)
	})
}

// Chain checks rows of one organization in the order of their sequence: each
// follows the one before and is as it was sealed.
type Chain struct{ last Event }

// Next checks one row more. A row that was changed, left out or put in is an
// error of kind authz.ErrConflict that names it.
func (c *Chain) Next(e Event) error {
	switch {
	case e.Sequence != c.last.Sequence+1:
		return fmt.Errorf("audit event %d of organization %q follows %d: rows are missing: %w", e.Sequence, e.Organization, c.last.Sequence, authz.ErrConflict)
	case string(e.PreviousHash) != string(c.last.Hash):
		return fmt.Errorf("audit event %d of organization %q does not follow the one before it: %w", e.Sequence, e.Organization, authz.ErrConflict)
	case string(e.Seal()) != string(e.Hash):
		return fmt.Errorf("audit event %d of organization %q is not as it was written: %w", e.Sequence, e.Organization, authz.ErrConflict)
	}
	c.last = e
	return nil
}
