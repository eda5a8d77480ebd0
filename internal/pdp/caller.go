package pdp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
)

// mayAsk keeps a caller that may ask about some things only to requests: of
// another input nobody can tell what it is about.
func mayAsk(c authz.Caller, it Item) error {
	if it.Bare && restricted(c) {
		return fmt.Errorf("caller %s may ask about some organizations or actions only: send an input with subject, action and resource: %w", c.ID, authz.ErrForbidden)
	}
	return mayAskAction(c, it.Request.Action.Name)
}

// mayAskAction keeps a caller to the actions its key was made for (T1).
func mayAskAction(c authz.Caller, action string) error {
	if len(c.Actions) == 0 || slices.ContainsFunc(c.Actions, func(prefix string) bool { return strings.HasPrefix(action, prefix) }) {
		return nil
	}
	return fmt.Errorf("caller %s may ask about actions that begin with %s, and %.60q does not: %w",
		c.ID, strings.Join(c.Actions, " or "), action, authz.ErrForbidden)
}

// mayAskOf keeps a caller to its organizations: the resource must lie in one of
// them. What the directory cannot place lies in none.
func mayAskOf(c authz.Caller, facts ast.Value) error {
	if len(c.Organizations) == 0 || slices.ContainsFunc(organizations(facts), func(id string) bool { return slices.Contains(c.Organizations, id) }) {
		return nil
	}
	return fmt.Errorf("caller %s may ask about resources of %s, and this is none that the directory knows there: %w",
		c.ID, strings.Join(c.Organizations, " or "), authz.ErrForbidden)
}

// organizations are those of the place in facts.
func organizations(facts ast.Value) (ids []string) {
	object, ok := facts.(ast.Object)
	if !ok {
		return nil
	}
	place := object.Get(ast.InternedTerm("place"))
	if place == nil {
		return nil
	}
	scopes, ok := place.Value.(*ast.Array)
	if !ok {
		return nil
	}
	scopes.Foreach(func(t *ast.Term) {
		scope, _ := t.Value.(ast.String)
		if id, ok := strings.CutPrefix(string(scope), string(authz.KindOrganization)+":"); ok {
			ids = append(ids, id)
		}
	})
	return ids
}
