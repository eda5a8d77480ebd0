package pap

import (
	"context"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Access is what a member can reach: accounts, however it came by them, product
// tools with their own lists, and what its role permits (R57-R60). Billing
// accounts are left out for a role that may not know of them (R15).
func (p *PAP) Access(ctx context.Context, call Call, q AccessQuery) (Access, error) {
	return look(ctx, p, call, func(w *work) (Access, error) {
		if q.Member == "" {
			var err error
			if q.Member, q.Organization, err = w.ownMembership(q.Organization); err != nil {
				return Access{}, err
			}
		}
		f, err := w.find(q.Organization, q.Member)
		if err == nil && f.self {
			err = w.authorize(f.ask("self.view"))
		}
		if err != nil {
			return Access{}, err
		}
		q.Limit = pageSize(q.Limit)
		return w.access(f, q)
	})
}

func (w *work) access(f found, q AccessQuery) (Access, error) {
	a := Access{Organization: f.Organization, Member: f.ID, State: f.State, Accounts: []AccessAccount{}, Tools: AccessTools{Items: []AccessTool{}}}
	var err error
	if a.Role, err = w.accessRole(f); err != nil || f.State != directory.StateActive {
		return a, err
	}
	f.view.blind = f.view.blind || !slices.Contains(a.Role.Permissions, "billing_account.view")
	shown, hidden := f.view.split(f.Grants, f.reach)
	a.Redacted = hidden.size() > 0
	if err := w.accessAccounts(f, q, &a); err != nil {
		return Access{}, err
	}
	return a, w.accessTools(f, shown.Tools, &a)
}

func (w *work) accessRole(f found) (AccessRole, error) {
	name, err := w.roleName(f.settings, f.Role)
	if err != nil {
		return AccessRole{}, err
	}
	may, err := w.Judge.Roles(w.ctx)
	if err != nil {
		return AccessRole{}, err
	}
	return AccessRole{ID: f.Role, Name: name, Permissions: append([]string{}, may[f.Role]...)}, nil
}

// accessAccounts goes through the organization's accounts and lists those that
// the member reaches, up to the limit.
func (w *work) accessAccounts(f found, q AccessQuery, a *Access) error {
	h := f.holding(w.now)
	for after := q.After; ; {
		accounts, err := w.Accounts(AccountQuery{Organization: f.Organization, After: after, Limit: maxPage})
		if err != nil {
			return err
		}
		places, err := w.placesOf(accounts)
		if err != nil {
			return err
		}
		for _, account := range accounts {
			if !h.reaches(places, account.ID) {
				continue
			}
			if seen, err := w.seesAccount(f, places[account.ID]); err != nil || !seen {
				a.Redacted = true
				if err != nil {
					return err
				}
				continue
			}
			if len(a.Accounts) == q.Limit {
				a.Next = a.Accounts[q.Limit-1].ID
				return nil
			}
			a.Accounts = append(a.Accounts, AccessAccount{ID: account.ID, Company: account.Company, Kind: account.Kind, Name: account.Name})
		}
		if len(accounts) < maxPage {
			return nil
		}
		after = accounts[len(accounts)-1].ID
	}
}

// seesAccount says whether the actor may know that the member reaches it.
func (w *work) seesAccount(f found, p *authz.Place) (bool, error) {
	if f.view.blind && p.AccountKind == directory.AccountBilling {
		return false, nil
	}
	if f.view.wide {
		return true, nil
	}
	key := authz.Key{Kind: authz.KindAccount, ID: p.Account}
	if err := w.place(&f.reach, named{key: key}, p); err != nil {
		return false, err
	}
	return f.view.sees(f.reach.of[authz.ScopeOf(key.Kind, key.ID)]), nil
}

// placesOf are the places of accounts, and of those that they lie in.
func (w *work) placesOf(accounts []directory.Account) (map[string]*authz.Place, error) {
	places := map[string]*authz.Place{}
	for _, a := range accounts {
		for _, id := range []string{a.ID, a.Contract, a.Delivery} {
			if id != "" {
				places[id] = nil
			}
		}
	}
	keys := make([]authz.Key, 0, len(places))
	for id := range places {
		keys = append(keys, authz.Key{Kind: authz.KindAccount, ID: id})
	}
	documents, err := w.Documents(keys)
	for i, d := range documents {
		places[keys[i].ID] = d.Place
	}
	return places, err
}

// A holding is what a member's role counts for, to look up.
type holding struct {
	everything  bool
	endCustomer bool
	scopes      map[authz.Scope]bool
}

func (f found) holding(now time.Time) holding {
	h := holding{
		everything:  f.Role == directory.RolePrimaryContact,
		endCustomer: f.Affiliation == directory.AffiliationEndCustomer,
		scopes:      map[authz.Scope]bool{},
	}
	for _, c := range f.Grants.Companies {
		h.scopes[authz.ScopeOf(authz.KindCompany, c.ID)] = c.AllAccounts
	}
	for _, a := range f.Grants.Accounts {
		h.scopes[authz.ScopeOf(authz.KindAccount, a.ID)] = a.ExpiresAt == nil || now.Before(*a.ExpiresAt)
	}
	for _, id := range f.Grants.AccountGroups {
		h.scopes[authz.ScopeOf(authz.KindAccountGroup, id)] = true
	}
	return h
}

// reaches is how decisions count: what is granted on the contract or delivery
// account that an account lies in counts for it, and to an end customer only on
// both where there are both (R36).
func (h holding) reaches(places map[string]*authz.Place, account string) bool {
	p := places[account]
	if p == nil {
		return false
	}
	if h.everything || h.holds(p) || h.scopes[authz.ScopeOf(authz.KindCompany, p.Company)] {
		return true
	}
	contract := p.Contract != "" && h.holds(places[p.Contract])
	delivery := p.Delivery != "" && h.holds(places[p.Delivery])
	if h.endCustomer && p.Contract != "" && p.Delivery != "" {
		return contract && delivery
	}
	return contract || delivery
}

// holds says whether an account is granted itself or by an account group.
func (h holding) holds(p *authz.Place) bool {
	return p != nil && (h.scopes[authz.ScopeOf(authz.KindAccount, p.Account)] ||
		slices.ContainsFunc(p.AccountGroups, func(id string) bool { return h.scopes[authz.ScopeOf(authz.KindAccountGroup, id)] }))
}

// accessTools lists the tools that a member holds, with what their lists show. A
// Primary Contact has every tool that is not restricted (R1).
func (w *work) accessTools(f found, held []ToolGrant, a *Access) error {
	tools, err := w.Tools()
	if err != nil {
		return err
	}
	for _, t := range tools {
		g, there := byID(held, func(g ToolGrant) bool { return g.ID == t.ID })
		there = there && (g.ExpiresAt == nil || w.now.Before(*g.ExpiresAt))
		all := f.Role == directory.RolePrimaryContact && !t.Restricted
		if there || all {
			a.Tools.Items = append(a.Tools.Items, AccessTool{ID: t.ID, Name: t.Name, AllAccounts: all, Accounts: append([]string{}, g.Accounts...), ExpiresAt: g.ExpiresAt})
		}
	}
	a.Tools.Count = len(a.Tools.Items)
	return nil
}
