package pap

import (
	"context"
	"errors"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// An AccountGroup is a named set of accounts of one organization (R27). Its
// accounts change without anything being granted again.
type AccountGroup struct {
	ID       string         `json:"id"`   // chosen by the portal, or made here
	Kind     string         `json:"kind"` // service_group, customer_group_identifier or emedia_configuration; never changes
	Name     string         `json:"name"`
	Accounts []string       `json:"accounts"` // sorted
	Revision authz.Revision `json:"revision"` // of the last change to it; its ETag
}

// An AccountGroupPatch changes what it names.
type AccountGroupPatch struct {
	Name     *string   `json:"name,omitempty"`
	Accounts *[]string `json:"accounts,omitempty"` // all of them
}

// PrefixAccountGroup begins the ids of account groups that the portal gave none.
const PrefixAccountGroup = "agr_"

// AccountGroups lists by id order those that the actor may see; the second
// result is what to go on after, or "".
func (p *PAP) AccountGroups(ctx context.Context, call Call, organization string, page PageByID) ([]AccountGroup, string, error) {
	var next string
	list, err := look(ctx, p, call, func(w *work) ([]AccountGroup, error) {
		powers, err := w.powersFor("account_group.view", organization)
		if err != nil {
			return nil, err
		}
		found, err := w.AccountGroups(organization, page.After, page.Size)
		if err != nil {
			return nil, err
		}
		next = after(found, page.Size, func(g directory.AccountGroup) string { return g.ID })
		seen := make([]AccountGroup, 0, len(found))
		for _, g := range found {
			if sees, err := w.seesGroup(powers, g); err != nil {
				return nil, err
			} else if !sees {
				continue
			}
			shown, err := w.showAccountGroup(g)
			if err != nil {
				return nil, err
			}
			seen = append(seen, shown)
		}
		return seen, nil
	})
	return list, next, err
}

// seesGroup: whoever holds a group sees it, and whoever could have made it.
func (w *work) seesGroup(powers []power, g directory.AccountGroup) (bool, error) {
	if covers(powers, []authz.Scope{authz.ScopeOf(authz.KindAccountGroup, g.ID)}) {
		return true, nil
	}
	reach, err := w.reachOfGroup(g.Organization, g.ID, g.Accounts)
	return covers(powers, reach), err
}

// reachOfGroup are the scopes in which all of the accounts lie. The group itself
// is none of them: who holds it does not decide what is in it. An empty group
// lies in its organization.
func (w *work) reachOfGroup(organization, id string, accounts []string) ([]authz.Scope, error) {
	r, err := w.reachOf(organization, "", Grants{Accounts: grantsOf(accounts)})
	if err != nil {
		return nil, err
	}
	common := r.realm
	for i, a := range accounts {
		lies := r.of[authz.ScopeOf(authz.KindAccount, a)]
		if i == 0 {
			common = slices.Clone(lies)
			continue
		}
		common = slices.DeleteFunc(common, func(s authz.Scope) bool { return !slices.Contains(lies, s) })
	}
	itself := authz.ScopeOf(authz.KindAccountGroup, id)
	return slices.DeleteFunc(slices.Clone(common), func(s authz.Scope) bool { return s == itself }), nil
}

func (w *work) showAccountGroup(g directory.AccountGroup) (AccountGroup, error) {
	changed, err := w.Changed(authz.Key{Kind: authz.KindAccountGroup, ID: g.ID})
	return AccountGroup{ID: g.ID, Kind: g.Kind, Name: g.Name, Accounts: append([]string{}, g.Accounts...), Revision: changed}, err
}

// AccountGroup returns one that the actor may see.
func (p *PAP) AccountGroup(ctx context.Context, call Call, organization, id string) (AccountGroup, error) {
	return look(ctx, p, call, func(w *work) (AccountGroup, error) {
		g, err := w.groupSeen(organization, id)
		if err != nil {
			return AccountGroup{}, err
		}
		return w.showAccountGroup(g)
	})
}

// groupSeen reads an account group of the organization that the actor may see.
func (w *work) groupSeen(organization, id string) (directory.AccountGroup, error) {
	powers, err := w.powersFor("account_group.view", organization)
	if err != nil {
		return directory.AccountGroup{}, err
	}
	g, err := w.Reader.AccountGroup(id)
	if err != nil || g.Organization != organization {
		return g, unless(err, "account group", id)
	}
	if sees, err := w.seesGroup(powers, g); err != nil || !sees {
		return g, unless(err, "account group", id)
	}
	return g, nil
}

// groupByID shows one again after it was changed.
func (w *work) groupByID(id string) (AccountGroup, error) {
	g, err := w.Reader.AccountGroup(id)
	if err != nil {
		return AccountGroup{}, missing(err, "account group", id)
	}
	return w.showAccountGroup(g)
}

// MaxGrouped is how many accounts an account group may have by way of a request;
// an import may bring more.
const MaxGrouped = 10_000

func checkGrouped(accounts []string) error {
	if len(accounts) > MaxGrouped {
		return invalid("/accounts", "length", "%d accounts are more than %d: make two account groups, or import it", len(accounts), MaxGrouped)
	}
	return nil
}

// mayGroup asks about a group that has these accounts, or had and will have.
func (w *work) mayGroup(action string, g directory.AccountGroup, accounts []string, changes ...given) error {
	reach, err := w.reachOfGroup(g.Organization, g.ID, accounts)
	if err != nil {
		return err
	}
	return w.authorize(ask{
		action: action, organization: g.Organization, changes: changes, gives: len(changes) > 0,
		target: target{id: g.ID, kind: g.Kind, reach: reach},
	})
}

// regrouped is what changing the accounts of a group gives or takes: to everybody
// who holds it, their role in each account that comes or goes. A Primary Contact
// has them all in any case.
func (w *work) regrouped(g directory.AccountGroup, before, after []string) (changes []given, err error) {
	moved := slices.Concat(without(before, after), without(after, before))
	roles, err := w.RolesHolding(g.ID)
	if err != nil || len(moved) == 0 {
		return nil, err
	}
	r, err := w.reachOf(g.Organization, "", Grants{Accounts: grantsOf(moved)})
	if err != nil {
		return nil, err
	}
	for _, role := range roles {
		if role == directory.RolePrimaryContact {
			continue
		}
		for _, account := range moved {
			scope := authz.ScopeOf(authz.KindAccount, account)
			changes = append(changes, given{role: role, scope: scope, reach: r.of[scope]})
		}
	}
	return changes, nil
}

// without is what of the list is not in the other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return slices.Contains(other, id) })
}

// CreateAccountGroup makes one of accounts that lie within the actor's own
// scope. Customers make service groups only (R27).
func (p *PAP) CreateAccountGroup(ctx context.Context, call Call, organization string, in AccountGroup) (AccountGroup, Change, error) {
	return change(ctx, p, call, func(w *work) (AccountGroup, string, error) {
		if in.ID == "" {
			in.ID = w.NewID(PrefixAccountGroup)
		}
		if _, err := w.powersFor("account_group.view", organization); err != nil {
			return AccountGroup{}, "", err // and is told nothing of accounts
		}
		in.Accounts = sorted(in.Accounts)
		if err := checkGrouped(in.Accounts); err != nil {
			return AccountGroup{}, "", err
		}
		g := directory.AccountGroup{ID: in.ID, Organization: organization, Kind: in.Kind, Name: in.Name, Accounts: in.Accounts}
		if err := w.mayGroup("account_group.create", g, in.Accounts); err != nil {
			return AccountGroup{}, "", err
		}
		switch _, err := w.Reader.AccountGroup(g.ID); {
		case err == nil:
			return AccountGroup{}, "", conflict("id-taken", "the id %q of an account group is taken: choose another", g.ID)
		case !errors.Is(err, authz.ErrNotFound):
			return AccountGroup{}, "", err
		}
		made, err := w.writeGroup(g)
		if err != nil {
			return AccountGroup{}, "", err
		}
		return made, g.ID, w.noteChange("account_group.changed", organization, g.ID, nil, made)
	}, func(w *work, id string) (AccountGroup, error) {
		g, err := w.groupSeen(organization, id)
		if err != nil {
			return AccountGroup{}, err
		}
		return w.showAccountGroup(g)
	})
}

func (w *work) writeGroup(g directory.AccountGroup) (AccountGroup, error) {
	if err := g.Validate(); err != nil {
		return AccountGroup{}, wrong("", err)
	}
	if err := w.tx.PutAccountGroup(g); err != nil {
		return AccountGroup{}, err
	}
	return w.groupByID(g.ID)
}

// sorted is the list in order and without what it says twice.
func sorted(list []string) []string {
	own := append([]string{}, list...) // which JSON shows as [] and not as null
	slices.Sort(own)
	return slices.Compact(own)
}

// UpdateAccountGroup renames one or says what is in it. Both what was in it and
// what will be have to lie within the actor's own scope, so that nobody widens
// what it holds; and the actor has to be one who could give those accounts to
// everybody who holds the group.
func (p *PAP) UpdateAccountGroup(ctx context.Context, call Call, organization, id string, in AccountGroupPatch) (AccountGroup, Change, error) {
	return change(ctx, p, call, func(w *work) (AccountGroup, string, error) {
		g, err := w.groupSeen(organization, id)
		if err != nil {
			return AccountGroup{}, "", err
		}
		before, err := w.showAccountGroup(g)
		if err != nil {
			return AccountGroup{}, "", err
		}
		if err := w.checkMatch(before.Revision); err != nil {
			return AccountGroup{}, "", err
		}
		if in.Name != nil {
			g.Name = *in.Name
		}
		touched := before.Accounts
		if in.Accounts != nil {
			g.Accounts = sorted(*in.Accounts)
			touched = append(slices.Clone(g.Accounts), before.Accounts...)
		}
		if err := checkGrouped(g.Accounts); err != nil {
			return AccountGroup{}, "", err
		}
		changes, err := w.regrouped(g, before.Accounts, g.Accounts)
		if err != nil {
			return AccountGroup{}, "", err
		}
		if err := w.mayGroup("account_group.update", g, touched, changes...); err != nil {
			return AccountGroup{}, "", err
		}
		made, err := w.writeGroup(g)
		if err != nil {
			return AccountGroup{}, "", err
		}
		return made, id, w.noteChange("account_group.changed", organization, id, before, made)
	}, (*work).groupByID)
}

// SetAccountGroupAccounts makes the accounts of a group exactly these.
func (p *PAP) SetAccountGroupAccounts(ctx context.Context, call Call, organization, id string, accounts []string) (AccountGroup, Change, error) {
	return p.UpdateAccountGroup(ctx, call, organization, id, AccountGroupPatch{Accounts: &accounts})
}

// DeleteAccountGroup takes away a group that nobody holds.
func (p *PAP) DeleteAccountGroup(ctx context.Context, call Call, organization, id string) (AccountGroup, Change, error) {
	return change(ctx, p, call, func(w *work) (AccountGroup, string, error) {
		g, err := w.groupSeen(organization, id)
		if err != nil {
			return AccountGroup{}, "", err
		}
		before, err := w.showAccountGroup(g)
		if err != nil {
			return AccountGroup{}, "", err
		}
		if err := w.checkMatch(before.Revision); err != nil {
			return AccountGroup{}, "", err
		}
		if err := w.mayGroup("account_group.delete", g, g.Accounts); err != nil {
			return AccountGroup{}, "", err
		}
		if err := w.deleteGroup(organization, id); err != nil {
			return AccountGroup{}, "", inUse(err, "account group %q is still granted: revoke it first", id)
		}
		return before, id, w.noteChange("account_group.deleted", organization, id, before, nil)
	}, func(_ *work, id string) (AccountGroup, error) { return AccountGroup{ID: id, Accounts: []string{}}, nil })
}

// deleteGroup takes nothing from its holders, as a deletion would.
func (w *work) deleteGroup(organization, id string) error {
	holders, err := w.Members(MemberQuery{Organization: organization, AccountGroup: id, Page: Page{Size: 1}})
	if err != nil {
		return err
	}
	if len(holders) > 0 {
		return authz.ErrConflict
	}
	return w.tx.DeleteAccountGroup(id)
}
