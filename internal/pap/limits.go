package pap

import (
	"cmp"
	"time"

	"github.com/postern-authz/postern/internal/directory"
)

// What Limits count within.
const (
	recipientWindow    = time.Hour
	actorWindow        = 10 * time.Minute
	organizationWindow = 24 * time.Hour
)

// withDefaults is what holds of limits that say nothing.
func (l Limits) withDefaults() Limits {
	return Limits{
		Cooldown:                   cmp.Or(l.Cooldown, time.Minute),
		MailsPerRecipient:          cmp.Or(l.MailsPerRecipient, 5),
		ResetsPerRecipient:         cmp.Or(l.ResetsPerRecipient, 3),
		InvitationsPerActor:        cmp.Or(l.InvitationsPerActor, 30),
		InvitationsPerOrganization: cmp.Or(l.InvitationsPerOrganization, 500),
		OpenInvitations:            cmp.Or(l.OpenInvitations, 200),
	}
}

// tooMany refuses for so long. It says nothing of who else asked.
func tooMany(wait time.Duration, format string, args ...any) *Refusal {
	r := refuse(ErrTooMany, "rate-limited", format, args...)
	r.RetryAfter = max(1, int((wait+time.Second-1)/time.Second))
	return r
}

// full says whether n of at most limit are there; a negative limit is none.
func full(n, limit int) bool { return limit >= 0 && n >= limit }

// mayMail refuses one invitation more than there may be (C14).
func (w *work) mayMail(organization, emailKey, deliver string) error {
	l := w.Limits
	open, err := w.Reader.OpenInvitations(organization, w.now)
	if err != nil {
		return err
	}
	if full(open, l.OpenInvitations) {
		return tooMany(organizationWindow, "%d invitations are open: revoke some, or wait until they are accepted", open)
	}
	byActor, err := w.Sent(w.now.Add(-actorWindow), "", w.actor.ID, "")
	if err != nil {
		return err
	}
	if full(byActor.Inviter, l.InvitationsPerActor) {
		return tooMany(actorWindow, "these are too many invitations at once: wait ten minutes")
	}
	ofAll, err := w.Sent(w.now.Add(-organizationWindow), "", "", organization)
	if err != nil {
		return err
	}
	if full(ofAll.Organization, l.InvitationsPerOrganization) {
		return tooMany(organizationWindow, "the organization has made too many invitations today: wait until tomorrow")
	}
	return w.mayReach(emailKey, deliver)
}

// mayReach refuses one mail more to an address than it may get within the hour,
// whoever sends it.
func (w *work) mayReach(emailKey, deliver string) error {
	if deliver != DeliverEmail {
		return nil
	}
	room, err := w.hasRoom(emailKey, w.Limits.MailsPerRecipient)
	if err == nil && !room {
		return tooMany(recipientWindow, "this address has got too many mails within the hour: wait")
	}
	return err
}

// hasRoom says whether one mail more may go to an address. Those of this change
// count too.
func (w *work) hasRoom(emailKey string, limit int) (bool, error) {
	to, err := w.Sent(w.now.Add(-recipientWindow), emailKey, "", "")
	for _, m := range w.messages {
		if key, _ := directory.EmailKey(m.Recipient); m.Channel == ChannelMail && key == emailKey {
			to.Recipient++
		}
	}
	return !full(to.Recipient, limit), err
}

// hasCooled refuses to mail an invitation again right away.
func (w *work) hasCooled(inv Invitation) error {
	if inv.LastSentAt == nil {
		return nil
	}
	if wait := inv.LastSentAt.Add(w.Limits.Cooldown).Sub(w.now); wait > 0 {
		return tooMany(wait, "this invitation went out a moment ago: wait a little")
	}
	return nil
}

// mailTo puts a mail to a person into the outbox, if it has an address and may
// get one mail more.
func (w *work) mailTo(to Person, organization, kind string, m Mail) error {
	key, err := directory.EmailKey(to.Email)
	if err != nil {
		return nil //nolint:nilerr // whoever has no address gets no mail
	}
	if room, err := w.hasRoom(key, w.Limits.MailsPerRecipient); err != nil || !room {
		return err
	}
	m.Name = to.name()
	return w.post(organization, kind, to.Email, m)
}

// post puts a mail into the outbox. It leaves after this change is kept (C19).
func (w *work) post(organization, kind, address string, m Mail) error {
	payload, err := raw(m)
	if err != nil {
		return err
	}
	w.messages = append(w.messages, Message{
		ID: w.NewID(PrefixMessage), Organization: organization, Channel: ChannelMail, Type: kind,
		Recipient: address, Payload: payload, CreatedAt: w.now, AvailableAt: w.now,
	})
	return nil
}
