package pap

import (
	"context"

	"github.com/postern-authz/postern/internal/directory"
)

// ResendInvitation sends a new link, which lasts as long as the first did; the
// old one is dead at once. Also an invitation that has expired is sent again
// (R48). Whoever sends it vouches for it from now on: it is asked whether the
// actor could make this very offer now.
func (p *PAP) ResendInvitation(ctx context.Context, call Call, organization, id string) (Invited, Change, error) {
	return p.changeInvitation(ctx, call, organization, id, (*work).resend)
}

// RevokeInvitation kills the link of an invitation and frees its seat. An
// invitation that is revoked already stays so.
func (p *PAP) RevokeInvitation(ctx context.Context, call Call, organization, id string) (Invited, Change, error) {
	return p.changeInvitation(ctx, call, organization, id, (*work).revoke)
}

// UpdateInvitation changes what an invitation offers. The actor has to be one
// who could make the old and the new offer, and vouches for it from now on.
func (p *PAP) UpdateInvitation(ctx context.Context, call Call, organization, id string, in InvitationPatch) (Invited, Change, error) {
	return p.changeInvitation(ctx, call, organization, id, func(w *work, inv Invitation, f found) error { return w.amend(inv, f, in) })
}

func (p *PAP) changeInvitation(ctx context.Context, call Call, organization, id string, do func(*work, Invitation, found) error) (Invited, Change, error) {
	return change(ctx, p, call, func(w *work) (Invited, string, error) {
		inv, f, err := w.findInvitation(organization, id)
		if err != nil {
			return Invited{}, "", err
		}
		if err := w.checkMatch(inv.Revision); err != nil {
			return Invited{}, "", err
		}
		if err := do(w, inv, f); err != nil {
			return Invited{}, "", err
		}
		made, err := w.invitedAgain(inv.ID, f)
		return made, id, err
	}, func(w *work, id string) (Invited, error) { return w.invited(organization, id) })
}

// whole is a question about the member in waiting with all that it is offered.
func (f found) whole(action string) ask {
	a := f.ask(action)
	if f.CPNI {
		yes := true
		a.target.held = append(a.target.held, given{cpni: &yes})
	}
	return a
}

func (w *work) resend(inv Invitation, f found) error {
	a := f.whole("invitation.resend")
	a.gives, a.lasting, a.changes = true, f.Grants.lasting(w.now), f.reach.offered(f.Role, f.Grants, f.CPNI)
	if err := w.authorize(a); err != nil {
		return err
	}
	if err := first(inv.mustBeOpen(), w.isFree(inv.Organization, f.settings, inv.EmailKey)); err != nil {
		return err
	}
	if inv.Deliver == DeliverNone {
		inv.Deliver = DeliverEmail
	}
	if _, err := w.deliverBy(f.settings, inv.Deliver); err != nil {
		return err
	}
	if err := first(w.hasCooled(inv), w.mayReach(inv.EmailKey, inv.Deliver)); err != nil {
		return err
	}
	inv.Generation++
	inv.FailedAttempts, inv.Inviter = 0, w.actor.Actor
	inv.ExpiresAt = w.now.Add(inv.TTL)
	if err := w.sendInvitation(f.organization, f.settings, &inv, f.Member); err != nil {
		return err
	}
	if err := w.tx.PutInvitation(inv); err != nil {
		return err
	}
	return w.note("invitation.resent", inv.Organization, inv.ID, nil, map[string]any{"member": inv.Member, "deliver": inv.Deliver, "expires_at": inv.ExpiresAt})
}

func (w *work) revoke(inv Invitation, f found) error {
	if err := w.authorize(f.whole("invitation.revoke")); err != nil {
		return err
	}
	if inv.State == InvitationRevoked {
		return w.note("invitation.revoked", inv.Organization, inv.ID, nil, nil)
	}
	if err := inv.mustBeOpen(); err != nil {
		return err
	}
	if err := w.end(inv, InvitationRevoked); err != nil {
		return err
	}
	return w.note("invitation.revoked", inv.Organization, inv.ID, nil, map[string]any{"member": inv.Member})
}

func (w *work) amend(inv Invitation, f found, in InvitationPatch) error {
	if err := w.authorize(f.whole("invitation.update")); err != nil {
		return err
	}
	if err := inv.mustBeOpen(); err != nil {
		return err
	}
	m, r, err := w.amended(f, in)
	if err != nil {
		return err
	}
	err = w.authorize(ask{
		action: "member.invite", organization: m.Organization, gives: true, lasting: m.Grants.lasting(w.now),
		target:  target{id: m.ID, kind: m.Kind, role: m.Role, reach: r.realm},
		changes: r.offered(m.Role, m.Grants, m.CPNI),
	})
	if err != nil {
		return err
	}
	if err := w.tx.PutMember(m); err != nil {
		return err
	}
	if err := w.tx.SetGrants(m.ID, m.Grants, w.actor.grantedBy()); err != nil {
		return err
	}
	inv.Inviter = w.actor.Actor
	if err := w.tx.PutInvitation(inv); err != nil {
		return err
	}
	return w.noteChange("invitation.updated", inv.Organization, inv.ID, offerOfMember(f.Member), offerOfMember(m))
}

// amended is the member in waiting as the patch wants it, checked.
func (w *work) amended(f found, in InvitationPatch) (m Member, r reach, err error) {
	m = f.Member
	if in.Role != nil {
		m.Role, m.RoleAssignedBy = *in.Role, w.actor.grantedBy()
	}
	if in.Affiliation != nil {
		m.Affiliation = *in.Affiliation
	}
	if in.CPNI != nil {
		m.CPNI = *in.CPNI
	}
	if in.Grants != nil {
		m.Grants = *in.Grants
	}
	if in.Preferences != nil {
		m.Preferences = in.Preferences
	}
	m.Profile = in.profile(m.Profile)
	role, err := w.checkRole(m.Role)
	if err != nil {
		return m, r, err
	}
	m.Kind, m.Affiliation, err = checkWho(m.Kind, m.Affiliation, m.Role)
	if err := first(err, assignable(f.organization, role), m.Profile.check(), m.Profile.needs(f.settings.Profile.Invite), checkPreferences(m.Preferences)); err != nil {
		return m, r, err
	}
	if err := w.mayTurn(f, m); err != nil {
		return m, r, err
	}
	m.Grants, r, err = w.complete(m.Organization, "/grants", m.Grants)
	return m, r, err
}

// mayTurn asks of what a patch changes that takes more than a policy: an account
// team is the operator's and has no seats, and of Primary Contacts there may be
// one.
func (w *work) mayTurn(f found, m Member) error {
	if m.Affiliation != f.Affiliation {
		if err := first(w.mayAffiliate(f.Affiliation), w.mayAffiliate(m.Affiliation)); err != nil {
			return err
		}
	}
	if m.Role != f.Role {
		if err := w.oneHolder(f.settings, m.Organization, m.Role); err != nil {
			return err
		}
	}
	if f.Affiliation == directory.AffiliationAccountTeam && m.Affiliation != f.Affiliation {
		return w.hasSeat(f.organization, m.Affiliation)
	}
	return nil
}

// profile is a profile with what the patch names in it.
func (in InvitationPatch) profile(p Profile) Profile {
	for _, f := range []struct{ to, say *string }{
		{&p.GivenName, in.GivenName}, {&p.FamilyName, in.FamilyName}, {&p.Phone, in.Phone}, {&p.Country, in.Country},
	} {
		if f.say != nil {
			*f.to = *f.say
		}
	}
	if in.Address != nil {
		p.Address = in.Address
	}
	return p
}

// offerOfMember is what the audit trail keeps of an offer: nothing personal.
func offerOfMember(m Member) map[string]any {
	return map[string]any{"role": m.Role, "affiliation": m.Affiliation, "cpni_authorized": m.CPNI, "grants": m.Grants}
}

// invitedAgain shows an invitation after a change of it. The actor still sees
// what it saw, whatever the change was.
func (w *work) invitedAgain(id string, f found) (made Invited, err error) {
	inv, err := w.Reader.Invitation(f.Organization, id)
	if err != nil {
		return Invited{}, err
	}
	if f.Member, err = w.Member(f.Organization, f.ID); err != nil {
		return Invited{}, err
	}
	if f.reach, err = w.reachOf(f.Organization, "", f.Grants); err != nil {
		return Invited{}, err
	}
	return w.shownInvited(inv, f)
}
