package policies_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestWhatOthersReadIsDescribed wants METADATA on every package and on every rule
// that another package reads or that is an answer.
func TestWhatOthersReadIsDescribed(t *testing.T) {
	each(t, func(t *testing.T, l *layer) {
		read := readByOthers(l.compiled(t), l.tests)
		for name, m := range l.rules {
			described := map[string]bool{}
			for _, a := range m.Annotations {
				if a.Title != "" || a.Description != "" {
					described[a.GetTargetPath().String()] = true
				}
			}
			if !described[m.Package.Path.String()] {
				t.Errorf("%s: the package has no METADATA title", name)
			}
			for _, rule := range m.Rules {
				if is := rule.Ref().GroundPrefix(); read(is) && !described[is.String()] {
					t.Errorf("%s:%d: others read %s, and it has no METADATA", name, rule.Location.Row, is)
				}
			}
		}
	})
}

// readByOthers says of a rule whether a module of another package reads it.
func readByOthers(c *ast.Compiler, tests map[string]*ast.Module) func(ast.Ref) bool {
	var refs []ast.Ref
	for _, m := range c.Modules {
		if tests[m.Package.Location.File] != nil {
			continue
		}
		ast.WalkRefs(m, func(r ast.Ref) bool {
			if r.HasPrefix(ast.DefaultRootRef) && !r.HasPrefix(m.Package.Path) {
				refs = append(refs, r.GroundPrefix())
			}
			return false
		})
	}
	return func(rule ast.Ref) bool {
		return slices.ContainsFunc(refs, func(r ast.Ref) bool { return len(r) > 2 && (r.HasPrefix(rule) || rule.HasPrefix(r)) })
	}
}

// verdicts are the rules whose members are told to the caller or the log: each
// has an id and words of its own.
var verdicts = []string{"permits", "forbids", "lacks", "obligations"}

// TestEveryVerdictHasAnIDOfItsOwn wants a label that no other rule has, in the
// package's own name, and a title to tell the caller.
func TestEveryVerdictHasAnIDOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	each(t, func(t *testing.T, l *layer) {
		for name, m := range l.rules {
			for _, rule := range m.Rules {
				if !slices.Contains(verdicts, rule.Head.Name.String()) || relays(rule) {
					continue
				}
				id, title := labelled(rule)
				switch {
				case id == "" || title == "":
					t.Errorf("%s:%d: a rule of %s without METADATA title and labels.rule", name, rule.Location.Row, rule.Head.Name)
				case seen[id] != "":
					t.Errorf("%s:%d: %s is the id of %s already", name, rule.Location.Row, id, seen[id])
				}
				seen[id] = rule.Location.String()
				if words := string(rule.Location.Text); strings.Contains(words, `"rule":`) && !strings.Contains(words, id) {
					t.Errorf("%s:%d: labelled %s, and says something else", name, rule.Location.Row, id)
				}
			}
		}
	})
}

// relays says of a rule that it only hands on the verdicts of another package.
func relays(rule *ast.Rule) bool {
	value, ok := rule.Head.Key.Value.(ast.Var)
	return ok && value == "refusal"
}

func labelled(rule *ast.Rule) (id, title string) {
	for _, a := range rule.Annotations {
		if label, ok := a.Labels["rule"].(string); ok {
			return label, a.Title
		}
	}
	return "", ""
}
