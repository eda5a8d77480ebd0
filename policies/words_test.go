package policies_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestNamesInRulesAreKnown wants every action, role and rule id that a rule
// spells out to exist. A role that nobody knows, compared with, is never equal:
// the rule would be silent and nothing else would say so.
func TestNamesInRulesAreKnown(t *testing.T) {
	dotted := regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)
	each(t, func(t *testing.T, l *layer) {
		actions, roles, ids := l.names("actions"), l.names("roles"), l.ids()
		for name, m := range l.rules {
			ast.WalkNodes(m, func(n ast.Node) bool {
				expr, ok := n.(*ast.Expr)
				if !ok {
					return false
				}
				about := mentionsRole(expr)
				for _, word := range literals(expr) {
					switch {
					case dotted.MatchString(word) && !slices.Contains(actions, word) && !slices.Contains(ids, word):
						t.Errorf("%s:%d: there is no action or rule %q", name, expr.Location.Row, word)
					case about && !slices.Contains(roles, word):
						t.Errorf("%s:%d: there is no role %q", name, expr.Location.Row, word)
					}
				}
				return false
			})
			for _, rule := range m.Rules {
				for _, arg := range rule.Head.Args {
					if role, ok := arg.Value.(ast.String); ok && !slices.Contains(roles, string(role)) {
						t.Errorf("%s:%d: there is no role %q", name, rule.Location.Row, role)
					}
				}
			}
		}
	})
}

// names are the keys of a part of the catalog, the overlay's included.
func (l *layer) names(part string) (names []string) {
	custom, _ := l.data["custom"].(map[string]any)
	for _, parent := range []map[string]any{l.data, custom} {
		catalog, _ := parent["catalog"].(map[string]any)
		entries, _ := catalog[part].(map[string]any)
		for name := range entries {
			names = append(names, name)
		}
	}
	return names
}

func (l *layer) ids() (ids []string) {
	for _, m := range l.deciding() {
		for _, rule := range m.Rules {
			if id, _ := labelled(rule); id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// mentionsRole says of an expression whether it compares a role.
func mentionsRole(expr *ast.Expr) (found bool) {
	ast.WalkRefs(expr, func(r ast.Ref) bool {
		found = found || r[len(r)-1].Equal(ast.StringTerm("role"))
		return false
	})
	ast.WalkVars(expr, func(v ast.Var) bool {
		found = found || v == "role" || strings.HasPrefix(string(v), "roles_")
		return false
	})
	return found && expr.IsCall() && !strings.Contains(expr.Operator().String(), "kinds")
}

// literals are the strings that an expression compares or passes, not the parts
// of its references nor the keys of its objects.
func literals(expr *ast.Expr) (words []string) {
	if !expr.IsCall() {
		return nil
	}
	for _, operand := range expr.Operands() {
		for _, term := range elements(operand) {
			if s, ok := term.Value.(ast.String); ok {
				words = append(words, string(s))
			}
		}
	}
	return words
}

// elements are a term, or the elements of it if it is a set or an array.
func elements(term *ast.Term) (terms []*ast.Term) {
	switch v := term.Value.(type) {
	case ast.Set:
		return v.Slice()
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { terms = append(terms, t) })
		return terms
	}
	return []*ast.Term{term}
}
