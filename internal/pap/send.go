package pap

import (
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Where in a portal a link leads. The link itself is in the fragment, which no
// server and no proxy on the way sees (C6).
const (
	PathInvitation    = "/invitation"
	PathPasswordReset = "/password-reset"
	PathEmailChange   = "/email-change"
)

// PathOf is where in a portal the links of a purpose lead.
func PathOf(p Purpose) string {
	switch p {
	case ForPasswordReset:
		return PathPasswordReset
	case ForEmailChange:
		return PathEmailChange
	}
	return PathInvitation
}

// portal is the portal that an organization's links lead to: one of the
// configured ones, whatever a request or a setting says (C13); "" without any.
func (w *work) portal(s Settings) string {
	if slices.Contains(w.PortalURLs, s.Invitation.PortalURL) {
		return s.Invitation.PortalURL
	}
	if len(w.PortalURLs) > 0 {
		return w.PortalURLs[0]
	}
	return ""
}

// deliverBy is how a link is delivered that is to be delivered so.
func (w *work) deliverBy(s Settings, deliver string) (string, error) {
	deliver = or(deliver, DeliverEmail)
	switch {
	case !oneOf(deliver, DeliverEmail, DeliverReturnLink, DeliverNone):
		return "", invalid("/deliver", "value", "deliver is none of email, return_link and none")
	case deliver == DeliverEmail && w.portal(s) == "":
		return "", conflict("no-portal", "no portal is configured that a mailed link could lead to: use return_link, or ask the operator for one")
	}
	return deliver, nil
}

// sendInvitation mails the link of an invitation, or notes that there is no mail.
func (w *work) sendInvitation(o directory.Organization, s Settings, inv *Invitation, m Member) error {
	inv.Delivery = Delivery{State: DeliveryNone}
	if inv.Deliver != DeliverEmail {
		return nil
	}
	inviter, err := w.nameOf(inv.Inviter)
	if err != nil {
		return err
	}
	role, err := w.roleName(s, m.Role)
	if err != nil {
		return err
	}
	inv.Delivery.State, inv.LastSentAt = DeliveryQueued, &w.now
	inv.SendCount++
	ends := inv.ExpiresAt
	return w.post(o.ID, MailInvitation, inv.Email, Mail{
		About: inv.ID, Generation: inv.Generation, ExpiresAt: &ends, Name: m.Profile.name(), Organization: o.Name,
		Inviter: inviter, Role: role, From: or(s.Invitation.From, o.Name), PortalURL: w.portal(s),
	})
}

// nameOf is what people are told of who did something: a user's name or
// username, nothing of a credential.
func (w *work) nameOf(a Actor) (string, error) {
	if !a.isUser() {
		return "", nil
	}
	p, err := w.Person(a.ID)
	if err != nil {
		return "", absent(err)
	}
	return or(p.name(), p.Username), nil
}

// link is the address that a link leads to, or the bare link where no portal is
// configured.
func (w *work) link(s Settings, purpose Purpose, id string, generation int) string {
	text := w.Links.Make(purpose, id, generation)
	if portal := w.portal(s); portal != "" {
		return LinkURL(portal, purpose, text)
	}
	return text
}

// follow reads a link. Whatever is wrong with one, the answer is linkInvalid.
func (p *PAP) follow(purpose Purpose, text string) (id string, generation int, err error) {
	id, generation, err = p.Links.Read(purpose, text)
	if err != nil {
		return "", 0, linkInvalid()
	}
	return id, generation, nil
}

// linkInvalid is what everybody is told whose link opens nothing: it was never
// made, was used, revoked, replaced, or has expired (C11).
func linkInvalid() *Refusal {
	return refuse(authz.ErrNotFound, "link-invalid", "this link is not valid, or no longer: ask for a new one")
}
