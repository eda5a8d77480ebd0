package policies_test

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
)

// each runs a part of the gate on the core and on every overlay.
func each(t *testing.T, check func(*testing.T, *layer)) {
	for _, l := range layers(t) {
		t.Run(l.name, func(t *testing.T) { check(t, l) })
	}
}

// TestTheRegoTestsPassAndReachEveryLine runs a layer's tests on it and what lies
// below it.
func TestTheRegoTestsPassAndReachEveryLine(t *testing.T) {
	each(t, func(t *testing.T, l *layer) {
		coverage, tables := cover.New(), l.tables()
		for _, r := range l.run(t, l.modules(), coverage) {
			if !r.Pass() {
				t.Errorf("%s: %s.%s: %v %v", r.Location, r.Package, r.Name, failed(r), r.Error)
			}
			if tables[r.Package+"."+r.Name] && len(r.SubResults) == 0 {
				t.Errorf("%s: %s.%s: the table has no cases, so it passes whatever it says", r.Location, r.Package, r.Name)
			}
		}
		files := coverage.Report(l.rules).Files
		for name := range l.rules {
			file := files[name]
			if file == nil {
				t.Errorf("%s is reached by no test", name)
				continue
			}
			for _, gap := range file.NotCovered {
				t.Errorf("%s:%d is reached by no test", name, gap.Start.Row)
			}
		}
	})
}

// run runs the layer's own tests on the modules given.
func (l *layer) run(tb testing.TB, modules map[string]*ast.Module, coverage *cover.Cover) (own []*tester.Result) {
	tb.Helper()
	store := l.store()
	txn := storage.NewTransactionOrDie(tb.Context(), store)
	defer store.Abort(tb.Context(), txn)
	runner := tester.NewRunner().SetStore(store).SetModules(modules).SetTimeout(30 * time.Second)
	if coverage != nil {
		runner.SetCoverageQueryTracer(coverage)
	}
	results, err := runner.RunTests(tb.Context(), txn)
	if err != nil {
		tb.Fatalf("%s: %v", l.name, err)
	}
	for r := range results {
		own = append(own, r)
	}
	if len(own) == 0 {
		tb.Errorf("%s has no tests", l.name)
	}
	return own
}

// tables are the tests that have cases: a case that is undefined takes the
// whole table with it, and a test without cases passes.
func (l *layer) tables() map[string]bool {
	names := map[string]bool{}
	for _, m := range l.tests {
		for _, rule := range m.Rules {
			if ref := rule.Head.Ref(); len(ref) > 1 {
				names[m.Package.Path.String()+"."+string(ref[0].Value.(ast.Var))] = true
			}
		}
	}
	return names
}

// failed names the cases of a table test that failed.
func failed(r *tester.Result) (names []string) {
	for name, sub := range r.SubResults {
		if sub.Fail {
			names = append(names, name)
		}
	}
	return names
}

// TestItCompilesStrictly checks the types that the schemas give to the input.
func TestItCompilesStrictly(t *testing.T) {
	each(t, func(t *testing.T, l *layer) { l.compiled(t) })
}

// TestAMistypedFactDoesNotCompile proves that the schemas are looked at.
func TestAMistypedFactDoesNotCompile(t *testing.T) {
	core := layers(t)[0]
	for file, was := range map[string]string{
		"postern/access/access.rego":   "input.facts.user.cpni",
		"postern/tools/tools.rego":     "input.facts.tool.restricted",
		"postern/manage/manage.rego":   "input.facts.target.role",
		"postern/explain/explain.rego": "input.facts.tool.restricted",
	} {
		src, err := fs.ReadFile(core.files, file)
		if err != nil {
			t.Fatal(err)
		}
		modules := core.modules()
		mistyped := strings.Replace(string(src), was, was+"s", 1)
		modules[file] = ast.MustParseModuleWithOpts(mistyped, ast.ParserOptions{ProcessAnnotation: true})
		c := ast.NewCompiler().WithSchemas(core.schemas).WithUseTypeCheckAnnotations(true)
		if c.Compile(modules); !c.Failed() || !strings.Contains(c.Errors.Error(), "undefined ref: "+was+"s") {
			t.Errorf("%s with %ss: got %v, want an undefined ref", file, was, c.Errors)
		}
	}
}

// TestFilesAreFormatted also parses what the formatter wrote: opa fmt has been
// seen to drop parentheses that were needed.
func TestFilesAreFormatted(t *testing.T) {
	each(t, func(t *testing.T, l *layer) {
		for _, name := range l.own() {
			src, err := fs.ReadFile(l.files, name)
			if err != nil {
				t.Fatal(err)
			}
			formatted, err := format.Source(name, src)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !bytes.Equal(src, formatted) {
				t.Errorf("%s is not formatted: run opa fmt", name)
			}
			again, err := ast.ParseModule(name, string(formatted))
			if err != nil || !again.Equal(ast.MustParseModule(string(src))) {
				t.Errorf("%s means something else once formatted (%v)", name, err)
			}
		}
	})
}

// TestPackagesAreWhereTheirNamesSay wants data.postern.access in postern/access,
// with its tests in postern.access_test beside it.
func TestPackagesAreWhereTheirNamesSay(t *testing.T) {
	each(t, func(t *testing.T, l *layer) {
		at := func(name string) string { return "data." + strings.ReplaceAll(path.Dir(name), "/", ".") }
		for name, m := range l.rules {
			if got := m.Package.Path.String(); got != at(name) {
				t.Errorf("%s: package %s, want %s", name, got, at(name))
			}
		}
		for name, m := range l.tests {
			if got := m.Package.Path.String(); got != at(name)+"_test" {
				t.Errorf("%s: package %s, want %s_test", name, got, at(name))
			}
		}
	})
}

// TestEveryModuleImportsRegoV2: without it `not` of something undefined is
// undefined, and a rule that forbids by it is open.
func TestEveryModuleImportsRegoV2(t *testing.T) {
	each(t, func(t *testing.T, l *layer) {
		for _, name := range l.own() {
			src, err := fs.ReadFile(l.files, name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(src, []byte("\nimport rego.v2\n")) {
				t.Errorf("%s does not import rego.v2", name)
			}
		}
	})
}
