package pap

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// An actor is whoever a decision is about: a user, or a credential that acts by
// itself.
type actor struct {
	Actor
	user  *authz.User // nil: a credential by itself, or nobody
	roles []string    // of a credential by itself: operator, sync, identity, replicate
	bound []string    // the organizations its roles count in; empty: all
}

// roleOfScope is what a credential may be by itself. The policy says what each
// role may do.
func roleOfScope(s Scope) string {
	switch s {
	case ScopeOperator, ScopeSync, ScopeIdentity, ScopeReplicate:
		return string(s)
	}
	return ""
}

// identify finds out who acts.
func (w *work) identify() (err error) {
	p := w.call.Principal
	if p.Actor != "" {
		w.actor, err = w.userActor(p.Actor)
		if err != nil {
			return err
		}
		w.actor.Via = p.ID
		return w.mayActFor()
	}
	w.actor = credentialActor(p)
	w.actor.IP = w.ip()
	return nil
}

func credentialActor(p Principal) actor {
	a := actor{Actor: Actor{ID: p.ID, Kind: string(p.Kind)}, bound: p.Organizations}
	if p.Kind == Stranger {
		a.Actor = Actor{ID: "link", Kind: "link"}
	}
	for _, s := range p.Scopes {
		if role := roleOfScope(s); role != "" {
			a.roles = append(a.roles, role)
		}
	}
	return a
}

func (w *work) ip() string {
	if !w.call.IP.IsValid() {
		return ""
	}
	return w.call.IP.String()
}

// userActor is the user with that id as decisions see it. An unknown one is an
// actor too: the policy refuses it.
func (w *work) userActor(id string) (actor, error) {
	documents, err := w.Documents([]authz.Key{{Kind: authz.KindUser, ID: id}})
	if err != nil {
		return actor{}, err
	}
	a := actor{Actor: Actor{ID: id, Kind: "user", IP: w.ip()}, user: documents[0].User}
	if a.user == nil {
		a.user = &authz.User{ID: id, Removed: true}
	}
	a.SharedIdentity = a.user.Kind == directory.UserGroup
	if a.operator() {
		a.Kind = "operator"
	}
	return a, nil
}

// operator says whether the user is of the operator's staff.
func (a actor) operator() bool {
	if a.user == nil {
		return slices.Contains(a.roles, string(ScopeOperator))
	}
	return slices.ContainsFunc(a.user.Memberships, func(m authz.Membership) bool {
		return m.OrganizationKind == directory.OrganizationOperator && m.State == directory.StateActive
	})
}

// grantedBy is what the records say of grants and roles that the actor gives.
func (a actor) grantedBy() string {
	if a.operator() {
		return directory.ByOperator
	}
	return directory.ByUser
}

// mayActFor keeps a credential from speaking for more than it is for.
func (w *work) mayActFor() error {
	p := w.call.Principal
	switch {
	case p.Kind == JWT || p.Has(ScopeOperator):
		return nil
	case w.actor.operator():
		return refuse(authz.ErrForbidden, "operator-only", "this credential may not act for the operator's staff: that takes the scope operator")
	case p.Has(ScopeAct), p.Has(ScopeActRead) && w.tx == nil:
		return nil
	}
	return refuse(authz.ErrForbidden, "not-permitted", "this credential may not act for a user like that: see its scopes")
}

// membership is the one that governs in an organization: the user's own there,
// else the one in the operator organization.
func (a actor) membership(organization string) *authz.Membership {
	if a.user == nil {
		return nil
	}
	var staff *authz.Membership
	for i := range a.user.Memberships {
		m := &a.user.Memberships[i]
		if m.Organization == organization {
			return m
		}
		if m.OrganizationKind == directory.OrganizationOperator && staff == nil {
			staff = m
		}
	}
	return staff
}

// facts are what the policy may know of the actor in an organization: user and
// grants. Grants that end before lasting count for nothing, so that nothing is
// given that outlives what it was given from; a zero lasting counts all that
// hold now.
func (a actor) facts(organization string, now, lasting time.Time, gives bool) (user map[string]any, grants []any) {
	if a.user == nil {
		return a.credentialFacts()
	}
	m := a.membership(organization)
	user = map[string]any{"id": a.user.ID, "kind": a.user.Kind, "status": "active", "realm": a.realm(m), "cpni": false, "mfa": a.user.MFA, "tools": map[string]any{}}
	if m != nil {
		user["status"], user["organization"], user["role"] = m.State, m.Organization, m.Role
		user["affiliation"], user["cpni"] = m.Affiliation, m.CPNI
	}
	if a.user.Removed {
		user["status"] = "removed"
	}
	counts := func(expires time.Time) bool {
		if expires.IsZero() {
			return true
		}
		outlived := gives && (lasting.IsZero() || lasting.After(expires))
		return now.Before(expires) && !outlived
	}
	tools := user["tools"].(map[string]any)
	for i := range a.user.Memberships {
		other := &a.user.Memberships[i]
		staff := other.OrganizationKind == directory.OrganizationOperator && other.State == directory.StateActive
		if other != m && !staff { // what it is elsewhere is nothing here
			continue
		}
		grants = append(grants, grantFacts(other, counts)...)
		if other == m {
			for _, t := range m.Tools {
				if counts(t.Expires) {
					tools[t.ID] = len(t.Accounts)
				}
			}
		}
	}
	return user, grants
}

// realm is operator for the operator's staff and for account teams.
func (a actor) realm(m *authz.Membership) string {
	if a.operator() || m != nil && (m.OrganizationKind == directory.OrganizationOperator || m.Affiliation == directory.AffiliationAccountTeam) {
		return "operator"
	}
	return "customer"
}

// grantFacts are what a membership holds and where: as decisions count it,
// except that end customers manage nobody, whose accounts count only where a
// contract and a delivery meet (R36).
func grantFacts(m *authz.Membership, counts func(time.Time) bool) (grants []any) {
	role := func(s authz.Scope) map[string]any { return map[string]any{"role": m.Role, "scope": string(s)} }
	switch {
	case m.Affiliation == directory.AffiliationEndCustomer:
		return nil
	case m.Role == directory.RolePrimaryContact:
		grants = append(grants, role(authz.ScopeOf(authz.KindOrganization, m.Organization)))
	case m.OrganizationKind == directory.OrganizationOperator:
		grants = append(grants, role("realm:customer"))
	default:
		for _, g := range m.Grants {
			if counts(g.Expires) {
				grants = append(grants, role(g.Scope))
			}
		}
	}
	for _, t := range m.Tools {
		if !counts(t.Expires) {
			continue
		}
		for _, account := range t.Accounts {
			grants = append(grants, map[string]any{"tool": t.ID, "scope": string(authz.ScopeOf(authz.KindAccount, account))})
		}
	}
	return grants
}

// credentialFacts: what a key or token is by itself counts with every customer,
// or in the organizations it is bound to; the operator's also at home.
func (a actor) credentialFacts() (user map[string]any, grants []any) {
	if len(a.roles) == 0 {
		return nil, nil
	}
	user = map[string]any{"id": "credential:" + a.ID, "kind": "credential", "status": "active", "realm": "operator", "cpni": false, "mfa": false, "tools": map[string]any{}}
	scopes := []string{"realm:customer", "realm:operator"}
	if len(a.bound) > 0 {
		scopes = nil
		for _, o := range a.bound {
			scopes = append(scopes, string(authz.ScopeOf(authz.KindOrganization, o)))
		}
	}
	for _, role := range a.roles {
		for _, s := range scopes {
			grants = append(grants, map[string]any{"role": role, "scope": s})
		}
	}
	return user, grants
}

// isSelf says whether the actor is that user.
func (a actor) isSelf(user string) bool { return a.user != nil && user != "" && a.user.ID == user }

// kindOf is the kind of a scope: account, company and so on.
func kindOf(s authz.Scope) authz.Kind {
	kind, _, _ := strings.Cut(string(s), ":")
	return authz.Kind(kind)
}
