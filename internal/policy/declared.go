package policy

import (
	"fmt"
	"maps"
	"path"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxNames bounds the names that a generation declares for metrics.
const maxNames = 500

// names are what policies declare by name.
type names struct {
	entrypoints           []string
	actions, roles, rules map[string]bool
}

func declared(made compiled, layers []*layer) names {
	n := names{actions: map[string]bool{}, roles: map[string]bool{}, rules: map[string]bool{}}
	for _, at := range [][]string{{"catalog"}, {"custom", "catalog"}} {
		catalog := find(made.data, at...)
		addKeys(n.actions, find(catalog, "actions"))
		addKeys(n.roles, find(catalog, "roles"))
	}
	for _, a := range made.compiler.GetAnnotationSet().Flatten() {
		if a.Annotations.Entrypoint {
			if pointer, err := a.Path.Ptr(); err == nil {
				n.entrypoints = append(n.entrypoints, pointer)
			}
		}
		if rule, ok := a.Annotations.Labels["rule"].(string); ok && len(n.rules) < maxNames {
			n.rules[rule] = true
		}
	}
	return n
}

// find gives the value at a path of data, or nil.
func find(v any, path ...string) any {
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

func addKeys(to map[string]bool, v any) {
	object, _ := v.(map[string]any)
	for name := range maps.Keys(object) {
		if len(to) < maxNames {
			to[name] = true
		}
	}
}

// missingData refuses policies that read data nobody brings: such a package
// compiles, and then denies everything without a word (decision-api.md §5.5).
// data.custom is what overlays may bring, and so may be missing.
func missingData(layers []*layer, made compiled) error {
	for _, l := range layers {
		for _, m := range l.policy.Modules {
			if at, ref := absent(made, m.Parsed, made.compiler.Modules[path.Join(l.name, m.Path)]); ref != nil {
				return refuse(l.name, StageData, fmt.Errorf("%v: reads %v, which no package and no data brings", at, ref),
					"add it as data.json or data.yaml in the folder of that name, or mend the path")
			}
		}
	}
	return nil
}

// absent finds a reference of a module to nothing.
func absent(made compiled, parsed, module *ast.Module) (at *ast.Location, missing ast.Ref) {
	if module == nil {
		module = parsed
	}
	for _, rule := range module.Rules {
		ast.WalkTerms(rule, func(t *ast.Term) bool {
			ref, ok := t.Value.(ast.Ref)
			if missing == nil && ok && ref.HasPrefix(ast.DefaultRootRef) {
				if missing = reachesNothing(made, ref); missing != nil {
					at = located(t, rule)
				}
			}
			return missing != nil
		})
	}
	return at, missing
}

func located(t *ast.Term, rule *ast.Rule) *ast.Location {
	if t.Location != nil && t.Location.File != "" {
		return t.Location
	}
	return rule.Location
}

// reachesNothing gives the shortest prefix of a reference at which there is
// neither rule nor data, nor an object of data in which it may be optional.
func reachesNothing(made compiled, ref ast.Ref) ast.Ref {
	rules, data := made.compiler.RuleTree.Child(ast.DefaultRootDocument.Value), any(made.data)
	for i, term := range ref[1:] {
		name, ok := term.Value.(ast.String)
		if !ok || i == 0 && name == "custom" || rules != nil && len(rules.Values) > 0 {
			return nil
		}
		optional := i > 0 && data != nil
		if rules != nil {
			rules = rules.Child(name)
		}
		if data = find(data, string(name)); rules != nil || data != nil {
			continue
		}
		if optional {
			return nil
		}
		return ref[:i+2]
	}
	return nil
}
