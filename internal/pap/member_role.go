package pap

import (
	"context"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// AssignRole gives a member another role, wherever the old one counted. Who may
// is the policy's; only the operator takes the last Primary Contact away.
func (p *PAP) AssignRole(ctx context.Context, call Call, organization, id, role string) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, id, func(w *work, f found) (Member, error) {
		to, err := w.checkRole(role)
		if err != nil {
			return Member{}, err
		}
		_, _, err = checkWho(f.Kind, f.Affiliation, role)
		if err := first(err, assignable(f.organization, to)); err != nil {
			return Member{}, err
		}
		a := f.ask("member.role.assign", f.reach.offered(role, Grants{}, false)...)
		a.gives, a.lasting = true, f.Grants.lasting(w.now)
		if err := w.authorize(a); err != nil {
			return Member{}, err
		}
		if role != f.Role {
			if err := first(w.sparesPrimaryContact(f.Member), w.oneHolder(f.settings, f.Organization, role)); err != nil {
				return Member{}, err
			}
		}
		return w.become(f, role, w.actor.grantedBy())
	})
}

// become gives a member a role and tells of it.
func (w *work) become(f found, role, assignedBy string) (Member, error) {
	if err := w.turn(f.Member, role, assignedBy); err != nil {
		return Member{}, err
	}
	return w.again(f)
}

func (w *work) turn(m Member, role, assignedBy string) error {
	before, after := map[string]string{"role": m.Role}, map[string]string{"role": role}
	m.Role, m.RoleAssignedBy = role, assignedBy
	if err := w.tx.PutMember(m); err != nil {
		return err
	}
	return w.note("member.role_changed", m.Organization, m.ID, before, after)
}

// assignable refuses a role that no member of the organization may have (R16).
func assignable(o directory.Organization, role directory.Role) error {
	switch {
	case role.PartnerOnly && o.Kind != directory.OrganizationPartner:
		return refuse(authz.ErrForbidden, "role-not-assignable", "role %q is for partner organizations", role.ID)
	case (role.ID == directory.RoleOperator) != (o.Kind == directory.OrganizationOperator) && oneOf(role.ID, directory.RoleOperator, directory.RolePrimaryContact):
		return refuse(authz.ErrForbidden, "role-not-assignable", "role %q is not for members of this organization", role.ID)
	}
	return nil
}

// sparesPrimaryContact keeps everybody but the operator from taking the last
// active Primary Contact of an organization away (R3). The transaction holds
// every other writer off, so two of them cannot take each other away.
func (w *work) sparesPrimaryContact(m Member) error {
	if m.Role != directory.RolePrimaryContact || m.State != directory.StateActive || w.actor.operator() {
		return nil
	}
	n, err := w.PrimaryContacts(m.Organization)
	if err == nil && n <= 1 {
		return conflict("last-primary-contact", "this is the organization's last active Primary Contact: only the operator takes it away")
	}
	return err
}

// oneHolder: where the Primary Contact hands over there is only one (R3).
func (w *work) oneHolder(s Settings, organization, role string) error {
	if role != directory.RolePrimaryContact || s.PrimaryContact.Mode != ModeTransferable {
		return nil
	}
	n, err := w.PrimaryContacts(organization)
	if err == nil && n > 0 {
		return conflict("primary-contact-held", "this organization has one Primary Contact, and has it: hand over instead")
	}
	return err
}

// TransferPrimaryContact makes another member the Primary Contact in place of
// the holder, who becomes administrator of what it was explicitly granted and of
// nothing else (R3). The actor is the holder, or the operator. Without a holder
// only the operator does it.
func (p *PAP) TransferPrimaryContact(ctx context.Context, call Call, organization, to string) (Member, Change, error) {
	return p.changeMember(ctx, call, organization, to, func(w *work, f found) (Member, error) {
		if f.settings.PrimaryContact.Mode != ModeTransferable {
			return Member{}, refuse(authz.ErrForbidden, "operator-only", "in this organization only the operator makes a Primary Contact: nobody hands over")
		}
		if err := w.authorize(f.ask("member.transfer", given{role: directory.RolePrimaryContact})); err != nil {
			return Member{}, err
		}
		_, _, err := checkWho(f.Kind, f.Affiliation, directory.RolePrimaryContact)
		switch {
		case err != nil:
			return Member{}, err
		case f.State != directory.StateActive:
			return Member{}, conflict("not-active", "the member is %s: only an active one becomes Primary Contact", f.State)
		}
		if err := w.stepDown(organization); err != nil {
			return Member{}, err
		}
		return w.become(f, directory.RolePrimaryContact, directory.BySystem)
	})
}

// stepDown makes an administrator of the organization's Primary Contact.
func (w *work) stepDown(organization string) error {
	holders, err := w.Reader.Members(MemberQuery{Organization: organization, Role: directory.RolePrimaryContact, Page: Page{Size: maxPage}})
	if err != nil {
		return err
	}
	for _, m := range holders {
		if m.State == directory.StateInvited {
			continue
		}
		if err := w.turn(m, directory.RoleAdministrator, directory.BySystem); err != nil {
			return err
		}
	}
	return nil
}
