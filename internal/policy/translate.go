package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/rego/compile"

	"github.com/postern-authz/postern/internal/authz"
)

// A Translation asks for a rule as filters of a database: what remains of it when
// all is known but what the database holds.
type Translation struct {
	Path    string // of the rule, as Ask has it
	Input   Value  // what is known
	Targets []Target
	// Unknowns are what the database holds, as paths below the input:
	// "input.services". Empty: as the METADATA "compile" of the rule says.
	Unknowns []string
	// MaskRule is the path of the rule that says which columns are masked. Empty:
	// as METADATA says, or none.
	MaskRule   string
	Mappings   map[string]any // names of tables and columns, as OPA has them
	Whole      []string       // rules that are not taken apart: OPA's disableInlining
	Metrics    metrics.Metrics
	Instrument bool
}

// A Target is a kind of filter: sql and postgresql, mysql, sqlserver or sqlite;
// ucast and all, minimal, prisma or linq.
type Target struct{ Kind, Dialect string }

// An UntranslatableError says, in OPA's words, why a rule cannot be one of the
// filters. It is of kind authz.ErrInvalid.
type UntranslatableError struct{ Faults ast.Errors }

func (e *UntranslatableError) Error() string { return e.Faults.Error() }

// Unwrap gives the kind.
func (e *UntranslatableError) Unwrap() error { return authz.ErrInvalid }

// Translate gives the filters of a rule. A rule that holds for nothing has none.
// The errors are those of Ask, and an *UntranslatableError.
func (g *Generation) Translate(ctx context.Context, t Translation) (*compile.Filters, error) {
	filters, err := g.translate(ctx, t)
	var faults ast.Errors
	switch {
	case err == nil:
		return filters, nil
	case errors.As(err, &faults):
		return nil, &UntranslatableError{faults}
	case errors.Is(err, compile.ErrInvalidMappings):
		return nil, fmt.Errorf("%w: %w", err, authz.ErrInvalid)
	case errors.Is(err, authz.ErrInvalid):
		return nil, err
	}
	return nil, fmt.Errorf("translate %s: %w", t.Path, kindOf(ctx, err))
}

func (g *Generation) translate(ctx context.Context, t Translation) (*compile.Filters, error) {
	rule, err := refOf(t.Path)
	if err != nil {
		return nil, err
	}
	unknowns, mask, err := g.unknowns(rule, t)
	if err != nil {
		return nil, err
	}
	if err := checkWhole(t.Whole); err != nil {
		return nil, err
	}
	options := []compile.CompileOption{
		compile.ParsedQuery(ast.NewBody(ast.NewExpr(ast.NewTerm(rule)))),
		compile.ParsedUnknowns(unknowns...),
		compile.MaskRule(mask),
		compile.Mappings(t.Mappings),
		compile.Metrics(t.metrics()),
		compile.Rego(
			rego.Compiler(g.compiler), rego.Store(g.store), rego.Transaction(g.txn), rego.Time(g.now()),
			rego.StrictBuiltinErrors(true), rego.DisableInlining(t.Whole), rego.Instrument(t.Instrument),
		),
	}
	for _, target := range t.Targets {
		options = append(options, compile.Target(target.Kind, target.Dialect))
	}
	prepared, err := compile.New(options...).Prepare(ctx)
	if err != nil {
		return nil, err
	}
	return prepared.Compile(ctx, rego.EvalTransaction(g.txn), rego.EvalTime(g.now()), rego.EvalParsedInput(t.Input.term))
}

// checkWhole refuses what OPA would take for a fault of the policy.
func checkWhole(rules []string) error {
	for _, rule := range rules {
		if _, err := ast.ParseRef(rule); err != nil {
			return fmt.Errorf("%.60q names no rule that could be left whole: send names such as data.custom.lists.seen: %w", rule, authz.ErrInvalid)
		}
	}
	return nil
}

func (t Translation) metrics() metrics.Metrics {
	if t.Metrics == nil {
		return metrics.NoOp()
	}
	return t.Metrics
}

// unknowns are what is not known of the input, and which rule masks.
func (g *Generation) unknowns(rule ast.Ref, t Translation) (unknowns []*ast.Term, mask ast.Ref, err error) {
	found, mask := g.annotated(rule)
	if len(t.Unknowns) > 0 {
		found = nil
		for _, path := range t.Unknowns {
			found = append(found, inputRef(path))
		}
	}
	for _, ref := range found {
		if !hasUnknown(ref) {
			return nil, nil, fmt.Errorf("unknown is what lies below input, such as input.services, and never the facts: %w", authz.ErrInvalid)
		}
		unknowns = append(unknowns, ast.NewTerm(ref))
	}
	if len(unknowns) == 0 {
		return nil, nil, fmt.Errorf("it is not said what is unknown: send unknowns, such as [\"input.services\"], or write them into the METADATA of the rule, below compile: %w", authz.ErrInvalid)
	}
	if t.MaskRule != "" {
		mask, err = refOf(t.MaskRule)
	}
	return unknowns, mask, err
}

// annotated is what the METADATA of a rule, and of what it lies in, says below
// "compile".
func (g *Generation) annotated(rule ast.Ref) (unknowns []ast.Ref, mask ast.Ref) {
	rules := g.compiler.GetRulesExact(rule)
	if len(rules) == 0 {
		return nil, nil
	}
	for _, at := range g.compiler.GetAnnotationSet().Chain(rules[0]) {
		if at.Annotations == nil || at.Annotations.Compile == nil {
			continue
		}
		unknowns = append(unknowns, at.Annotations.Compile.Unknowns...)
		if said := at.Annotations.Compile.MaskRule; said != nil && mask == nil {
			mask = said
			if !said.HasPrefix(ast.DefaultRootRef) {
				mask = rules[0].Module.Package.Path.Extend(said)
			}
		}
	}
	return unknowns, mask
}

// inputRef is a path such as input.services.region as a reference, or nil. It is
// cut at its dots and never read as Rego.
func inputRef(path string) ast.Ref {
	root, rest, ok := strings.Cut(path, ".")
	if !ok || root != "input" {
		return nil
	}
	ref := ast.Ref{ast.InputRootDocument}
	for name := range strings.SplitSeq(rest, ".") {
		if name == "" {
			return nil
		}
		ref = append(ref, ast.StringTerm(name))
	}
	return ref
}

// hasUnknown says whether a reference may be unknown.
func hasUnknown(ref ast.Ref) bool {
	return len(ref) > 1 && ref.HasPrefix(ast.InputRootRef) && !ref[1].Equal(ast.InternedTerm("facts"))
}
