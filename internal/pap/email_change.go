package pap

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/directory"
)

// emailChangeLasts is how long a link to confirm an address is valid.
const emailChangeLasts = 24 * time.Hour

// RequestEmailChange mails a link to the address that the actor wants to have.
// The address is the actor's once that link is followed (R78), and until then
// nothing tells whether it is somebody else's. Asking for the address that the
// actor has confirms that one.
func (p *PAP) RequestEmailChange(ctx context.Context, call Call, email string) (Change, error) {
	_, done, err := change(ctx, p, call, func(w *work) (struct{}, string, error) {
		home, err := w.self()
		if err != nil {
			return struct{}{}, "", err
		}
		person, err := w.Person(w.actor.ID)
		if err != nil {
			return struct{}{}, "", err
		}
		if slices.ContainsFunc(person.living(), func(m MembershipRef) bool { return !w.call.Principal.Bound(m.Organization) }) {
			return struct{}{}, "", sharedUser()
		}
		return struct{}{}, person.ID, w.askEmailChange(home, person, email)
	}, nothing)
	return done, err
}

// askEmailChange mails a link to an address that a person is to have, as one of
// the organization. A link to another address, that was mailed before, is dead
// (V28). The actor was found to be allowed to.
func (w *work) askEmailChange(organization string, p Person, email string) error {
	o, s, err := w.organization(organization)
	if err != nil {
		return err
	}
	key, err := checkEmail("/email", email)
	if err != nil {
		return err
	}
	if _, err := w.deliverBy(s, DeliverEmail); err != nil {
		return err
	}
	if err := w.mayReach(key, DeliverEmail); err != nil {
		return err
	}
	c, err := w.EmailChange(p.ID)
	if absent(err) != nil {
		return err
	}
	c = EmailChange{User: p.ID, Email: email, EmailKey: key, Generation: c.Generation + 1, ExpiresAt: w.now.Add(emailChangeLasts)}
	if err := w.tx.PutEmailChange(c); err != nil {
		return err
	}
	if err := w.note("member.email_change_requested", organization, p.ID, nil, nil); err != nil {
		return err
	}
	return w.post(organization, MailEmailChange, email, Mail{
		About: p.ID, Generation: c.Generation, ExpiresAt: &c.ExpiresAt, Name: p.name(), Organization: o.Name,
		From: or(s.Invitation.From, o.Name), PortalURL: w.portal(s),
	})
}

// ConfirmEmailChange gives a user the address that a link was mailed to, at once
// or after the hold of its organizations, and tells the old address. A link that
// opens nothing is of kind authz.ErrNotFound, whatever is wrong with it.
func (p *PAP) ConfirmEmailChange(ctx context.Context, call Call, link string) (Change, error) {
	user, generation, err := p.follow(ForEmailChange, link)
	if err != nil {
		return Change{}, err
	}
	_, done, err := change(ctx, p, call, func(w *work) (struct{}, string, error) {
		return struct{}{}, user, w.confirmEmail(user, generation)
	}, nothing)
	return done, err
}

func (w *work) confirmEmail(user string, generation int) error {
	c, err := w.EmailChange(user)
	if absent(err) != nil {
		return err
	}
	person, err := w.Person(user)
	if absent(err) != nil {
		return err
	}
	if person.ID == "" || person.Removed || c.Generation != generation || c.ConfirmedAt != nil || !w.now.Before(c.ExpiresAt) {
		return linkInvalid()
	}
	hold, err := w.holdOf(person)
	if err != nil {
		return err
	}
	if err := w.isNobodys(c.EmailKey, user); err != nil {
		return err
	}
	w.byLink(user)
	if err := w.tellOldAddress(person, c); err != nil {
		return err
	}
	c.ConfirmedAt = &w.now
	if hold == 0 {
		return w.giveAddress(person, c)
	}
	effective := w.now.Add(hold)
	c.EffectiveAt = &effective
	if err := w.tx.PutEmailChange(c); err != nil {
		return err
	}
	return w.noteEverywhere(person, "member.email_change_confirmed", map[string]any{"effective_at": effective})
}

// isNobodys refuses an address that is another user's. Whoever learns it has
// the mailbox.
func (w *work) isNobodys(emailKey, user string) error {
	other, err := w.PersonByEmail(emailKey)
	if err == nil && other.ID != user {
		return conflict("email-taken", "this address belongs to another account")
	}
	return absent(err)
}

// holdOf is how long a confirmed address waits: the longest that an organization
// of the person wants.
func (w *work) holdOf(p Person) (hold time.Duration, err error) {
	for _, m := range p.living() {
		o, err := w.Organization(m.Organization)
		if err != nil {
			return 0, err
		}
		s, err := SettingsOf(o)
		if err != nil {
			return 0, err
		}
		hold = max(hold, duration(s.EmailChange.Hold, 0))
	}
	return hold, nil
}

// living are the memberships that count: active and suspended ones.
func (p Person) living() (list []MembershipRef) {
	for _, m := range p.Memberships {
		if m.State == directory.StateActive || m.State == directory.StateSuspended {
			list = append(list, m)
		}
	}
	return list
}

// giveAddress makes a confirmed address the person's. A link to set a password
// that went to the old one is dead.
func (w *work) giveAddress(p Person, c EmailChange) error {
	p.Email, p.EmailVerifiedAt = c.Email, &w.now
	if err := w.tx.PutPerson(p); err != nil {
		return err
	}
	if err := w.useReset(p.ID); err != nil {
		return err
	}
	c.EffectiveAt = nil
	if err := w.tx.PutEmailChange(c); err != nil {
		return err
	}
	return w.noteEverywhere(p, "member.email_changed", nil)
}

// dropEmailChange forgets the address that a person was to have. One that joins
// another organization may have been asked for by an administrator who could
// not ask for it any more.
func (w *work) dropEmailChange(user string) error {
	c, err := w.EmailChange(user)
	if err != nil {
		return absent(err)
	}
	if c.EffectiveAt == nil && !w.now.Before(c.ExpiresAt) {
		return nil
	}
	c.EffectiveAt, c.ExpiresAt = nil, w.now
	return w.tx.PutEmailChange(c)
}

// noteEverywhere tells every organization that the person is in.
func (w *work) noteEverywhere(p Person, kind string, after any) error {
	for _, m := range p.living() {
		if err := w.note(kind, m.Organization, m.ID, nil, after); err != nil {
			return err
		}
	}
	if len(p.living()) == 0 {
		return w.note(kind, "", p.ID, nil, after)
	}
	return nil
}

func (w *work) tellOldAddress(p Person, c EmailChange) error {
	old, err := directory.EmailKey(p.Email)
	if err != nil || old == c.EmailKey {
		return nil //nolint:nilerr // there is no other address to tell
	}
	home, err := w.homeOf(p, "")
	if err != nil {
		return err
	}
	m := Mail{About: p.ID, Name: p.name()}
	if home != "" {
		o, s, err := w.organization(home)
		if err != nil {
			return err
		}
		m.Organization, m.From = o.Name, or(s.Invitation.From, o.Name)
	}
	return w.post(home, MailEmailChangedNotice, p.Email, m)
}

// emailChangesAtOnce is how many held addresses are given in one transaction.
const emailChangesAtOnce = 100

// GiveHeldAddresses makes those addresses their users' whose hold has passed, and
// says how many. Somebody has to call it now and then. If there are none, nobody
// who writes is kept waiting.
func (p *PAP) GiveHeldAddresses(ctx context.Context) (int, error) {
	waiting, err := look(ctx, p, Call{}, func(w *work) (int, error) {
		due, err := w.EmailChangesDue(w.now, 1)
		return len(due), err
	})
	if err != nil || waiting == 0 {
		return 0, err
	}
	n, _, err := change(ctx, p, Call{}, func(w *work) (int, string, error) {
		w.actor.Actor = Actor{ID: "system", Kind: "system"}
		due, err := w.EmailChangesDue(w.now, emailChangesAtOnce)
		if err != nil {
			return 0, "", err
		}
		for _, c := range due {
			if err := w.giveHeld(c); err != nil {
				return 0, "", err
			}
		}
		return len(due), "", nil
	}, nil)
	return n, err
}

// giveHeld gives one address, unless it became somebody else's meanwhile.
func (w *work) giveHeld(c EmailChange) error {
	person, err := w.Person(c.User)
	if absent(err) != nil {
		return err
	}
	err = w.isNobodys(c.EmailKey, c.User)
	var taken *Refusal
	if errors.As(err, &taken) || person.ID == "" || person.Removed {
		c.EffectiveAt = nil
		return w.tx.PutEmailChange(c)
	}
	if err != nil {
		return err
	}
	return w.giveAddress(person, c)
}
