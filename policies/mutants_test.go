package policies_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
)

// A mutant is a layer's rules with one part taken out.
type mutant struct {
	what, file string
	module     *ast.Module
}

// BenchmarkMutants takes every layer apart, a rule or an expression at a time,
// and names the parts that no test misses. Coverage cannot see them. It takes
// minutes, so it runs only when asked for:
//
//	go test ./policies -run '^$' -bench Mutants -benchtime 1x -timeout 30m
func BenchmarkMutants(b *testing.B) {
	for b.Loop() {
		for _, l := range layers(b) {
			mutants := l.mutants()
			survivors := 0
			for _, m := range mutants {
				if !l.notices(b, m) {
					survivors++
					b.Errorf("survived: %s", m.what)
				}
			}
			b.Logf("%s: %d of %d mutants survived", l.name, survivors, len(mutants))
		}
	}
}

func (l *layer) mutants() (all []mutant) {
	for file, m := range l.rules {
		for i, rule := range m.Rules {
			without := m.Copy()
			without.Rules = append(without.Rules[:i], without.Rules[i+1:]...)
			all = append(all, mutant{fmt.Sprintf("%v without %s", rule.Location, rule.Head.Ref()), file, without})
			for j, expr := range rule.Body {
				if len(rule.Body) < 2 || declares(expr) {
					continue
				}
				without := m.Copy()
				body := without.Rules[i].Body
				without.Rules[i].Body = append(body[:j:j], body[j+1:]...)
				all = append(all, mutant{fmt.Sprintf("%v without %s", expr.Location, expr.Location.Text), file, without})
			}
		}
	}
	return all
}

// declares says of an expression that it only declares variables.
func declares(expr *ast.Expr) bool {
	some, ok := expr.Terms.(*ast.SomeDecl)
	if !ok {
		return false
	}
	_, plain := some.Symbols[0].Value.(ast.Var)
	return plain
}

// notices says whether a test fails on a mutant, or it does not compile. The
// tests of the mutant's own package come first: they are the likeliest to.
func (l *layer) notices(b *testing.B, m mutant) bool {
	own := strings.TrimSuffix(m.file, ".rego") + "_test.rego"
	return l.fails(b, m, func(test string) bool { return test == own }) ||
		l.fails(b, m, func(test string) bool { return test != own })
}

func (l *layer) fails(b *testing.B, m mutant, runs func(string) bool) bool {
	modules, some := l.modules(), false
	for file := range l.tests {
		if runs(file) {
			some = true
			continue
		}
		delete(modules, file)
	}
	modules[m.file] = m.module.Copy()
	store, ctx := l.store(), b.Context()
	txn := storage.NewTransactionOrDie(ctx, store)
	defer store.Abort(ctx, txn)
	running, stop := context.WithCancel(ctx)
	defer stop()
	results, err := tester.NewRunner().SetStore(store).SetModules(modules).RunTests(running, txn)
	if err != nil {
		return true
	}
	failed := false
	for r := range results {
		if some && !r.Pass() && !failed {
			failed = true
			stop() // one failure is enough
		}
	}
	return failed
}
