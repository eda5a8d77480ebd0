package pap

import (
	"context"

	"github.com/postern-authz/postern/internal/directory"
)

// What an address is to an organization (R39).
const (
	EmailAvailable = "available"
	EmailMember    = "member"
	EmailInvited   = "invited"
	EmailRemoved   = "removed"
)

// CheckEmail says what an address is to the organization: available, member,
// invited or removed. Of other organizations it says nothing (R39).
func (p *PAP) CheckEmail(ctx context.Context, call Call, organization, email string) (string, error) {
	return look(ctx, p, call, func(w *work) (string, error) {
		if err := w.authorizeOver("member.check", organization, organization); err != nil {
			return "", err
		}
		key, err := checkEmail("/email", email)
		if err != nil {
			return "", err
		}
		state, err := w.standing(organization, key)
		if err != nil || state != EmailAvailable {
			return state, err
		}
		open, err := w.Invitations(InvitationQuery{Organization: organization, State: "pending", EmailKey: key, Now: w.now, Page: Page{Size: 1}})
		if len(open) > 0 {
			return EmailInvited, err
		}
		return EmailAvailable, err
	})
}

// standing is what the user with that address is in the organization.
func (w *work) standing(organization, emailKey string) (string, error) {
	person, err := w.PersonByEmail(emailKey)
	if err != nil {
		return EmailAvailable, absent(err)
	}
	m, err := w.MemberOf(organization, person.ID)
	switch {
	case err != nil:
		return EmailAvailable, absent(err)
	case m.State == directory.StateRemoved:
		return EmailRemoved, nil
	}
	return EmailMember, nil
}
