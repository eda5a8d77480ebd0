package pap

import (
	"context"
	"errors"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// A found is a member, as the directory has it and as the actor sees it.
type found struct {
	Member
	settings     Settings
	organization directory.Organization
	reach        reach
	view         view
	hidden       Grants // that the actor does not see
	self         bool   // it is the actor
}

// Member is one member, in any state. What the actor sees no part of is not
// found; who may see nobody sees itself.
func (p *PAP) Member(ctx context.Context, call Call, organization, id string) (Member, error) {
	return look(ctx, p, call, func(w *work) (Member, error) { return w.viewMember(organization, id) })
}

// Me is the actor's own membership of the organization, or its only one if the
// organization is empty.
func (p *PAP) Me(ctx context.Context, call Call, organization string) (Member, error) {
	return look(ctx, p, call, func(w *work) (Member, error) {
		id, organization, err := w.ownMembership(organization)
		if err != nil {
			return Member{}, err
		}
		return w.viewMember(organization, id)
	})
}

func (w *work) viewMember(organization, id string) (Member, error) {
	f, err := w.find(organization, id)
	if err != nil {
		return Member{}, err
	}
	if f.self {
		if err := w.authorize(f.ask("self.view")); err != nil {
			return Member{}, err
		}
	}
	return w.shown(f)
}

// ownMembership names the actor's living membership of the organization.
func (w *work) ownMembership(organization string) (id, in string, err error) {
	if w.actor.user == nil {
		return "", "", refuse(authz.ErrForbidden, "not-permitted", "this credential is no member of anything: send Postern-Actor with the user it acts for")
	}
	own := slices.DeleteFunc(slices.Clone(w.actor.user.Memberships), func(m authz.Membership) bool {
		return m.State == directory.StateRemoved || organization != "" && m.Organization != organization || !w.call.Principal.Bound(m.Organization)
	})
	switch len(own) {
	case 0:
		return "", "", refuse(authz.ErrNotFound, "not-found", "the actor is no member here")
	case 1:
		return own[0].ID, own[0].Organization, nil
	}
	return "", "", invalid("/organization", "missing", "the actor is a member of several organizations: say of which")
}

// find reads a member that the actor sees. A refusal to see anybody comes before
// whether there is such a member.
func (w *work) find(organization, id string) (found, error) {
	o, settings, err := w.organization(organization)
	if err != nil {
		return found{}, err
	}
	f := found{organization: o, settings: settings}
	f.Member, err = w.Member(organization, id)
	if err != nil && !errors.Is(err, authz.ErrNotFound) {
		return found{}, err
	}
	f.self = err == nil && w.actor.isSelf(f.User)
	if f.self {
		f.view, err = w.viewOfSelf(f.Role)
	} else if f.view, err = w.viewOf(organization); err == nil && f.ID == "" {
		err = notFound("member", id)
	}
	if err != nil {
		return found{}, err
	}
	return f, w.measure(&f)
}

// measure says where everything that the member has lies, and what of it the
// actor sees. A member of whom it sees nothing is not found.
func (w *work) measure(f *found) (err error) {
	if f.reach, err = w.reachOf(f.Organization, "", f.Grants); err != nil {
		return err
	}
	if !f.self && !f.view.meets(f.Member, f.reach) {
		return notFound("member", f.ID)
	}
	_, f.hidden = f.view.split(f.Grants, f.reach)
	return nil
}

// who is what the policy knows the member by: its user, if it has one.
func (m Member) who() string {
	if m.User == "" {
		return m.ID
	}
	return m.User
}

// ask is a question about the member with all that it has.
func (f found) ask(action string, changes ...given) ask {
	return ask{action: action, organization: f.Organization, changes: changes, target: target{
		id: f.who(), kind: f.Kind, role: f.Role, reach: f.reach.realm, held: f.reach.given(f.Role, f.Grants),
	}}
}

// shown is the member as the actor gets it.
func (w *work) shown(f found) (Member, error) {
	m := f.Member
	m.Grants, f.hidden = f.view.split(m.Grants, f.reach)
	m.Grants = m.Grants.sorted()
	m.Redacted = f.hidden.size() > 0
	m.CanSignIn = m.User != "" && m.State == directory.StateActive
	if len(m.Preferences) == 0 {
		m.Preferences = []byte("{}")
	}
	if m.RemovedAt != nil && m.PurgedAt == nil {
		purge := m.RemovedAt.Add(duration(f.settings.Removal.PurgeAfter, DefaultPurgeAfter))
		m.PurgeAt = &purge
	}
	name, err := w.roleName(f.settings, m.Role)
	m.RoleName = name
	return m, err
}

// roleName is what the organization calls a role.
func (w *work) roleName(s Settings, id string) (string, error) {
	roles, err := w.Roles()
	if err != nil {
		return "", err
	}
	name := id
	for _, r := range roles {
		if r.ID == id {
			name = r.Name
		}
	}
	return s.RoleName(id, name), nil
}

// again reads and shows a member after a change of it. The actor still sees what
// it saw, whatever the change was.
func (w *work) again(f found) (Member, error) {
	var err error
	if f.Member, err = w.Member(f.Organization, f.ID); err != nil {
		return Member{}, err
	}
	if f.reach, err = w.reachOf(f.Organization, "", f.Grants); err != nil {
		return Member{}, err
	}
	return w.shown(f)
}
