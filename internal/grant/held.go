package grant

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
)

// maxHeld is the most grants of one user that Held returns: a filter that is made
// of more is none that a database would take.
const maxHeld = 1000

// Held returns the facts on a subject alone, for rules that list what it may reach:
// the user as where no place is known, and all grants that count now, in whatever
// scope. A user of more grants than 1,000 is an error of kind authz.ErrInvalid; the
// other errors are those of Gather.
//
// An end customer's grant of a contract account or a delivery account reaches
// nothing by itself but that account (R36): the user's affiliation says so.
func (p *PIP) Held(ctx context.Context, subject authz.Subject, atLeast authz.Revision) (ast.Value, authz.AsOf, error) {
	g, err := p.gather(ctx, []authz.Request{{Subject: subject}}, atLeast)
	if err != nil {
		return nil, authz.AsOf{}, ours(err)
	}
	h := g.found[0].user
	if h == nil {
		return ast.NewObject(), g.asOf, nil
	}
	governing, now := h.governs(""), g.now.UnixMilli()
	grants, fits := p.terms.held(h, governing, now)
	if !fits {
		return nil, authz.AsOf{}, fmt.Errorf("the user has more than %d grants, which are too many for a filter: ask about the resources one by one, or in batches: %w", maxHeld, authz.ErrInvalid)
	}
	return ast.NewObject(
		member(p.terms.names.user, p.terms.user(h, governing, now)),
		member(p.terms.names.grants, grants)), g.asOf, nil
}

// held are all grants of a user that count, and whether they are few enough.
func (t *terms) held(h *holder, governing int, now int64) (grants *ast.Term, fits bool) {
	var all []*ast.Term
	add := func(x *index, scope func(name string) *ast.Term) {
		for i := range x.ends {
			for _, power := range h.lists[x.what[i]] {
				if len(all) <= maxHeld && h.counts(power, governing, now) {
					all = append(all, t.grant(power, scope(x.name(uint32(i)))))
				}
			}
		}
	}
	add(&h.scopes, ast.StringTerm)
	add(&h.accounts, func(id string) *ast.Term { return ast.StringTerm(string(authz.ScopeOf(authz.KindAccount, id))) })
	return ast.ArrayTerm(all...), len(all) <= maxHeld && !h.narrow
}
