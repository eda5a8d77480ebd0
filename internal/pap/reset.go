package pap

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/directory"
)

// resetLasts is how long a link to set a password is valid.
const resetLasts = time.Hour

// RequestPasswordReset mails a link to set a new password to the user with that
// username or address, if it is active (R49), in that organization if one is
// named. The answer and the work are the same whether there is such a user: nil,
// unless nothing could be kept.
func (p *PAP) RequestPasswordReset(ctx context.Context, call Call, organization, login string) error {
	if err := p.keptHere(); err != nil {
		return err
	}
	call.Idempotency, call.ValidateOnly = nil, false
	_, _, err := change(ctx, p, call, func(w *work) (struct{}, string, error) {
		return struct{}{}, "", w.requestReset(organization, login)
	}, nothing)
	return err
}

func (w *work) requestReset(organization, login string) error {
	person, err := w.personBy(login)
	if err != nil {
		return err
	}
	if err := w.note("password.reset_requested", "", or(person.ID, "unknown"), nil, nil); err != nil {
		return err
	}
	home, err := w.homeOf(person, organization)
	if err != nil || home == "" {
		return err
	}
	resets, err := w.resetsTo(person.Email)
	if err != nil || full(resets, w.Limits.ResetsPerRecipient) {
		return err
	}
	return w.mailReset(home, person)
}

// personBy finds a user by its address, else by its username; the zero Person if
// there is none. A username is chosen and an address is proved: who is called
// like another's address does not get that one's mail.
func (w *work) personBy(login string) (Person, error) {
	if key, err := directory.EmailKey(login); err == nil {
		if person, err := w.PersonByEmail(key); absent(err) != nil || err == nil {
			return person, err
		}
	}
	person, err := w.PersonByUsername(login)
	return person, absent(err)
}

// homeOf is an organization that the person is active in, or "": the one named
// or, if none is, the first.
func (w *work) homeOf(p Person, organization string) (string, error) {
	if p.ID == "" || p.Removed || p.Email == "" {
		return "", nil
	}
	for _, m := range p.Memberships {
		named := organization == "" || m.Organization == organization
		if named && m.State == directory.StateActive && w.call.Principal.Bound(m.Organization) {
			return m.Organization, nil
		}
	}
	return "", nil
}

// resetsTo counts the links to set a password that went to an address within the
// hour.
func (w *work) resetsTo(address string) (n int, err error) {
	list, err := w.Messages(MessageQuery{Channel: ChannelMail, Recipient: address, Page: Page{Size: 200}})
	for _, m := range list {
		if m.Type == MailPasswordReset && m.CreatedAt.After(w.now.Add(-recipientWindow)) {
			n++
		}
	}
	return n, err
}

// mailReset makes a new link and mails it, if the address may get one mail more.
// The link before it is dead.
func (w *work) mailReset(organization string, p Person) error {
	o, s, err := w.organization(organization)
	if err != nil || w.portal(s) == "" {
		return err
	}
	key, err := directory.EmailKey(p.Email)
	if err != nil {
		return nil //nolint:nilerr // whoever has no address gets no mail
	}
	if room, err := w.hasRoom(key, w.Limits.MailsPerRecipient); err != nil || !room {
		return err // and the link that was mailed before stays good
	}
	r, err := w.Reset(p.ID)
	if absent(err) != nil {
		return err
	}
	r = Reset{User: p.ID, Generation: r.Generation + 1, ExpiresAt: w.now.Add(resetLasts)}
	if err := w.tx.PutReset(r); err != nil {
		return err
	}
	return w.mailTo(p, organization, MailPasswordReset, Mail{
		About: p.ID, Generation: r.Generation, ExpiresAt: &r.ExpiresAt, Organization: o.Name,
		From: or(s.Invitation.From, o.Name), PortalURL: w.portal(s),
	})
}

// ResetMemberPassword mails an active member a link to set a new password (R87).
// Nobody but the member sees it, and the old password stays until then.
func (p *PAP) ResetMemberPassword(ctx context.Context, call Call, organization, member string) (Change, error) {
	if err := p.keptHere(); err != nil {
		return Change{}, err
	}
	_, done, err := change(ctx, p, call, func(w *work) (struct{}, string, error) {
		return struct{}{}, member, w.resetMember(organization, member)
	}, nothing)
	return done, err
}

func (w *work) resetMember(organization, member string) error {
	f, err := w.find(organization, member)
	if err != nil {
		return err
	}
	if err := w.authorize(f.whole("member.password.reset")); err != nil {
		return err
	}
	switch {
	case f.State != directory.StateActive:
		return conflict("not-active", "this member is %s: a password is set anew once it is active (R49)", f.State)
	case f.Email == "":
		return conflict("no-address", "this member has no address that a link could go to: give it one")
	}
	if _, err := w.deliverBy(f.settings, DeliverEmail); err != nil {
		return err
	}
	person, err := w.Person(f.User)
	if err != nil {
		return err
	}
	key, err := directory.EmailKey(person.Email)
	if err != nil {
		return err
	}
	if err := w.mayReach(key, DeliverEmail); err != nil {
		return err
	}
	if err := w.mailReset(organization, person); err != nil {
		return err
	}
	return w.note("password.reset_requested", organization, f.ID, nil, nil)
}

// ConfirmPasswordReset sets a new password by a link, once. A link that opens
// nothing is of kind authz.ErrNotFound, whatever is wrong with it.
func (p *PAP) ConfirmPasswordReset(ctx context.Context, call Call, link, password string) (Change, error) {
	if err := p.keptHere(); err != nil {
		return Change{}, err
	}
	user, generation, err := p.follow(ForPasswordReset, link)
	if err != nil {
		return Change{}, err
	}
	hash, err := p.hash(ctx, "/password", password)
	if err != nil {
		return Change{}, err
	}
	_, done, err := change(ctx, p, call, func(w *work) (struct{}, string, error) {
		return struct{}{}, user, w.confirmReset(user, generation, hash)
	}, nothing)
	return done, err
}

func (w *work) confirmReset(user string, generation int, hash string) error {
	r, err := w.Reset(user)
	if absent(err) != nil {
		return err
	}
	person, err := w.Person(user)
	if absent(err) != nil {
		return err
	}
	home, err := w.homeOf(person, "")
	if err != nil {
		return err
	}
	if home == "" || r.Generation != generation || r.UsedAt != nil || !w.now.Before(r.ExpiresAt) {
		return linkInvalid()
	}
	w.byLink(user)
	return w.setPassword(user, hash)
}

// byLink says in the trail that a user came by a link.
func (w *work) byLink(user string) {
	if w.actor.user == nil {
		w.actor.Actor = Actor{ID: user, Kind: "link", Via: w.call.Principal.ID, IP: w.ip()}
	}
}

// useReset kills the link to set a password, if there is one.
func (w *work) useReset(user string) error {
	r, err := w.Reset(user)
	if err != nil {
		return absent(err)
	}
	if r.UsedAt != nil {
		return nil
	}
	r.UsedAt = &w.now
	return w.tx.PutReset(r)
}
