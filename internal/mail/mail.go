// Package mail renders the mails of the outbox and sends them: by SMTP, or into
// a directory while developing.
package mail

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
)

// The reasons why a mail does not arrive, beside the outbox' own.
const (
	// For good:
	ReasonAddress     outbox.Reason = "address-invalid"
	ReasonMailbox     outbox.Reason = "mailbox-unavailable"
	ReasonMailboxFull outbox.Reason = "mailbox-full"
	ReasonRecipient   outbox.Reason = "recipient-rejected"
	ReasonSender      outbox.Reason = "sender-rejected"
	ReasonContent     outbox.Reason = "content-rejected"
	ReasonUnknown     outbox.Reason = "mail-unknown" // no template, or a payload that none can show

	// This time:
	ReasonDeferred    outbox.Reason = "deferred" // greylisting, or any other 4xx
	ReasonUnreachable outbox.Reason = "server-unreachable"
	ReasonLost        outbox.Reason = "connection-lost"
	ReasonTLS         outbox.Reason = "tls-failed"
	ReasonAuth        outbox.Reason = "authentication-failed"
	ReasonServer      outbox.Reason = "server-refuses" // us, whatever the mail
	ReasonPortal      outbox.Reason = "portal-unknown"
	ReasonDirectory   outbox.Reason = "directory-unavailable"
	ReasonFolder      outbox.Reason = "folder-unwritable"
)

// A Directory says whether a mail is still wanted.
type Directory interface {
	Look(ctx context.Context, fn func(pap.Reader) error) error
}

// Options are what a Courier works with. All but Name, CA, Timeout and Now are
// required.
type Options struct {
	// Server is smtp://[user:password@]host[:587] with STARTTLS, which only a
	// loopback address may do without and only while CA is nil;
	// smtps://[user:password@]host[:465]; or file:///directory, which gets one
	// .eml file for each mail.
	Server string
	// From is the address that mail is from.
	From string
	// Name is shown with it where the organization has none of its own.
	Name       string
	CA         *x509.CertPool // nil: the system's
	PortalURLs []string       // that links may lead to, the default first
	Links      pap.Links
	Directory  Directory
	Timeout    time.Duration // of one whole delivery; default 45s
	Now        func() time.Time
}

// A Courier delivers mails.
type Courier struct {
	Options
	domain   string // of From
	renderer *renderer
	out      sender
}

// A sender passes one mail on.
type sender interface {
	send(ctx context.Context, id string, m *gomail.Msg, from, to string) error
}

var _ outbox.Courier = (*Courier)(nil)

// New makes a courier. It connects to nothing yet.
func New(o Options) (*Courier, error) {
	from, err := netmail.ParseAddress(o.From)
	if err != nil || from.Address != o.From {
		return nil, errors.New("the address that mail is from is not one: use one such as postern@portal.example, without a name")
	}
	if o.Links == nil || o.Directory == nil {
		return nil, errors.New("mail needs links and the directory")
	}
	if o.Timeout <= 0 {
		o.Timeout = 45 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Courier{Options: o, domain: o.From[strings.LastIndex(o.From, "@")+1:]}
	if c.out, err = newSender(o.Server, c.domain, o.CA); err != nil {
		return nil, err
	}
	c.renderer, err = newRenderer()
	return c, err
}

// Deliver sends one mail to the one address that the message names. A mail whose
// link opens nothing any more is not sent.
func (c *Courier) Deliver(ctx context.Context, m pap.Message) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var mail pap.Mail
	if err := json.Unmarshal(m.Payload, &mail); err != nil || subjects[m.Type] == "" {
		return &outbox.Undeliverable{Reason: ReasonUnknown}
	}
	if err := c.wanted(ctx, m.Type, mail); err != nil {
		return err
	}
	link, err := c.link(m.Type, mail)
	if err != nil {
		return err
	}
	letter, err := c.compose(m, mail, link)
	if err != nil {
		return err
	}
	return c.out.send(ctx, m.ID, letter, c.From, m.Recipient)
}

func (c *Courier) wanted(ctx context.Context, kind string, m pap.Mail) error {
	var still bool
	err := c.Directory.Look(ctx, func(r pap.Reader) (err error) {
		still, err = current(r, kind, m, c.Now())
		return err
	})
	switch {
	case err != nil:
		return &outbox.Delay{Reason: ReasonDirectory, Err: err}
	case !still:
		return &outbox.Undeliverable{Reason: outbox.ReasonObsolete}
	}
	return nil
}

// compose writes the mail. Its Message-ID is the message's, so that a mail that
// went out twice is shown once.
func (c *Courier) compose(m pap.Message, mail pap.Mail, link string) (*gomail.Msg, error) {
	to, err := netmail.ParseAddress(m.Recipient)
	if err != nil || to.Address != m.Recipient {
		return nil, &outbox.Undeliverable{Reason: ReasonAddress}
	}
	text, html, err := c.renderer.render(m.Type, viewOf(mail, link))
	if err != nil {
		return nil, &outbox.Undeliverable{Reason: ReasonUnknown}
	}
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := letter.FromFormat(c.sender(mail), c.From); err != nil {
		return nil, fmt.Errorf("write the sender: %w", err)
	}
	if err := letter.To(m.Recipient); err != nil {
		return nil, &outbox.Undeliverable{Reason: ReasonAddress}
	}
	letter.Subject(subjects[m.Type])
	letter.SetMessageIDWithValue(m.ID + "@" + c.domain)
	letter.SetDateWithValue(c.Now())
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answer, please
	letter.SetBodyString(gomail.TypeTextPlain, text)
	letter.AddAlternativeString(gomail.TypeTextHTML, html)
	return letter, nil
}

// sender is the name that a mail is from.
func (c *Courier) sender(m pap.Mail) string {
	for _, name := range []string{clean(m.From), clean(c.Name)} {
		if name != "" {
			return name
		}
	}
	return "Postern"
}
