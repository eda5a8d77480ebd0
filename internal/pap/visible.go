package pap

import (
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// A view is how much of an organization's members the actor sees: all of it,
// or what its powers reach.
type view struct {
	powers []power
	wide   bool // a power counts in the whole organization
	// around are the scopes that the powers lie in, themselves included.
	around []authz.Scope
	tools  []string // that the actor holds there
	blind  bool     // to money: billing accounts are not for its role (R15)
}

// viewOf says what the actor sees of an organization's members. One that sees
// none is refused.
func (w *work) viewOf(organization string) (view, error) {
	powers, err := w.powersIn(organization)
	if err != nil {
		return view{}, err
	}
	at, err := w.reachOfOrganization(organization)
	if err != nil {
		return view{}, err
	}
	s := view{powers: powers, wide: covers(powers, at)}
	if s.blind, err = w.blind(powers); err != nil || s.wide {
		return s, err
	}
	if m := w.actor.membership(organization); m != nil {
		for _, t := range m.Tools {
			s.tools = append(s.tools, t.ID)
		}
	}
	s.around, err = w.around(organization, powers)
	return s, err
}

// viewOfSelf is what a member sees of itself: everything that is not money, and
// that too if its role may.
func (w *work) viewOfSelf(role string) (view, error) {
	blind, err := w.blind([]power{{role: role}})
	return view{wide: true, blind: blind}, err
}

// blind says whether none of the roles may know of billing accounts.
func (w *work) blind(powers []power) (bool, error) {
	may, err := w.Judge.Roles(w.ctx)
	if err != nil {
		return true, err
	}
	return !slices.ContainsFunc(powers, func(p power) bool {
		return slices.Contains(may[p.role], "billing_account.view")
	}), nil
}

// around are the scopes of the organization that a scope of the powers lies in.
func (w *work) around(organization string, powers []power) (all []authz.Scope, err error) {
	var keys []authz.Key
	for _, p := range powers {
		kind, id, _ := strings.Cut(string(p.scope), ":")
		keys = append(keys, authz.Key{Kind: authz.Kind(kind), ID: id})
	}
	documents, err := w.Documents(keys)
	if err != nil {
		return nil, err
	}
	r, err := w.reachOf(organization, "")
	for i, d := range documents {
		if err != nil {
			return nil, err
		}
		if d.Place != nil && d.Place.Organization == organization && keys[i].Kind != authz.KindOrganization {
			err = w.place(&r, named{key: keys[i]}, d.Place)
		}
	}
	for _, lies := range r.of {
		all = append(all, lies...)
	}
	return all, err
}

// meets says whether the member is one that the actor sees at all (R6): what it
// has and what the actor has overlap, or it has nothing yet.
func (s view) meets(m Member, r reach) bool {
	if s.wide {
		return true
	}
	if m.State == directory.StateRemoved || m.State == StateSuperseded {
		return false
	}
	held := r.given(m.Role, m.Grants)
	placed := slices.DeleteFunc(slices.Clone(held), func(g given) bool { return g.scope == "" })
	if len(placed) == 0 {
		return true
	}
	return slices.ContainsFunc(placed, func(g given) bool {
		return covers(s.powers, g.reach) || slices.Contains(s.around, g.scope)
	})
}

// sees says whether the actor sees a grant that lies there.
func (s view) sees(lies []authz.Scope) bool { return s.wide || covers(s.powers, lies) }

// split parts grants into those that the actor sees and those that stay hidden.
// A company that both lie in is in both.
func (s view) split(g Grants, r reach) (seen, hidden Grants) {
	account := func(id string) bool {
		return s.sees(r.of[authz.ScopeOf(authz.KindAccount, id)]) && !(s.blind && r.billing[id])
	}
	for _, a := range g.Accounts {
		to := pick(account(a.ID), &seen, &hidden)
		to.Accounts = append(to.Accounts, a)
	}
	for _, id := range g.AccountGroups {
		to := pick(s.sees(r.of[authz.ScopeOf(authz.KindAccountGroup, id)]), &seen, &hidden)
		to.AccountGroups = append(to.AccountGroups, id)
	}
	for _, t := range g.Tools {
		s.splitTool(t, account, &seen, &hidden)
	}
	inSeen, inHidden := r.companiesUsed(seen), r.companiesUsed(hidden)
	for _, c := range g.Companies {
		scope := authz.ScopeOf(authz.KindCompany, c.ID)
		if s.sees(r.of[scope]) {
			seen.Companies = append(seen.Companies, c)
			if slices.Contains(inHidden, scope) {
				hidden.Companies = append(hidden.Companies, CompanyGrant{ID: c.ID})
			}
			continue
		}
		used := slices.Contains(inSeen, scope)
		if used {
			seen.Companies = append(seen.Companies, CompanyGrant{ID: c.ID})
		}
		if !used || c.AllAccounts || slices.Contains(inHidden, scope) {
			hidden.Companies = append(hidden.Companies, c)
		}
	}
	return seen, hidden
}

func pick(yes bool, one, other *Grants) *Grants {
	if yes {
		return one
	}
	return other
}

// splitTool shows a tool with those of its accounts that the actor sees. A tool
// without accounts is seen by who holds it.
func (s view) splitTool(t ToolGrant, account func(string) bool, seen, hidden *Grants) {
	shown, rest := t, t
	shown.Accounts, rest.Accounts = []string{}, []string{}
	for _, id := range t.Accounts {
		if account(id) {
			shown.Accounts = append(shown.Accounts, id)
		} else {
			rest.Accounts = append(rest.Accounts, id)
		}
	}
	open := s.wide || len(t.Accounts) == 0 && slices.Contains(s.tools, t.ID)
	if open || len(shown.Accounts) > 0 {
		seen.Tools = append(seen.Tools, shown)
	}
	if len(rest.Accounts) > 0 || !open && len(shown.Accounts) == 0 {
		hidden.Tools = append(hidden.Tools, rest)
	}
}
