// Package pap is the policy administration point: it changes users,
// invitations and grants for an actor, after asking the policy whether that
// actor may. What it reads, what the policy says and what it writes belong to
// one transaction, so nobody acts on an authority that is already gone.
package pap

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
)

// A Judge says what an actor may do; the PDP does, by the policy's
// manage/decision.
type Judge interface {
	// Manage answers one question. An error means that there is no answer; it
	// is of kind authz.ErrUnavailable or internal, and never a denial.
	Manage(ctx context.Context, q authz.Question) (authz.Verdict, error)
	// Roles are the actions that each role may take by the policy in force,
	// sorted.
	Roles(ctx context.Context) (map[string][]string, error)
}

// Links makes and reads the links that are mailed. They are derived and never
// kept: an id, a generation, and a MAC under a key of the purpose.
type Links interface {
	Make(purpose Purpose, id string, generation int) string
	// Read returns what a link was made of. Anything else is an error of kind
	// authz.ErrInvalid that says nothing more.
	Read(purpose Purpose, text string) (id string, generation int, err error)
}

// A Purpose is what a link is for. A link of one purpose is none of another.
type Purpose string

// The purposes.
const (
	ForInvitation    Purpose = "invitation"
	ForPasswordReset Purpose = "password_reset"
	ForEmailChange   Purpose = "email_change"
)

// Passwords hashes and checks passwords. Both take a slot of a bounded number,
// and wait for one no longer than ctx lasts. They take longer than a transaction
// should, so hash first and change then.
type Passwords interface {
	// Hash of a password that is too short or too long is an error of kind
	// authz.ErrInvalid that says so.
	Hash(ctx context.Context, password string) (string, error)
	// Check takes the same time for an empty hash, which nothing matches.
	Check(ctx context.Context, hash, password string) (bool, error)
	// Outdated says whether the hash was made at another cost than new ones.
	Outdated(hash string) bool
}

// Limits are how many mails and invitations there may be (C14), on every path
// that makes them. The zero value of each is the default that is named; a
// negative one is no limit.
type Limits struct {
	// Cooldown is how long after one mail of an invitation the next may go;
	// default a minute.
	Cooldown time.Duration
	// MailsPerRecipient within an hour to one address, from all organizations;
	// default 5.
	MailsPerRecipient int
	// ResetsPerRecipient within an hour; default 3. More ask for nothing.
	ResetsPerRecipient int
	// InvitationsPerActor within ten minutes; default 30.
	InvitationsPerActor int
	// InvitationsPerOrganization within a day; default 500.
	InvitationsPerOrganization int
	// OpenInvitations of an organization at once; default 200.
	OpenInvitations int
}

// WebhookSecrets derives what webhooks are signed with, and keeps none.
type WebhookSecrets interface {
	// Secret is that of a webhook in a generation: whsec_ and base64.
	Secret(id string, generation int) string
}

// Options are what a PAP works with. Store and Judge are required.
type Options struct {
	Store     Store
	Judge     Judge
	Links     Links
	Passwords Passwords // nil: credentials are kept elsewhere, and their routes are not found
	// PortalURLs are the portals that links may lead to, the default first.
	// Without one no link is mailed.
	PortalURLs []string
	Limits     Limits
	// Secrets are what webhooks are signed with; nil: there are no webhooks.
	Secrets WebhookSecrets
	// PlainWebhooks lets webhooks be delivered without TLS, for development.
	PlainWebhooks bool
	Log           *slog.Logger
	Now           func() time.Time
	NewID         func(prefix string) string // default: the prefix and a UUID version 7
	Registerer    prometheus.Registerer      // nil: nothing is counted
}

// A PAP administers one directory. Any number of goroutines may use it at once.
type PAP struct {
	Options
	counted *prometheus.CounterVec // events, by type
}

// New makes a PAP.
func New(o Options) *PAP {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = func(prefix string) string { return prefix + uuid.Must(uuid.NewV7()).String() }
	}
	o.Limits = o.Limits.withDefaults()
	return &PAP{o, newEvents(o.Registerer)}
}
