package grant

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
)

// A place is every scope that a thing lies in, narrowest first. It never
// changes once made.
type place struct {
	organization string // empty for a tool alone
	scopes       []scope
	pair         int       // which scope is the pair of a contract and a delivery account; -1: none
	fact         *ast.Term // the scopes as an array
	account      *ast.Term // the account's fact, or nil
	// contract and delivery are the entries an account's place was made with:
	// it holds as long as these are the ones in force.
	contract, delivery *entry
}

// A scope is one scope of a place.
type scope struct {
	term    *ast.Term
	name    string // as holders are indexed: an account's id, or else the whole scope
	account bool
	via     via
}

// A via says by which accounts a place came to lie in a scope. It matters where
// a contract and a delivery account meet (R36).
type via uint8

const (
	viaItself via = 1 << iota // the thing, or what lies above it
	viaContract
	viaDelivery
)

// place is where the thing lies that a request is about; nil if the directory
// does not know it.
func (t *terms) place(f found) *place {
	var p *place
	switch {
	case f.thing != nil:
		p = t.placeOfThing(f)
	case f.contract != nil:
		p = t.placeOfPair(f.contract.place, f.delivery.place)
	case !f.toolFirst:
		return nil
	}
	if f.toolFirst {
		p = t.toolBefore(f.tool.key.ID, p)
	}
	return p
}

// placeOfThing is the place of an account, company, organization or account
// group. It is made once for as long as nothing in it changes.
func (t *terms) placeOfThing(f found) *place {
	if p := f.thing.made.Load(); p != nil && p.contract == f.contract && p.delivery == f.delivery {
		return p
	}
	b := builder{terms: t, pair: -1}
	if f.thing.key.Kind == authz.KindAccount {
		b.account(f.thing.place, groupsOf(f.contract), groupsOf(f.delivery))
	}
	b.above(f.thing.key, f.thing.place)
	p := b.done()
	p.organization = f.thing.place.Organization
	p.account = t.account(f.thing)
	p.contract, p.delivery = f.contract, f.delivery
	f.thing.made.Store(p)
	return p
}

// placeOfPair is where a contract and a delivery account meet when no account
// is named (R36). It lies in a company only if both accounts do.
func (t *terms) placeOfPair(contract, delivery *authz.Place) *place {
	b := builder{terms: t, pair: -1}
	b.meet(contract.Account, delivery.Account)
	b.groups(contract.AccountGroups, viaContract)
	b.groups(delivery.AccountGroups, viaDelivery)
	above := *contract
	if contract.Company != delivery.Company {
		above.Company = ""
	}
	b.above(authz.Key{}, &above)
	p := b.done()
	p.organization = contract.Organization
	return p
}

// toolBefore is the place of a tool: its own scope, then the place p of the
// account it is used for, if one is named.
func (t *terms) toolBefore(tool string, p *place) *place {
	b := builder{terms: t, pair: -1}
	b.add(authz.KindTool, tool, viaItself)
	if p == nil {
		return b.done()
	}
	b.scopes = append(b.scopes, p.scopes...)
	if p.pair >= 0 {
		b.pair = p.pair + 1
	}
	q := b.done()
	q.organization, q.account = p.organization, p.account
	return q
}

// account is the fact of an account; nil for any other thing.
func (t *terms) account(e *entry) *ast.Term {
	if e.key.Kind != authz.KindAccount {
		return nil
	}
	return ast.NewTerm(ast.NewObject(
		member(t.names.id, ast.StringTerm(e.key.ID)),
		member(t.names.kind, t.of(e.place.AccountKind))))
}

func groupsOf(e *entry) []string {
	if e == nil || e.place == nil {
		return nil
	}
	return e.place.AccountGroups
}

// A builder puts the scopes of a place together, narrowest first.
type builder struct {
	terms  *terms
	scopes []scope
	pair   int
}

// account adds an account, the accounts it lies in, and the account groups of
// them all.
func (b *builder) account(a *authz.Place, contractGroups, deliveryGroups []string) {
	self := viaItself
	switch met := a.Contract != "" && a.Delivery != ""; {
	case met && a.Account == a.Contract:
		self = viaContract
	case met && a.Account == a.Delivery:
		self = viaDelivery
	}
	b.add(authz.KindAccount, a.Account, self)
	b.meet(a.Contract, a.Delivery)
	b.groups(a.AccountGroups, self)
	b.groups(contractGroups, viaContract)
	b.groups(deliveryGroups, viaDelivery)
}

// meet adds a contract and a delivery account, and the pair if there are both.
func (b *builder) meet(contract, delivery string) {
	if contract != "" && delivery != "" {
		b.pair = len(b.scopes)
		pair := authz.PairScope(contract, delivery)
		b.scopes = append(b.scopes, scope{term: ast.StringTerm(string(pair)), name: string(pair)})
	}
	b.add(authz.KindAccount, contract, viaContract)
	b.add(authz.KindAccount, delivery, viaDelivery)
}

func (b *builder) groups(ids []string, v via) {
	for _, id := range ids {
		b.add(authz.KindAccountGroup, id, v)
	}
}

// above adds what a thing lies in whatever it is, the thing itself included
// unless it is an account.
func (b *builder) above(key authz.Key, p *authz.Place) {
	if key.Kind == authz.KindAccountGroup {
		b.add(authz.KindAccountGroup, key.ID, viaItself)
	}
	b.add(authz.KindCompany, p.Company, viaItself)
	b.add(authz.KindOrganization, p.Organization, viaItself)
	switch p.OrganizationKind {
	case "customer", "partner":
		b.add("realm", "customer", viaItself)
	case "operator":
		b.add("realm", "operator", viaItself)
	}
}

// add adds a scope, or one more way by which the place lies in it.
func (b *builder) add(kind authz.Kind, id string, v via) {
	if id == "" {
		return
	}
	s := scope{name: string(authz.ScopeOf(kind, id)), account: kind == authz.KindAccount, via: v}
	if s.account {
		s.term, s.name = ast.StringTerm(s.name), id
	} else {
		s.term = b.terms.of(s.name)
	}
	for i, have := range b.scopes {
		if have.name == s.name && have.account == s.account {
			b.scopes[i].via |= v
			return
		}
	}
	b.scopes = append(b.scopes, s)
}

func (b *builder) done() *place {
	array := make([]*ast.Term, len(b.scopes))
	for i, s := range b.scopes {
		array[i] = s.term
	}
	return &place{scopes: b.scopes, pair: b.pair, fact: ast.ArrayTerm(array...)}
}
