package grant

import (
	"math"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// facts are what the policy may know about one request: user, grants, place,
// account and tool, each absent if the directory does not know it.
func (t *terms) facts(f found, now time.Time) ast.Value {
	var facts [5][2]*ast.Term
	n := 0
	put := func(key, value *ast.Term) {
		facts[n] = member(key, value)
		n++
	}
	where := t.place(f)
	if f.user != nil {
		ms := now.UnixMilli()
		governing := f.user.governs(organizationOf(where))
		put(t.names.user, t.user(f.user, governing, ms))
		put(t.names.grants, t.grants(&f, where, governing, ms))
	}
	if where != nil {
		put(t.names.place, where.fact)
	}
	if where != nil && where.account != nil {
		put(t.names.account, where.account)
	}
	if f.tool != nil {
		put(t.names.tool, t.tool(f.tool))
	}
	return ast.NewObject(facts[:n]...)
}

func organizationOf(p *place) string {
	if p == nil {
		return ""
	}
	return p.organization
}

// tool is the fact of the tool in question.
func (t *terms) tool(e *entry) *ast.Term {
	return ast.NewTerm(ast.NewObject(
		member(t.names.id, t.of(e.key.ID)),
		member(t.names.restricted, ast.InternedTerm(e.place.Restricted))))
}

// grants are the grants of a user that name a scope of the place and count now.
func (t *terms) grants(f *found, p *place, governing int, now int64) *ast.Term {
	if p == nil {
		return t.names.emptyGrants
	}
	var few [8]*ast.Term
	grants := few[:0]
	for i := range p.scopes {
		s := &p.scopes[i]
		if i == p.pair {
			grants = t.pairGrants(grants, f, p, governing, now)
			continue
		}
		for _, power := range f.granted(s) {
			alone := p.pair < 0 || s.via&viaItself != 0 || !f.user.memberships[power.membership].endCustomer
			if alone && f.user.counts(power, governing, now) {
				grants = append(grants, t.grant(power, s.term))
			}
		}
	}
	if len(grants) == 0 {
		return t.names.emptyGrants
	}
	return ast.ArrayTerm(append([]*ast.Term(nil), grants...)...)
}

// pairGrants are what an end customer was granted both on the contract and on
// the delivery side: either alone grants nothing (R36).
func (t *terms) pairGrants(grants []*ast.Term, f *found, p *place, governing int, now int64) []*ast.Term {
	var done []power
	for i := range p.scopes {
		if p.scopes[i].via&viaContract == 0 {
			continue
		}
		for _, power := range f.granted(&p.scopes[i]) {
			if !f.user.memberships[power.membership].endCustomer || !f.user.counts(power, governing, now) ||
				holds(done, power) || !f.delivers(p, power, governing, now) {
				continue
			}
			done = append(done, power)
			grants = append(grants, t.grant(power, p.scopes[p.pair].term))
		}
	}
	return grants
}

// delivers says whether the same role or tool counts on the delivery side.
func (f *found) delivers(p *place, power power, governing int, now int64) bool {
	for i := range p.scopes {
		if p.scopes[i].via&viaDelivery == 0 {
			continue
		}
		for _, other := range f.granted(&p.scopes[i]) {
			if other.same(power) && f.user.counts(other, governing, now) {
				return true
			}
		}
	}
	return false
}

func holds(powers []power, p power) bool {
	for _, other := range powers {
		if other.same(p) {
			return true
		}
	}
	return false
}

// same says whether two powers are the same but for when they expire.
func (p power) same(q power) bool {
	return p.membership == q.membership && p.tool == q.tool && p.name == q.name
}

func (t *terms) grant(p power, scope *ast.Term) *ast.Term {
	of := t.names.role
	if p.tool {
		of = t.names.tool
	}
	return ast.NewTerm(ast.NewObject(member(of, p.name), member(t.names.scope, scope)))
}

// A profile is a user fact, good as long as no tool in it expires and none that
// expired comes back by the clock being set.
type profile struct {
	from, until int64
	fact        *ast.Term
}

// user is the user fact where a membership governs.
func (t *terms) user(h *holder, governing int, now int64) *ast.Term {
	at := &h.profiles[len(h.memberships)]
	if governing != none {
		at = &h.profiles[governing]
	}
	if p := at.Load(); p != nil && p.from <= now && now < p.until {
		return p.fact
	}
	p := t.profile(h, governing, now)
	at.Store(p)
	return p.fact
}

func (t *terms) profile(h *holder, governing int, now int64) *profile {
	m := membership{status: t.of("active")}
	if governing != none {
		m = h.memberships[governing]
	}
	if h.removed {
		m.status = t.of("removed")
	}
	p := &profile{from: math.MinInt64, until: math.MaxInt64}
	fact := ast.NewObject(
		member(t.names.id, h.id),
		member(t.names.kind, h.kind),
		member(t.names.status, m.status),
		member(t.names.realm, t.of(h.realm(governing))),
		member(t.names.cpni, ast.InternedTerm(m.cpni)),
		member(t.names.mfa, ast.InternedTerm(h.mfa)),
		member(t.names.tools, p.tools(m.tools, now)))
	if governing != none {
		fact.Insert(t.names.organization, m.of)
		fact.Insert(t.names.affiliation, m.affiliation)
		fact.Insert(t.names.role, m.role)
	}
	p.fact = ast.NewTerm(fact)
	return p
}

// tools are the tools held now with the number of accounts on their lists, and
// narrows p to the time in which that is so.
func (p *profile) tools(held []tool, now int64) *ast.Term {
	tools := ast.NewObjectWithCapacity(len(held))
	for _, tool := range held {
		if tool.expires <= now {
			p.from = max(p.from, tool.expires)
			continue
		}
		p.until = min(p.until, tool.expires)
		tools.Insert(tool.id, ast.InternedTerm(tool.accounts))
	}
	return ast.NewTerm(tools)
}

// realm is operator for the operator's staff and for account teams. Where an
// operator's grants can count the realm is operator, whatever else governs.
func (h *holder) realm(governing int) string {
	if governing != none && h.memberships[governing].operatorRealm {
		return "operator"
	}
	for i := range h.memberships {
		if h.memberships[i].operator && h.memberships[i].active {
			return "operator"
		}
	}
	return "customer"
}
