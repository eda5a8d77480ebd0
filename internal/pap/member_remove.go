package pap

import (
	"context"

	"github.com/postern-authz/postern/internal/directory"
)

// RemoveMember ends a membership, and no other of its user (R82). Its grants
// end, its seat is free, open invitations of its address die; who it was stays
// for the trail until it is purged (R80). With ValidateOnly the answer says what
// would go (R79).
func (p *PAP) RemoveMember(ctx context.Context, call Call, organization, id string) (Removal, Change, error) {
	return change(ctx, p, call, func(w *work) (Removal, string, error) {
		f, err := w.find(organization, id)
		switch {
		case err != nil:
			return Removal{}, "", err
		case f.State == directory.StateRemoved || f.State == StateSuperseded:
			return Removal{}, "", notFound("member", id)
		}
		r, err := w.remove(f)
		return r, id, err
	}, func(w *work, id string) (Removal, error) {
		m, err := w.viewMember(organization, id)
		return Removal{Member: m, Impact: Impact{Grants: Grants{}.sorted(), Invitations: []string{}}}, err
	})
}

func (w *work) remove(f found) (Removal, error) {
	if err := first(w.checkMatch(f.Revision), w.authorize(f.ask("member.delete"))); err != nil {
		return Removal{}, err
	}
	if f.State == directory.StateInvited {
		return Removal{}, conflict("member-pending", "nobody has accepted the invitation yet: revoke it instead")
	}
	if err := w.sparesPrimaryContact(f.Member); err != nil {
		return Removal{}, err
	}
	impact, err := w.impactOf(f)
	if err != nil {
		return Removal{}, err
	}
	if err := w.bury(f, impact); err != nil {
		return Removal{}, err
	}
	if impact.Invitations, err = w.revokeAll(f); err != nil {
		return Removal{}, err
	}
	m, err := w.again(f)
	return Removal{Member: m, Impact: impact}, err
}

func (w *work) impactOf(f found) (Impact, error) {
	i := Impact{Grants: f.Grants.sorted(), Invitations: []string{}}
	if f.Role != directory.RolePrimaryContact || f.State != directory.StateActive {
		return i, nil
	}
	n, err := w.PrimaryContacts(f.Organization)
	i.LastPrimaryContact = n == 1
	return i, err
}

func (w *work) bury(f found, impact Impact) error {
	m := f.Member
	m.State, m.RemovedAt, m.SuspendedAt, m.CPNI = directory.StateRemoved, &w.now, nil, false
	if err := first(w.tx.SetGrants(m.ID, Grants{}, w.actor.grantedBy()), w.tx.PutMember(m)); err != nil {
		return err
	}
	before := map[string]any{"state": f.State, "cpni_authorized": f.CPNI, "grants": impact.Grants}
	after := map[string]any{"state": m.State, "cpni_authorized": false, "grants": Grants{}.sorted()}
	if err := w.noteChange("member.removed", f.Organization, f.ID, before, after); err != nil {
		return err
	}
	person, err := w.Person(f.User)
	if err != nil || len(person.living()) > 0 {
		return err
	}
	return w.useReset(f.User)
}

// revokeAll revokes every invitation of the member's address that waits, or
// would wait again if it were sent again.
func (w *work) revokeAll(f found) ([]string, error) {
	revoked := []string{}
	key, err := directory.EmailKey(f.Email)
	if err != nil {
		return revoked, nil //nolint:nilerr // without an address it was invited nowhere
	}
	open, err := w.open(f.Organization, key)
	if err != nil {
		return nil, err
	}
	for _, inv := range open {
		if err := w.end(inv, InvitationRevoked); err != nil {
			return nil, err
		}
		if err := w.note("invitation.revoked", f.Organization, inv.ID, nil, map[string]any{"member": inv.Member}); err != nil {
			return nil, err
		}
		revoked = append(revoked, inv.ID)
	}
	return revoked, nil
}

// Restore brings a removed member back, active, with the role it had and no
// grants unless others are asked for (R81). Only the operator does.
func (p *PAP) Restore(ctx context.Context, call Call, organization, id string, in Restoration) (Member, Change, error) {
	return p.changeRemoved(ctx, call, organization, id, func(w *work, f found) error {
		m, r, err := w.restored(f, in)
		if err != nil {
			return err
		}
		a := f.ask("member.restore", r.offered(m.Role, m.Grants, false)...)
		a.gives, a.lasting = true, m.Grants.lasting(w.now)
		if err := w.authorize(a); err != nil {
			return err
		}
		if err := mustBeRemoved(f.Member); err != nil {
			return err
		}
		if err := first(w.hasSeat(f.organization, f.Affiliation), w.oneHolder(f.settings, organization, m.Role)); err != nil {
			return err
		}
		if err := first(w.tx.PutMember(m), w.tx.SetGrants(id, m.Grants, w.actor.grantedBy()), w.dropEmailChange(m.User)); err != nil {
			return err
		}
		before := map[string]any{"state": f.State, "role": f.Role, "grants": f.Grants.sorted()}
		return w.noteChange("member.restored", organization, id, before, map[string]any{"state": m.State, "role": m.Role, "grants": m.Grants})
	})
}

// restored is the member as it comes back, checked.
func (w *work) restored(f found, in Restoration) (Member, reach, error) {
	m := f.Member
	m.State, m.RemovedAt, m.Role, m.RoleAssignedBy = directory.StateActive, nil, or(in.Role, f.Role), w.actor.grantedBy()
	role, err := w.checkRole(m.Role)
	if err != nil {
		return m, reach{}, err
	}
	_, _, err = checkWho(m.Kind, m.Affiliation, m.Role)
	if err := first(err, assignable(f.organization, role)); err != nil {
		return m, reach{}, err
	}
	var r reach
	m.Grants, r, err = w.complete(f.Organization, "/grants", in.Grants)
	return m, r, err
}

// Purge takes what is personal from a removed member and, if it is a member of
// nothing else, from its user. Ids and what happened stay (R80). Only the
// operator does.
func (p *PAP) Purge(ctx context.Context, call Call, organization, id string) (Member, Change, error) {
	return p.changeRemoved(ctx, call, organization, id, func(w *work, f found) error {
		if err := w.authorize(f.ask("member.purge")); err != nil {
			return err
		}
		if err := mustBeRemoved(f.Member); err != nil {
			return err
		}
		if err := w.tx.Purge(id); err != nil {
			return err
		}
		return w.note("member.purged", organization, id, nil, nil)
	})
}

func mustBeRemoved(m Member) error {
	switch {
	case m.State != directory.StateRemoved:
		return conflict("not-removed", "the member is %s: remove it first", m.State)
	case m.PurgedAt != nil:
		return conflict("member-purged", "the member was purged: there is nobody left")
	}
	return nil
}

// changeRemoved does one change to a member that was removed.
func (p *PAP) changeRemoved(ctx context.Context, call Call, organization, id string, do func(*work, found) error) (Member, Change, error) {
	return change(ctx, p, call, func(w *work) (Member, string, error) {
		f, err := w.find(organization, id)
		if err == nil {
			err = w.checkMatch(f.Revision)
		}
		if err == nil {
			err = do(w, f)
		}
		if err != nil {
			return Member{}, "", err
		}
		m, err := w.again(f)
		return m, id, err
	}, func(w *work, id string) (Member, error) { return w.viewMember(organization, id) })
}
