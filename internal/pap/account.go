package pap

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// An Account is what services are ordered, delivered and billed under.
type Account struct {
	ID      string `json:"id"`
	Company string `json:"company"`
	Kind    string `json:"kind"` // contract, delivery, billing or service; never changes
	Name    string `json:"name"`
	// Contract and Delivery are the accounts that a service or billing account
	// lies in (R36).
	Contract string `json:"contract,omitempty"`
	Delivery string `json:"delivery,omitempty"`
}

func accountOf(a directory.Account) Account { return Account(a) }

// Accounts lists by id order the accounts that the actor may see; the second
// result is what to go on after, or "". Billing accounts are for who may see
// money (R15).
func (p *PAP) Accounts(ctx context.Context, call Call, q AccountQuery) ([]Account, string, error) {
	var next string
	list, err := look(ctx, p, call, func(w *work) ([]Account, error) {
		seen, err := w.sight(q.Organization)
		if err != nil {
			return nil, err
		}
		found, err := w.accountsWithin(seen, q)
		if err != nil {
			return nil, err
		}
		next = after(found, q.Limit, func(a directory.Account) string { return a.ID })
		found = slices.DeleteFunc(found, func(a directory.Account) bool { return !seen.kind(a.Kind) })
		return each(found, func(a directory.Account) (Account, error) { return accountOf(a), nil })
	})
	return list, next, err
}

// A sight is which accounts of an organization an actor may see.
type sight struct {
	powers  []power
	whole   bool // all of them
	billing bool // those that show money, too
}

func (w *work) sight(organization string) (s sight, err error) {
	if s.powers, err = w.powersFor("company.view", organization); err != nil {
		return s, err
	}
	reach, err := w.reachOfOrganization(organization)
	if err != nil {
		return s, err
	}
	s.whole = covers(s.powers, reach)
	if w.actor.user == nil { // it keeps the accounts and is shown no money
		s.billing = true
		return s, nil
	}
	allowed := w.verdict
	_, err = w.powersFor("billing_account.view", organization)
	s.billing, w.verdict = err == nil, allowed
	if errors.Is(err, authz.ErrForbidden) {
		err = nil
	}
	return s, err
}

func (s sight) kind(kind string) bool { return s.billing || kind != directory.AccountBilling }

// accountsWithin reads a part of the accounts that the powers are about. Each
// power is a list of its own in the order of ids, and the least of them all are
// the part.
func (w *work) accountsWithin(s sight, q AccountQuery) ([]directory.Account, error) {
	if s.whole {
		return w.Reader.Accounts(q)
	}
	var all []directory.Account
	for _, p := range s.powers {
		some, err := w.accountsOf(p.scope, q)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b directory.Account) int { return strings.Compare(a.ID, b.ID) })
	all = slices.CompactFunc(all, func(a, b directory.Account) bool { return a.ID == b.ID })
	return all[:min(len(all), q.Limit)], nil
}

func (w *work) accountsOf(scope authz.Scope, q AccountQuery) ([]directory.Account, error) {
	id := idOf(scope)
	switch kindOf(scope) {
	case authz.KindCompany:
		if q.Company != "" && q.Company != id {
			return nil, nil
		}
		q.Company = id
		return w.Reader.Accounts(q)
	case authz.KindAccountGroup:
		g, err := w.AccountGroup(id)
		if err != nil {
			return nil, err
		}
		return w.accountsByID(g.Accounts, q)
	case authz.KindAccount:
		own, err := w.accountsByID([]string{id}, q)
		if err != nil || q.Within != "" && q.Within != id {
			return own, err
		}
		q.Within = id
		lie, err := w.Reader.Accounts(q)
		return append(own, lie...), err
	}
	return nil, nil
}

// accountsByID are those of the ids, which are in order, that the query asks
// for.
func (w *work) accountsByID(ids []string, q AccountQuery) (found []directory.Account, err error) {
	for _, id := range ids {
		if id <= q.After || len(found) == q.Limit {
			continue
		}
		a, err := w.Reader.Account(id)
		if err != nil {
			return nil, err
		}
		fits := (q.Company == "" || a.Company == q.Company) && (q.Kind == "" || a.Kind == q.Kind) &&
			(q.Within == "" || a.Contract == q.Within || a.Delivery == q.Within)
		if fits {
			found = append(found, a)
		}
	}
	return found, nil
}

// idOf is what a scope of one thing is about.
func idOf(s authz.Scope) string {
	_, id, _ := strings.Cut(string(s), ":")
	return id
}

// Account returns one that the actor may see.
func (p *PAP) Account(ctx context.Context, call Call, organization, id string) (Account, error) {
	return look(ctx, p, call, func(w *work) (Account, error) {
		seen, err := w.sight(organization)
		if err != nil {
			return Account{}, err
		}
		a, err := w.account(organization, id)
		if err != nil {
			return Account{}, err
		}
		r, err := w.reachOf(organization, "", Grants{Accounts: []AccountGrant{{ID: id}}})
		if err != nil {
			return Account{}, err
		}
		if !seen.kind(a.Kind) || !covers(seen.powers, r.of[authz.ScopeOf(authz.KindAccount, id)]) {
			return Account{}, notFound("account", id)
		}
		return a, nil
	})
}

// account reads one of the organization.
func (w *work) account(organization, id string) (Account, error) {
	a, err := w.Reader.Account(id)
	if err != nil {
		return Account{}, missing(err, "account", id)
	}
	if _, err := w.company(organization, a.Company); err != nil {
		return Account{}, missing(err, "account", id)
	}
	return accountOf(a), nil
}

// DeleteAccount takes away an account that nobody was granted, that is in no
// account group, and that no other lies in.
func (p *PAP) DeleteAccount(ctx context.Context, call Call, organization, id string) (Account, Change, error) {
	return change(ctx, p, call, func(w *work) (Account, string, error) {
		if err := w.authorizeOver("account.delete", organization, id); err != nil {
			return Account{}, "", err
		}
		before, err := w.account(organization, id)
		if err != nil {
			return Account{}, "", err
		}
		if err := w.deleteAccount(id); err != nil {
			return Account{}, "", inUse(err, "account %q is still granted, in an account group, or what others lie in: take it out there first", id)
		}
		return before, id, w.noteChange("account.deleted", organization, id, before, nil)
	}, func(_ *work, id string) (Account, error) { return Account{ID: id}, nil })
}

// deleteAccount takes nothing out of account groups, as a deletion would.
func (w *work) deleteAccount(id string) error {
	documents, err := w.Documents([]authz.Key{{Kind: authz.KindAccount, ID: id}})
	if err != nil {
		return err
	}
	if p := documents[0].Place; p != nil && len(p.AccountGroups) > 0 {
		return authz.ErrConflict
	}
	return w.tx.DeleteAccount(id)
}
