package grant

import (
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxTerms bounds the interned terms; past it they are begun anew.
const maxTerms = 1 << 14

// terms makes the terms that facts are built of, one for each string that many
// documents share: roles, tools, organizations, companies, account groups.
// Terms are shared between decisions and must never be changed.
type terms struct {
	names names

	mu     sync.Mutex
	shared map[string]*ast.Term
}

// names are the names of facts.
type names struct {
	user, grants, place, account, tool                     *ast.Term
	id, kind, status, realm, organization, affiliation     *ast.Term
	cpni, mfa, tools, role, scope, restricted, emptyGrants *ast.Term
}

func newTerms() *terms {
	t := &terms{shared: map[string]*ast.Term{}}
	t.names = names{
		user: t.of("user"), grants: t.of("grants"), place: t.of("place"),
		account: t.of("account"), tool: t.of("tool"), id: t.of("id"), kind: t.of("kind"),
		status: t.of("status"), realm: t.of("realm"), organization: t.of("organization"),
		affiliation: t.of("affiliation"), cpni: t.of("cpni"), mfa: t.of("mfa"),
		tools: t.of("tools"), role: t.of("role"), scope: t.of("scope"),
		restricted: t.of("restricted"), emptyGrants: ast.ArrayTerm(),
	}
	return t
}

// of is the term of s.
func (t *terms) of(s string) *ast.Term {
	t.mu.Lock()
	defer t.mu.Unlock()
	if term, ok := t.shared[s]; ok {
		return term
	}
	if len(t.shared) >= maxTerms {
		t.shared = map[string]*ast.Term{}
	}
	s = strings.Clone(s) // not a piece of the answer it was read from
	term := ast.StringTerm(s)
	t.shared[s] = term
	return term
}

// member is one member of an object.
func member(key, value *ast.Term) [2]*ast.Term { return [2]*ast.Term{key, value} }
