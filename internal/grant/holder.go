package grant

import (
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
)

// never is the moment at which something that has no end ends.
const never = math.MaxInt64

// A holder is a user's grant document in the form decisions read it in: an
// index from scope to what is granted there. Beside the profiles it caches, it
// never changes. What a narrow one was granted on accounts is in parts.
type holder struct {
	user         string
	id, kind     *ast.Term
	removed, mfa bool
	narrow       bool
	memberships  []membership
	operator     int       // the membership in the operator organization, or none
	firstActive  int       // the first active membership, or none
	accounts     index     // by account id
	scopes       index     // by any other scope
	lists        [][]power // what is granted, as the indexes number it
	// profiles are the user fact by the membership that governs; the last one
	// is that of no membership.
	profiles []atomic.Pointer[profile]
}

// none is the number of a membership there is not.
const none = -1

// A membership is what decides whether and how its grants count.
type membership struct {
	id           string
	organization string
	active       bool
	operator     bool // in the operator organization
	endCustomer  bool // R36 holds for it
	granted      bool // its role counts where that was granted
	status       *ast.Term
	of           *ast.Term // the organization
	affiliation  *ast.Term
	role         *ast.Term
	// operatorRealm: in the operator organization or of an account team.
	operatorRealm bool
	cpni          bool
	tools         []tool
}

// A tool is a tool that a membership holds.
type tool struct {
	id       *ast.Term
	accounts int
	expires  int64
}

func (t tool) is(id string) bool { return t.id.Value.(ast.String) == ast.String(id) }

// A power is a role or a tool, granted to a membership until it expires.
type power struct {
	membership int32
	tool       bool
	name       *ast.Term // of the role or the tool; the same term for the same name within a document
	expires    int64     // milliseconds of Unix time
}

// holder prepares a grant document.
func (t *terms) holder(seed maphash.Seed, u *authz.User) *holder {
	w := writer{
		terms: t,
		h: &holder{
			user: u.ID, id: ast.StringTerm(u.ID), kind: t.of(u.Kind), removed: u.Removed, mfa: u.MFA, narrow: u.Narrow,
			operator: none, firstActive: none,
			accounts: index{seed: seed}, scopes: index{seed: seed}, lists: [][]power{nil},
			profiles: make([]atomic.Pointer[profile], len(u.Memberships)+1),
		},
		names: map[string]*ast.Term{}, longer: map[step]uint32{},
	}
	for i := range u.Memberships {
		w.membership(i, &u.Memberships[i])
	}
	w.h.accounts.clip()
	w.h.scopes.clip()
	return w.h
}

// A writer writes a holder.
type writer struct {
	terms  *terms
	h      *holder
	names  map[string]*ast.Term
	longer map[step]uint32
}

// A step leads from a list to the one that has a power more.
type step struct {
	list uint32
	more power
}

func (w *writer) membership(i int, m *authz.Membership) {
	added := membership{
		id:           m.ID,
		organization: m.Organization,
		active:       m.State == "active",
		operator:     m.OrganizationKind == "operator",
		endCustomer:  m.Affiliation == "end_customer",
		status:       w.terms.of(m.State),
		of:           w.terms.of(m.Organization),
		affiliation:  w.terms.of(m.Affiliation),
		role:         w.name(m.Role),
		cpni:         m.CPNI,
	}
	added.operatorRealm = added.operator || m.Affiliation == "account_team"
	if added.operator && w.h.operator == none {
		w.h.operator = i
	}
	if added.active && w.h.firstActive == none {
		w.h.firstActive = i
	}
	added.granted = w.role(i, m)
	for _, t := range m.Tools {
		added.tools = append(added.tools, w.tool(i, t))
	}
	w.h.memberships = append(w.h.memberships, added)
}

// role writes where a membership's role counts: a Primary Contact in the whole
// organization (R1), the operator's staff with every customer, everyone else in
// the accounts, account groups and companies they were granted. It reports
// whether it counts there.
func (w *writer) role(i int, m *authz.Membership) (granted bool) {
	if m.Role == "" {
		return false
	}
	role := power{membership: int32(i), name: w.name(m.Role), expires: never}
	switch {
	case m.Role == "primary_contact":
		w.add(&w.h.scopes, string(authz.ScopeOf(authz.KindOrganization, m.Organization)), role)
	case m.OrganizationKind == "operator":
		w.add(&w.h.scopes, "realm:customer", role)
	default:
		granted = true
		for _, g := range m.Grants {
			role.expires = end(g.Expires)
			w.scope(g.Scope, role)
		}
	}
	return granted
}

// scope writes a grant of an account, account group or company. No other scope
// can be granted.
func (w *writer) scope(s authz.Scope, p power) {
	kind, id, _ := strings.Cut(string(s), ":")
	switch authz.Kind(kind) {
	case authz.KindAccount:
		w.add(&w.h.accounts, id, p)
	case authz.KindAccountGroup, authz.KindCompany:
		w.add(&w.h.scopes, string(s), p)
	}
}

// tool writes where a tool may be used: in the accounts on its own list (R31),
// and nowhere in particular.
func (w *writer) tool(i int, t authz.Tool) tool {
	p := power{membership: int32(i), tool: true, name: w.name(t.ID), expires: end(t.Expires)}
	w.add(&w.h.scopes, string(authz.ScopeOf(authz.KindTool, t.ID)), p)
	for _, account := range t.Accounts {
		w.add(&w.h.accounts, account, p)
	}
	return tool{id: p.name, accounts: len(t.Accounts) + t.Unlisted, expires: p.expires}
}

// add adds a power to what is granted by a name.
func (w *writer) add(to *index, name string, p power) {
	list := to.at(name)
	*list = w.extend(*list, p)
}

// extend numbers the list that has one power more. There are few different
// lists however many accounts there are.
func (w *writer) extend(list uint32, more power) uint32 {
	s := step{list, more}
	if n, ok := w.longer[s]; ok {
		return n
	}
	w.h.lists = append(w.h.lists, with(w.h.lists[list], more))
	n := uint32(len(w.h.lists) - 1)
	w.longer[s] = n
	return n
}

// with is a list with one power more. The same power twice ends when the later
// one does.
func with(list []power, more power) []power {
	longer := make([]power, len(list), len(list)+1)
	copy(longer, list)
	for i, p := range longer {
		if p.same(more) {
			longer[i].expires = max(p.expires, more.expires)
			return longer
		}
	}
	return append(longer, more)
}

// name is the term of a role or tool, the same one throughout the document.
func (w *writer) name(s string) *ast.Term {
	if w.names[s] == nil {
		w.names[s] = w.terms.of(s)
	}
	return w.names[s]
}

// end is when something ends, in milliseconds of Unix time.
func end(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixMilli()
}

// governs is the membership that a place in an organization is governed by: the
// one in that organization, else the one in the operator organization, else,
// where there is no organization, the first active one.
func (h *holder) governs(organization string) int {
	for i := range h.memberships {
		if organization != "" && h.memberships[i].organization == organization {
			return i
		}
	}
	if h.operator != none || organization != "" {
		return h.operator
	}
	return h.firstActive
}

// granted is what is granted in a scope, whether or not it counts.
func (h *holder) granted(s *scope) []power {
	x := &h.scopes
	if s.account {
		x = &h.accounts
	}
	n, _ := x.find(s.name)
	return h.lists[n]
}

// counts says whether a power counts now, where a membership governs.
func (h *holder) counts(p power, governing int, now int64) bool {
	return now < p.expires && (h.memberships[p.membership].active || int(p.membership) == governing)
}

// bytes is what the holder takes, profiles included that are not made yet.
func (h *holder) bytes() int64 {
	size := h.accounts.bytes() + h.scopes.bytes() + holderBytes
	for _, list := range h.lists {
		size += sliceBytes + int64(cap(list))*powerBytes
	}
	for i := range h.memberships {
		size += membershipBytes + int64(len(h.memberships[i].tools))*heldToolBytes
	}
	return size
}
