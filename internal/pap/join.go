package pap

import (
	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// join makes the member in waiting an active one, with everything it was
// offered. The seat that it waited in is the one it takes (C15). Its siblings,
// other invitations of the address, end (R54).
func (w *work) join(a *acceptance) error {
	if err := w.keepPerson(a); err != nil {
		return err
	}
	if a.tombstone != nil {
		old := *a.tombstone
		old.State = StateSuperseded
		if err := w.tx.PutMember(old); err != nil {
			return err
		}
	}
	if err := w.activate(a); err != nil {
		return err
	}
	if err := w.noteJoined(*a); err != nil {
		return err
	}
	if err := w.supersede(a.invitation.Organization, a.invitation.EmailKey, a.invitation.ID); err != nil {
		return err
	}
	return w.tellInviter(*a)
}

// keepPerson makes the account of somebody new.
func (w *work) keepPerson(a *acceptance) error {
	if a.person.ID != "" {
		return w.dropEmailChange(a.person.ID)
	}
	a.person.ID = w.NewID(authz.PrefixUser)
	if err := w.tx.PutPerson(a.person); err != nil {
		return err
	}
	if a.hash == "" {
		return nil
	}
	return w.tx.PutCredential(Credential{User: a.person.ID, Hash: a.hash, SetAt: w.now, SetBy: SetByUser})
}

func (w *work) activate(a *acceptance) error {
	m := a.member
	m.User, m.Kind, m.State, m.ActivatedAt = a.person.ID, a.person.Kind, directory.StateActive, &w.now
	m.TemporaryUsername, m.Email, m.Profile = "", "", Profile{}
	if err := w.tx.PutMember(m); err != nil {
		return err
	}
	a.invitation.State, a.invitation.AcceptedAt, a.invitation.AcceptedUser = InvitationAccepted, &w.now, a.person.ID
	return w.tx.PutInvitation(a.invitation)
}

// noteJoined says who it was: the person, who came by a link if it was new.
func (w *work) noteJoined(a acceptance) error {
	if w.actor.user == nil {
		w.actor.Actor = Actor{ID: a.person.ID, Kind: "link", Via: w.call.Principal.ID, IP: w.ip(), SharedIdentity: a.person.Kind == directory.UserGroup}
	}
	i := a.invitation
	if err := w.note("invitation.accepted", i.Organization, i.ID, nil, map[string]any{"member": i.Member, "user": a.person.ID}); err != nil {
		return err
	}
	return w.note("member.activated", i.Organization, i.Member, map[string]any{"state": directory.StateInvited},
		map[string]any{"state": directory.StateActive, "user": a.person.ID})
}

// tellInviter confirms to who made the invitation that it led to something (R51).
func (w *work) tellInviter(a acceptance) error {
	if !a.invitation.Inviter.isUser() {
		return nil
	}
	inviter, err := w.Person(a.invitation.Inviter.ID)
	if err != nil {
		return absent(err)
	}
	role, err := w.roleName(a.settings, a.member.Role)
	if err != nil {
		return err
	}
	return w.mailTo(inviter, a.invitation.Organization, MailActivated, Mail{
		About: a.invitation.ID, Organization: a.organization.Name, Member: or(a.person.name(), a.person.Username), Role: role,
		From: or(a.settings.Invitation.From, a.organization.Name), PortalURL: w.portal(a.settings),
	})
}
