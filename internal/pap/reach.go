package pap

import (
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// reach says where things of one organization lie: for each scope, every scope
// whose holder has all that the first one gives.
type reach struct {
	organization string
	realm        []authz.Scope // the organization and its realm
	of           map[authz.Scope][]authz.Scope
	restricted   map[string]bool   // by tool
	company      map[string]string // by account
	billing      map[string]bool   // by account: of kind billing
}

// reachOf looks up where everything in the grants lies. What the organization
// does not have is an error that says where in the request it stands; prefix is
// the JSON Pointer of the grants there.
func (w *work) reachOf(organization, prefix string, all ...Grants) (reach, error) {
	at, err := w.reachOfOrganization(organization)
	if err != nil {
		return reach{}, err
	}
	r := reach{
		organization: organization, realm: at, of: map[authz.Scope][]authz.Scope{},
		restricted: map[string]bool{}, company: map[string]string{}, billing: map[string]bool{},
	}
	for _, g := range all {
		if err := w.placeGrants(&r, prefix, g); err != nil {
			return reach{}, err
		}
	}
	return r, nil
}

// A named is a key, and where in the request it stands.
type named struct {
	key     authz.Key
	pointer string
}

func (g Grants) named(prefix string) (keys []named) {
	add := func(kind authz.Kind, id, list string, i int) {
		keys = append(keys, named{authz.Key{Kind: kind, ID: id}, pointer(prefix, list, i)})
	}
	for i, c := range g.Companies {
		add(authz.KindCompany, c.ID, "companies", i)
	}
	for i, a := range g.Accounts {
		add(authz.KindAccount, a.ID, "accounts", i)
	}
	for i, id := range g.AccountGroups {
		add(authz.KindAccountGroup, id, "account_groups", i)
	}
	for i, t := range g.Tools {
		add(authz.KindTool, t.ID, "tools", i)
		for _, id := range t.Accounts {
			add(authz.KindAccount, id, "tools", i)
		}
	}
	return keys
}

func (w *work) placeGrants(r *reach, prefix string, g Grants) error {
	wanted := g.named(prefix)
	keys := make([]authz.Key, 0, len(wanted))
	for _, n := range wanted {
		keys = append(keys, n.key)
	}
	documents, err := w.Documents(keys)
	if err != nil {
		return err
	}
	for i, d := range documents {
		if err := w.place(r, wanted[i], d.Place); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) place(r *reach, n named, p *authz.Place) error {
	switch {
	case n.key.Kind == authz.KindTool && p != nil:
		r.restricted[n.key.ID] = p.Restricted
		return nil
	case p == nil || p.Organization != r.organization:
		return invalid(n.pointer, "unknown", "the organization has no %s %q", n.key.Kind, n.key.ID)
	}
	scope := authz.ScopeOf(n.key.Kind, n.key.ID)
	if _, known := r.of[scope]; known {
		return nil
	}
	lies := []authz.Scope{scope}
	if n.key.Kind == authz.KindAccount {
		within, err := w.within(p)
		if err != nil {
			return err
		}
		lies = append(lies, within...)
		r.company[p.Account], r.billing[p.Account] = p.Company, p.AccountKind == directory.AccountBilling
	}
	r.of[scope] = append(lies, r.realm...)
	return nil
}

// within are the scopes between an account and its organization. An account that
// others lie in gives those too, so a company holds it only if it holds them.
func (w *work) within(p *authz.Place) (lies []authz.Scope, err error) {
	groups := slices.Clone(p.AccountGroups)
	for _, end := range []string{p.Contract, p.Delivery} {
		if end == "" || end == p.Account {
			continue
		}
		lies = append(lies, authz.ScopeOf(authz.KindAccount, end))
		d, err := w.Documents([]authz.Key{{Kind: authz.KindAccount, ID: end}})
		if err != nil {
			return nil, err
		}
		if d[0].Place != nil {
			groups = append(groups, d[0].Place.AccountGroups...)
		}
	}
	for _, g := range groups {
		lies = append(lies, authz.ScopeOf(authz.KindAccountGroup, g))
	}
	if p.AccountKind == directory.AccountContract || p.AccountKind == directory.AccountDelivery {
		others, err := w.EnclosedCompanies(p.Account)
		if err != nil || len(others) > 0 {
			return lies, err
		}
	}
	return append(lies, authz.ScopeOf(authz.KindCompany, p.Company)), nil
}

// given is what the grants give a member with that role, or would: the role in
// every scope, the tools with their accounts. A company that is only authorized,
// and in which nothing else of the grants lies, counts as the role there.
func (r reach) given(role string, g Grants) (list []given) {
	at := func(s authz.Scope) { list = append(list, given{role: role, scope: s, reach: r.of[s]}) }
	if role == directory.RolePrimaryContact {
		at(r.realm[0])
		list[0].reach = r.realm
	}
	used := r.companiesUsed(g)
	for _, c := range g.Companies {
		if scope := authz.ScopeOf(authz.KindCompany, c.ID); c.AllAccounts || !slices.Contains(used, scope) {
			at(scope)
		}
	}
	for _, a := range g.Accounts {
		at(authz.ScopeOf(authz.KindAccount, a.ID))
	}
	for _, id := range g.AccountGroups {
		at(authz.ScopeOf(authz.KindAccountGroup, id))
	}
	for _, t := range g.Tools {
		list = append(list, r.tool(t)...)
	}
	return list
}

func (r reach) tool(t ToolGrant) (list []given) {
	one := given{tool: t.ID, restricted: r.restricted[t.ID]}
	if len(t.Accounts) == 0 {
		return []given{one}
	}
	for _, id := range t.Accounts {
		there := one
		there.scope = authz.ScopeOf(authz.KindAccount, id)
		there.reach = r.of[there.scope]
		list = append(list, there)
	}
	return list
}

// companiesUsed are the companies of the accounts that the grants name.
func (r reach) companiesUsed(g Grants) (used []authz.Scope) {
	note := func(account string) { used = append(used, authz.ScopeOf(authz.KindCompany, r.company[account])) }
	for _, a := range g.Accounts {
		note(a.ID)
	}
	for _, t := range g.Tools {
		for _, a := range t.Accounts {
			note(a)
		}
	}
	return used
}

// lasting is when the last of the grants ends; zero: never. Grants that name
// nothing end at once, and so does a company that is only authorized: it opens
// nothing that has no end of its own.
func (g Grants) lasting(now time.Time) time.Time {
	all := func(c CompanyGrant) bool { return c.AllAccounts }
	if len(g.AccountGroups) > 0 || slices.ContainsFunc(g.Companies, all) {
		return time.Time{}
	}
	last := now
	note := func(t *time.Time) bool {
		if t != nil && t.After(last) {
			last = *t
		}
		return t == nil
	}
	for _, a := range g.Accounts {
		if note(a.ExpiresAt) {
			return time.Time{}
		}
	}
	for _, t := range g.Tools {
		if note(t.ExpiresAt) {
			return time.Time{}
		}
	}
	return last
}
