package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
)

// A Test is how one test of a policy came out.
type Test struct {
	Layer    string
	Package  string // data.postern.access_test
	Name     string // test_support_sees_no_invoice
	Location string // file:line
	Passed   bool
	Skipped  bool // its name begins with todo_
	Error    error
	Failed   []string // the cases of a table test that failed, sorted
	Duration time.Duration
}

// String names a test and where it is.
func (t Test) String() string {
	name := t.Package + "." + t.Name
	if len(t.Failed) > 0 {
		name += "[" + strings.Join(t.Failed, ", ") + "]"
	}
	if t.Error != nil {
		return fmt.Sprintf("%s: %s: %v", t.Location, name, t.Error)
	}
	return t.Location + ": " + name
}

// A Report is how the tests of every layer came out.
type Report struct {
	Tests    []Test        // by layer, package and name
	Coverage *cover.Report // of the policies by their tests; nil if not asked for
}

// Passed says whether there was a test and none failed.
func (r Report) Passed() bool {
	return len(r.Tests) > 0 && !slices.ContainsFunc(r.Tests, Test.bad)
}

func (t Test) bad() bool { return !t.Passed && !t.Skipped }

// testTimeout bounds one test, which is named then. A test that is stuck where
// no deadline is looked at is ended by the limit of the gate.
const testTimeout = 20 * time.Second

// verify refuses the topmost layer if a test it brought fails. The embedded
// core's tests have passed where the program was built.
func (g gate) verify(ctx context.Context, layers []*layer) error {
	top := layers[len(layers)-1]
	if top.embedded || g.proved {
		return nil
	}
	g.begin(top.name, "running its tests")
	tests, err := g.test(ctx, layers, nil)
	if err != nil {
		return err
	}
	var failed []string
	for _, t := range tests {
		if t.bad() {
			failed = append(failed, t.String())
		}
	}
	if len(failed) == 0 {
		return nil
	}
	err = fmt.Errorf("%d of %d tests failed: %s", len(failed), len(tests), strings.Join(failed, "; "))
	return refuse(top.name, StageTest, err, "run `postern policy test` on it")
}

// test runs the topmost layer's tests on it and the layers below: an overlay
// need not satisfy the core's tests, but the core must without the overlay.
func (g gate) test(ctx context.Context, layers []*layer, coverage *cover.Cover) ([]Test, error) {
	top := layers[len(layers)-1]
	if len(top.tests) == 0 {
		return nil, nil
	}
	made, err := g.compile(ctx, layers)
	if err != nil {
		return nil, err
	}
	txn, err := made.store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer made.store.Abort(ctx, txn)
	runner := tester.NewRunner().
		SetCompiler(ast.NewCompiler().WithCapabilities(g.capabilities)).
		SetStore(made.store).SetModules(testModules(layers)).SetTimeout(testTimeout)
	if coverage != nil {
		runner.SetCoverageQueryTracer(coverage)
	}
	results, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, refuse(top.name, StageTest, err, "mend the tests")
	}
	return collect(top.name, results), ctx.Err()
}

func testModules(layers []*layer) map[string]*ast.Module {
	modules := maps.Clone(layers[len(layers)-1].tests)
	for _, l := range layers {
		maps.Copy(modules, l.policy.ParsedModules(l.name))
	}
	return modules
}

func collect(layer string, results chan *tester.Result) (tests []Test) {
	for r := range results {
		t := Test{
			Layer: layer, Package: r.Package, Name: r.Name, Location: r.Location.String(),
			Passed: r.Pass(), Skipped: r.Skip, Error: r.Error, Duration: r.Duration,
		}
		for name, sub := range r.SubResults {
			if sub.Fail {
				t.Failed = append(t.Failed, name)
			}
		}
		slices.Sort(t.Failed)
		tests = append(tests, t)
	}
	slices.SortFunc(tests, func(a, b Test) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Name, b.Name))
	})
	return tests
}

// report runs the tests of every layer.
func (g gate) report(ctx context.Context, layers []*layer, coverage bool) (Report, error) {
	var tracer *cover.Cover
	if coverage {
		tracer = cover.New()
	}
	var all Report
	for i := range layers {
		tests, err := g.test(ctx, layers[:i+1], tracer)
		if err != nil {
			return all, err
		}
		all.Tests = append(all.Tests, tests...)
	}
	if len(all.Tests) == 0 {
		return all, refuse(layers[len(layers)-1].name, StageTest, errors.New("there are no tests"),
			"put rules named test_… into files that end in _test.rego")
	}
	if coverage {
		all.Coverage = covered(tracer, layers)
	}
	return all, nil
}

// covered reports on the modules that decide; the tests themselves do not count.
func covered(tracer *cover.Cover, layers []*layer) *cover.Report {
	modules := map[string]*ast.Module{}
	for _, l := range layers {
		for _, m := range l.policy.Modules {
			modules[m.Path] = m.Parsed
		}
	}
	report := tracer.Report(modules)
	report.CoveredLines, report.NotCoveredLines, report.Coverage = 0, 0, 100
	for name, file := range report.Files {
		if modules[name] == nil {
			delete(report.Files, name)
			continue
		}
		report.CoveredLines += file.CoveredLines
		report.NotCoveredLines += file.NotCoveredLines
	}
	if lines := report.CoveredLines + report.NotCoveredLines; lines > 0 {
		report.Coverage = 100 * float64(report.CoveredLines) / float64(lines)
	}
	return &report
}
