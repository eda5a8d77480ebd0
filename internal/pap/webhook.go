package pap

import (
	"context"
	"net/url"
	"regexp"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// A WebhookInput says where to tell of which events.
type WebhookInput struct {
	URL    string   `json:"url"`
	Events []string `json:"events,omitempty"` // types, or prefixes that end in ".*"; none: all
}

// A WebhookPatch changes what it names.
type WebhookPatch struct {
	URL    *string   `json:"url,omitempty"`
	Events *[]string `json:"events,omitempty"`
	State  *string   `json:"state,omitempty"` // enabled or disabled
}

// A NewSecret is a webhook with what it signs with, which is shown when it is
// made and never again.
type NewSecret struct {
	Webhook
	Secret string `json:"secret,omitempty"`
}

// Limits of webhooks.
const (
	MaxWebhooks   = 20             // of one organization
	maxWebhookURL = 2048           // bytes
	secretOverlap = 24 * time.Hour // in which the secret before signs too
)

// Webhooks lists those of an organization or, for none, those that hear of all.
func (p *PAP) Webhooks(ctx context.Context, call Call, organization string) ([]Webhook, error) {
	return look(ctx, p, call, func(w *work) ([]Webhook, error) {
		if err := w.authorizeOver("webhook.view", organization, organization); err != nil {
			return nil, err
		}
		return w.Webhooks(organization)
	})
}

// Webhook returns one.
func (p *PAP) Webhook(ctx context.Context, call Call, organization, id string) (Webhook, error) {
	return look(ctx, p, call, func(w *work) (Webhook, error) {
		if err := w.authorizeOver("webhook.view", organization, id); err != nil {
			return Webhook{}, err
		}
		return w.webhook(organization, id)
	})
}

func (w *work) webhook(organization, id string) (Webhook, error) {
	if w.Secrets == nil {
		return Webhook{}, notFound("webhook", id)
	}
	h, err := w.Reader.Webhook(id)
	if err != nil || h.Organization != organization {
		return Webhook{}, unless(err, "webhook", id)
	}
	return h, nil
}

// CreateWebhook makes a webhook. Its secret is in the answer, and in no other.
func (p *PAP) CreateWebhook(ctx context.Context, call Call, organization string, in WebhookInput) (NewSecret, Change, error) {
	return change(ctx, p, call, func(w *work) (NewSecret, string, error) {
		if err := w.authorizeOver("webhook.update", organization, organization); err != nil {
			return NewSecret{}, "", err
		}
		if err := w.mayAddWebhook(organization); err != nil {
			return NewSecret{}, "", err
		}
		h := Webhook{
			ID: w.NewID(PrefixWebhook), Organization: organization, URL: in.URL, Events: sorted(in.Events),
			State: WebhookEnabled, Generation: 1, CreatedAt: w.now,
		}
		made, err := w.writeWebhook(h)
		if err != nil {
			return NewSecret{}, "", err
		}
		return w.withSecret(made), h.ID, w.noteChange("webhook.created", organization, h.ID, nil, made)
	}, afresh("webhook.update", organization, func(w *work, id string) (NewSecret, error) {
		h, err := w.webhook(organization, id)
		return w.withSecret(h), err
	}))
}

func (w *work) mayAddWebhook(organization string) error {
	if w.Secrets == nil {
		return refuse(authz.ErrNotFound, "not-found", "this server has no secret to sign webhooks with: set POSTERN_SECRET")
	}
	known, err := w.Webhooks(organization)
	if err == nil && len(known) >= MaxWebhooks {
		return conflict("webhook-limit", "there are %d webhooks, and no more than %d are allowed: delete one first", len(known), MaxWebhooks)
	}
	return err
}

// withSecret adds the secret, unless nothing is kept that it could sign.
func (w *work) withSecret(h Webhook) NewSecret {
	if w.call.ValidateOnly || w.Secrets == nil {
		return NewSecret{Webhook: h}
	}
	return NewSecret{h, w.Secrets.Secret(h.ID, h.Generation)}
}

func (w *work) writeWebhook(h Webhook) (Webhook, error) {
	if err := w.checkURL(h.URL); err != nil {
		return Webhook{}, err
	}
	for i, e := range h.Events {
		if !eventPattern.MatchString(e) {
			return Webhook{}, invalid(pointer("", "events", i), "value", "%q is no type of event: write one such as member.created, or member.* for all of a kind", e)
		}
	}
	if h.State != WebhookEnabled && h.State != WebhookDisabled {
		return Webhook{}, invalid("/state", "value", "state is enabled or disabled")
	}
	if err := w.tx.PutWebhook(h); err != nil {
		return Webhook{}, err
	}
	return w.webhook(h.Organization, h.ID)
}

var eventPattern = regexp.MustCompile(`^[a-z_]{1,40}\.([a-z_]{1,40}|\*)$`)

// checkURL says where a webhook may go by its text alone. Where its name leads,
// is looked at when it leaves.
func (w *work) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxWebhookURL || u.Opaque != "":
		return invalid("/url", "value", "the URL of a webhook reads https://host/path and has up to %d bytes", maxWebhookURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !w.PlainWebhooks):
		return invalid("/url", "scheme", "the URL of a webhook begins with https://")
	case u.Hostname() == "":
		return invalid("/url", "host", "the URL of a webhook names no host")
	case u.User != nil:
		return invalid("/url", "user-info", "the URL of a webhook holds no user name or password: its signature says who sends")
	case u.Fragment != "":
		return invalid("/url", "fragment", "the URL of a webhook has no #fragment, which is never sent")
	}
	return nil
}

// UpdateWebhook changes where a webhook goes, what it tells of, or whether it
// does.
func (p *PAP) UpdateWebhook(ctx context.Context, call Call, organization, id string, in WebhookPatch) (Webhook, Change, error) {
	return p.changeWebhook(ctx, call, organization, id, "webhook.updated", func(_ *work, h *Webhook) {
		if in.URL != nil {
			h.URL = *in.URL
		}
		if in.Events != nil {
			h.Events = sorted(*in.Events)
		}
		if in.State != nil {
			h.State = *in.State
		}
	})
}

// RotateWebhookSecret gives a webhook a new secret. The one before signs too for
// a day, so that the receiver can change over.
func (p *PAP) RotateWebhookSecret(ctx context.Context, call Call, organization, id string) (NewSecret, Change, error) {
	h, done, err := p.changeWebhook(ctx, call, organization, id, "webhook.secret_rotated", func(w *work, h *Webhook) {
		until := w.now.Add(secretOverlap)
		h.Generation++
		h.PreviousUntil = &until
	})
	if err != nil || call.ValidateOnly {
		return NewSecret{Webhook: h}, done, err
	}
	return NewSecret{h, p.Secrets.Secret(h.ID, h.Generation)}, done, nil
}

func (p *PAP) changeWebhook(ctx context.Context, call Call, organization, id, event string, edit func(*work, *Webhook)) (Webhook, Change, error) {
	return change(ctx, p, call, func(w *work) (Webhook, string, error) {
		if err := w.authorizeOver("webhook.update", organization, id); err != nil {
			return Webhook{}, "", err
		}
		before, err := w.webhook(organization, id)
		if err != nil {
			return Webhook{}, "", err
		}
		if err := w.checkMatch(before.Revision); err != nil {
			return Webhook{}, "", err
		}
		h := before
		edit(w, &h)
		made, err := w.writeWebhook(h)
		if err != nil {
			return Webhook{}, "", err
		}
		return made, id, w.noteChange(event, organization, id, before, made)
	}, afresh("webhook.update", organization, func(w *work, id string) (Webhook, error) { return w.webhook(organization, id) }))
}

// DeleteWebhook ends a webhook: what waits for it is not delivered.
func (p *PAP) DeleteWebhook(ctx context.Context, call Call, organization, id string) (Webhook, Change, error) {
	return change(ctx, p, call, func(w *work) (Webhook, string, error) {
		if err := w.authorizeOver("webhook.update", organization, id); err != nil {
			return Webhook{}, "", err
		}
		before, err := w.webhook(organization, id)
		if err != nil {
			return Webhook{}, "", err
		}
		if err := w.checkMatch(before.Revision); err != nil {
			return Webhook{}, "", err
		}
		if err := w.tx.DeleteWebhook(id); err != nil {
			return Webhook{}, "", err
		}
		return before, id, w.noteChange("webhook.deleted", organization, id, before, nil)
	}, func(_ *work, id string) (Webhook, error) { return Webhook{ID: id, Organization: organization}, nil })
}
