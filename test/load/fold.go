package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/rego"
)

// foldPowers writes into a copy of the policies what Postern works out when it
// loads them: the tables of data.postern.powers. So OPA's server is also
// measured without having to work them out for every decision.
func foldPowers(ctx context.Context, dir string) error {
	b, err := bundle.NewCustomReader(bundle.NewDirectoryLoader(dir)).Read()
	if err != nil {
		return err
	}
	results, err := rego.New(
		rego.Query("data.postern.powers"), rego.ParsedBundle("policies", &b),
		rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }),
	).Eval(ctx)
	if err != nil {
		return err
	}
	tables, ok := results[0].Expressions[0].Value.(ast.Object)
	if !ok {
		return fmt.Errorf("data.postern.powers is no object")
	}
	var module strings.Builder
	module.WriteString("package postern.powers\n\nimport rego.v2\n")
	tables.Foreach(func(name, table *ast.Term) {
		fmt.Fprintf(&module, "\n%s := %s\n", strings.Trim(name.String(), `"`), table)
	})
	folder := filepath.Join(dir, "postern", "powers")
	if err := os.Remove(filepath.Join(folder, "powers_test.rego")); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "powers.rego"), []byte(module.String()), 0o600)
}
