// Package webhook delivers events to the portals that asked for them, as
// Standard Webhooks says, and to nobody inside our network.
package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/trace"
)

// The reasons why an event does not arrive, beside the outbox' own.
const (
	// For good:
	ReasonDisabled outbox.Reason = "webhook-disabled"
	ReasonURL      outbox.Reason = "url-invalid"

	// This time:
	ReasonRefused     outbox.Reason = "address-refused" // by us: it is not on the internet
	ReasonPlain       outbox.Reason = "https-required"
	ReasonUnreachable outbox.Reason = "receiver-unreachable"
	ReasonTLS         outbox.Reason = "tls-failed"
	ReasonRedirect    outbox.Reason = "redirected"
	ReasonClient      outbox.Reason = "answered-4xx"
	ReasonServer      outbox.Reason = "answered-5xx"
	ReasonAnswer      outbox.Reason = "answer-not-understood"
	ReasonDirectory   outbox.Reason = "directory-unavailable"
)

const (
	maxAnswer = 16 << 10  // bytes of an answer, of which nothing is used
	maxDelay  = time.Hour // that a receiver may ask for
)

// A Directory knows the webhooks.
type Directory interface {
	Look(ctx context.Context, fn func(pap.Reader) error) error
}

// Options are what a Courier works with. Directory and Secrets are required.
type Options struct {
	Directory Directory
	Secrets   *Secrets
	// Allow are networks that receivers may be in although they are not on the
	// internet. Only there may a webhook be http.
	Allow   []netip.Prefix
	CA      *x509.CertPool // nil: the system's
	Timeout time.Duration  // of one whole delivery; default 15s
	Now     func() time.Time

	resolver *net.Resolver // of tests
}

// A Courier delivers events. Any number of goroutines may use it at once.
type Courier struct {
	Options
	client *http.Client
}

var _ outbox.Courier = (*Courier)(nil)

// New makes a courier. It connects to nothing yet.
func New(o Options) (*Courier, error) {
	if o.Directory == nil || o.Secrets == nil {
		return nil, errors.New("webhooks need the directory and their secrets")
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Courier{Options: o, client: newClient(o)}, nil
}

// Deliver sends one event to the webhook that the message names.
func (c *Courier) Deliver(ctx context.Context, m pap.Message) error {
	hook, err := c.webhook(ctx, m.Recipient)
	if err != nil {
		return err
	}
	request, err := c.request(ctx, hook, m)
	if err != nil {
		return err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return c.unanswered(ctx, err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	return c.verdict(answer)
}

func (c *Courier) webhook(ctx context.Context, id string) (hook pap.Webhook, err error) {
	err = c.Directory.Look(ctx, func(r pap.Reader) (err error) {
		hook, err = r.Webhook(id)
		return err
	})
	switch {
	case errors.Is(err, authz.ErrNotFound):
		return hook, &outbox.Undeliverable{Reason: outbox.ReasonObsolete}
	case err != nil:
		return hook, &outbox.Delay{Reason: ReasonDirectory, Err: err}
	case hook.State != pap.WebhookEnabled:
		return hook, &outbox.Undeliverable{Reason: ReasonDisabled}
	}
	return hook, nil
}

// A body is what a receiver gets: Standard Webhooks' thin form. It is the same
// at every attempt.
type body struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

func (c *Courier) request(ctx context.Context, hook pap.Webhook, m pap.Message) (*http.Request, error) {
	text, err := json.Marshal(body{m.Type, m.CreatedAt.UTC().Truncate(time.Millisecond), m.Payload})
	if err != nil {
		return nil, &outbox.Undeliverable{Reason: outbox.ReasonInternal}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(text))
	if err != nil || request.URL.Host == "" || request.URL.Scheme != "https" && request.URL.Scheme != "http" {
		return nil, &outbox.Undeliverable{Reason: ReasonURL}
	}
	timestamp := strconv.FormatInt(c.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Postern")
	request.Header.Set("webhook-id", m.ID)
	request.Header.Set("webhook-timestamp", timestamp)
	request.Header.Set("webhook-signature", c.signatures(hook, m.ID, timestamp, text))
	trace.From(ctx).Send(request.Header)
	return request, nil
}

// signatures are that of the secret in force and, while a rotation lasts, that of
// the one before.
func (c *Courier) signatures(hook pap.Webhook, id, timestamp string, text []byte) string {
	all := []string{sign(c.Secrets.key(hook.ID, hook.Generation), id, timestamp, text)}
	if hook.Generation > 1 && hook.PreviousUntil != nil && c.Now().Before(*hook.PreviousUntil) {
		all = append(all, sign(c.Secrets.key(hook.ID, hook.Generation-1), id, timestamp, text))
	}
	return strings.Join(all, " ")
}
