package mail

import (
	"errors"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
)

// purposes are the mails that have a link, and what it is for.
var purposes = map[string]pap.Purpose{
	pap.MailInvitation:    pap.ForInvitation,
	pap.MailPasswordReset: pap.ForPasswordReset,
	pap.MailEmailChange:   pap.ForEmailChange,
}

// link is the link of a mail, or "" for one that has none. It is the same at
// every attempt, and built from configuration only (C13).
func (c *Courier) link(kind string, m pap.Mail) (string, error) {
	purpose, has := purposes[kind]
	if !has {
		return "", nil
	}
	portal := m.PortalURL
	if portal == "" && len(c.PortalURLs) > 0 {
		portal = c.PortalURLs[0]
	}
	if !slices.Contains(c.PortalURLs, portal) {
		return "", &outbox.Delay{Reason: ReasonPortal, Err: errors.New("the portal that the link leads to is not configured: add its URL to the portal URLs")}
	}
	return pap.LinkURL(portal, purpose, c.Links.Make(purpose, m.About, m.Generation)), nil
}

// current says whether the link of a mail still opens something: who reads a
// mail that was late should not find a dead link in it, or one of two.
func current(r pap.Reader, kind string, m pap.Mail, now time.Time) (bool, error) {
	ok, err := opens(r, kind, m, now)
	if errors.Is(err, authz.ErrNotFound) {
		return false, nil
	}
	return ok, err
}

func opens(r pap.Reader, kind string, m pap.Mail, now time.Time) (bool, error) {
	switch kind {
	case pap.MailInvitation:
		i, err := r.Invitation("", m.About)
		return i.State == "pending" && i.Generation == m.Generation && now.Before(i.ExpiresAt), err
	case pap.MailPasswordReset:
		s, err := r.Reset(m.About)
		return s.UsedAt == nil && s.Generation == m.Generation && now.Before(s.ExpiresAt), err
	case pap.MailEmailChange:
		e, err := r.EmailChange(m.About)
		return e.ConfirmedAt == nil && e.Generation == m.Generation && now.Before(e.ExpiresAt), err
	}
	return true, nil
}
