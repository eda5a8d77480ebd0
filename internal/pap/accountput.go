package pap

import (
	"context"
	"errors"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// PutAccount makes an account of the organization, or changes it. It may move to
// another company of the organization, to no other one (R24).
func (p *PAP) PutAccount(ctx context.Context, call Call, organization string, in Account) (Account, Change, error) {
	return change(ctx, p, call, func(w *work) (Account, string, error) {
		if err := w.authorizeOver("account.update", organization, in.ID); err != nil {
			return Account{}, "", err
		}
		intake := intake{work: w, organization: organization}
		before, err := intake.check(in)
		if err != nil {
			return Account{}, "", err
		}
		if err := w.tx.PutAccount(directory.Account(in)); err != nil {
			return Account{}, "", err
		}
		if before == nil {
			return in, in.ID, w.noteChange("account.changed", organization, in.ID, nil, in)
		}
		kind := "account.changed"
		if before.Company != in.Company {
			kind = "account.moved"
		}
		return in, in.ID, w.noteChange(kind, organization, in.ID, *before, in)
	}, func(w *work, id string) (Account, error) { return w.account(organization, id) })
}

// MaxAccounts is how many accounts one batch may put.
const MaxAccounts = 1000

// An AccountResult is what became of one account of a batch.
type AccountResult struct {
	Index   int    `json:"index"`
	ID      string `json:"id"`
	Outcome string `json:"outcome"` // created, changed, unchanged or refused
	// Reason and Errors say why one was refused.
	Reason string  `json:"reason,omitempty"`
	Detail string  `json:"detail,omitempty"`
	Errors []Field `json:"errors,omitempty"`
}

// The outcomes of an account of a batch.
const (
	OutcomeCreated   = "created"
	OutcomeChanged   = "changed"
	OutcomeUnchanged = "unchanged"
	OutcomeRefused   = "refused"
)

// PutAccounts puts up to MaxAccounts accounts. What is right is kept and what is
// wrong is reported, each by its place in the list. Accounts may name contract
// and delivery accounts of the same batch, in any order.
func (p *PAP) PutAccounts(ctx context.Context, call Call, organization string, in []Account) ([]AccountResult, Change, error) {
	weigh := func(w *work) ([]AccountResult, error) {
		intake := intake{work: w, organization: organization}
		return intake.weigh(in)
	}
	return change(ctx, p, call, func(w *work) ([]AccountResult, string, error) {
		if err := w.authorizeOver("account.update", organization, organization); err != nil {
			return nil, "", err
		}
		if len(in) == 0 || len(in) > MaxAccounts {
			return nil, "", invalid("/accounts", "count", "send 1 to %d accounts, not %d", MaxAccounts, len(in))
		}
		results, err := weigh(w)
		if err != nil {
			return nil, "", err
		}
		if err := w.keep(in, results); err != nil {
			return nil, "", err
		}
		return results, organization, w.noteBatch(organization, results)
	}, afresh("account.update", organization, func(w *work, _ string) ([]AccountResult, error) { return weigh(w) }))
}

func (w *work) keep(in []Account, results []AccountResult) error {
	for i, r := range results {
		if r.Outcome == OutcomeRefused {
			continue
		}
		if err := w.tx.PutAccount(directory.Account(in[i])); err != nil {
			return err
		}
	}
	return nil
}

// noteBatch notes a batch as one event: how many there were of each outcome, and
// which were kept.
func (w *work) noteBatch(organization string, results []AccountResult) error {
	counts, ids := map[string]int{}, []string{}
	for _, r := range results {
		counts[r.Outcome]++
		if r.Outcome == OutcomeCreated || r.Outcome == OutcomeChanged {
			ids = append(ids, r.ID)
		}
	}
	return w.note("account.changed", organization, organization, nil, map[string]any{"counts": counts, "accounts": ids})
}

// An intake checks accounts that are to be put.
type intake struct {
	*work
	organization string
	batch        map[string]Account // those of the same batch that are right so far
	companies    map[string]error   // what is wrong with a company, once looked at
}

// weigh says of each account of a batch what would become of it: first of the
// contract and delivery accounts, which the others may name.
func (i *intake) weigh(in []Account) ([]AccountResult, error) {
	i.batch = map[string]Account{}
	results := make([]AccountResult, len(in))
	for _, ends := range []bool{true, false} {
		for n, a := range in {
			if isEnd(a) != ends {
				continue
			}
			r, err := i.one(n, a)
			if err != nil {
				return nil, err
			}
			results[n] = r
		}
	}
	return results, nil
}

func isEnd(a Account) bool {
	return a.Kind == directory.AccountContract || a.Kind == directory.AccountDelivery
}

func (i *intake) one(n int, a Account) (AccountResult, error) {
	r := AccountResult{Index: n, ID: a.ID}
	if _, twice := i.batch[a.ID]; twice {
		return r.refuse(invalid("/id", "duplicate", "account %q is in this batch twice", a.ID))
	}
	before, err := i.check(a)
	switch {
	case err != nil:
		return r.refuse(err)
	case before == nil:
		r.Outcome = OutcomeCreated
	case *before == a:
		r.Outcome = OutcomeUnchanged
	default:
		r.Outcome = OutcomeChanged
	}
	i.batch[a.ID] = a
	return r, nil
}

// refuse makes of a refusal a result; another error stays one.
func (r AccountResult) refuse(err error) (AccountResult, error) {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return r, err
	}
	r.Outcome, r.Reason, r.Detail, r.Errors = OutcomeRefused, refusal.Reason, refusal.Detail, refusal.Fields
	return r, nil
}

// check says what is wrong with an account by itself and in the directory, or
// what it was before, if it was.
func (i *intake) check(a Account) (*Account, error) {
	if err := directory.Account(a).Validate(); err != nil {
		return nil, wrong("", err)
	}
	before, err := i.before(a)
	if err != nil {
		return nil, err
	}
	if err := i.inOrganization(a.Company); err != nil {
		return nil, err
	}
	if err := i.end("contract", a.Contract); err != nil {
		return nil, err
	}
	return before, i.end("delivery", a.Delivery)
}

// before keeps what others rely on: grants that an account stays in its
// organization, services that it stays of its kind.
func (i *intake) before(a Account) (*Account, error) {
	known, err := i.Reader.Account(a.ID)
	switch {
	case errors.Is(err, authz.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case i.inOrganization(known.Company) != nil:
		return nil, elsewhere("account", a.ID)
	case known.Kind != a.Kind:
		return nil, conflict("kind-fixed", "account %q is of kind %s, and its kind never changes: choose another id", a.ID, known.Kind)
	}
	was := accountOf(known)
	return &was, i.mayMove(was, a.Company)
}

// mayMove: whoever holds an account is authorized for its company (R24).
func (i *intake) mayMove(a Account, company string) error {
	if a.Company == company {
		return nil
	}
	n, err := i.HoldersOutside(a.ID, company)
	if err == nil && n > 0 {
		return conflict("in-use", "account %q is held by %d members who are not authorized for company %q: authorize them or revoke it first", a.ID, n, company)
	}
	return err
}

func (i *intake) inOrganization(company string) error {
	if err, known := i.companies[company]; known {
		return err
	}
	_, err := i.company(i.organization, company)
	if errors.Is(err, authz.ErrNotFound) {
		err = invalid("/company", "unknown", "the organization has no company %q: put the company first", company)
	}
	if i.companies == nil {
		i.companies = map[string]error{}
	}
	i.companies[company] = err
	return err
}

// end checks the contract or delivery account that an account lies in.
func (i *intake) end(kind, id string) error {
	if id == "" {
		return nil
	}
	at, known := i.batch[id]
	if !known {
		var err error
		if at, err = i.account(i.organization, id); errors.Is(err, authz.ErrNotFound) {
			return invalid("/"+kind, "unknown", "the organization has no account %q: put it first, or in the same batch", id)
		} else if err != nil {
			return err
		}
	}
	if at.Kind != kind {
		return invalid("/"+kind, "value", "%s names account %q, which is of kind %s", kind, id, at.Kind)
	}
	return nil
}
