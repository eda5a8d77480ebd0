package policy

import (
	"context"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/authz"
)

// A Batch decides the requests of one query, all by one generation. It is for
// one goroutine at a time.
type Batch struct {
	*Generation
	input input
}

// Batch begins a query of a number of items.
func (g *Generation) Batch(items int) *Batch {
	b := &Batch{Generation: g, input: input{inputKeys: g.keys}}
	if items > 1 {
		b.input.converted = map[uintptr]*ast.Term{}
	}
	return b
}

// Decide asks the policy about one request and the facts the directory has on
// it: a Batch of one.
func (g *Generation) Decide(ctx context.Context, req authz.Request, facts ast.Value) (authz.Decision, Value, error) {
	return g.Batch(1).Decide(ctx, req, facts)
}

// DecideTraced: see Batch.DecideTraced.
func (g *Generation) DecideTraced(ctx context.Context, req authz.Request, facts ast.Value) (authz.Decision, Value, error) {
	return g.Batch(1).DecideTraced(ctx, req, facts)
}

// Decide asks the policy about one request and the facts the directory has on
// it; facts may be nil, then the input has none. It returns the decision and the
// input as the policy saw it.
//
// A policy that has no answer is an error of kind ErrUndefined, one whose answer
// is no decision of kind ErrMalformed, one that fails of kind ErrEvaluation, and
// one that ctx ended of kind authz.ErrUnavailable. None of them is a denial.
//
// An evaluation looks at ctx between expressions, but some builtins do not look
// while they work: call Decide within Engine.Run to be sure of an answer.
//
// Which rules held it does not say: that costs a third of an evaluation more. A
// caller that remembers it asks DecideTraced.
func (b *Batch) Decide(ctx context.Context, req authz.Request, facts ast.Value) (authz.Decision, Value, error) {
	return b.decide(ctx, req, facts, Watch{})
}

// DecideTraced is Decide, and sets Rules of the decision: the ids, in METADATA
// "labels: {rule: …}", of all rules that held on the way.
func (b *Batch) DecideTraced(ctx context.Context, req authz.Request, facts ast.Value) (authz.Decision, Value, error) {
	return b.decide(ctx, req, facts, Watch{Rules: true})
}

func (b *Batch) decide(ctx context.Context, req authz.Request, facts ast.Value, w Watch) (authz.Decision, Value, error) {
	input, err := b.Input(req, facts)
	if err != nil {
		return authz.Decision{}, Value{}, err
	}
	d, err := b.DecideOn(ctx, input, w)
	return d, input, err
}

// Input is what the policy sees of a request and the facts on it, which may be
// nil. An error is of kind authz.ErrInvalid.
func (b *Batch) Input(req authz.Request, facts ast.Value) (Value, error) {
	input, err := b.input.of(req, facts)
	return Value{input}, err
}

// DecideOn is Decide on any input, which may be the zero Value: none.
func (g *Generation) DecideOn(ctx context.Context, input Value, w Watch) (authz.Decision, error) {
	var held *topdown.EvaluatedRuleTracker
	if w.Rules {
		held = &topdown.EvaluatedRuleTracker{}
	}
	result, err := g.eval(ctx, g.queries[AccessDecision], input.term, held, w)
	if err != nil {
		return authz.Decision{}, fmt.Errorf("decide %s: %w", AccessDecision, err)
	}
	d, err := g.keys.decision(result)
	if err != nil {
		return authz.Decision{}, fmt.Errorf("decide %s: %w", AccessDecision, err)
	}
	if held != nil {
		d.Rules = ruleIDs(held.Labels)
	}
	return d, nil
}

// Manage asks ManageDecision about an action and the facts that the caller read,
// given as JSON values and Go maps. The errors are those of Decide.
func (g *Generation) Manage(ctx context.Context, action string, circumstances, facts map[string]any) (authz.Decision, Value, error) {
	input, err := ast.InterfaceToValue(map[string]any{
		"action": map[string]any{"name": action}, "context": circumstances, "facts": facts,
	})
	if err != nil {
		return authz.Decision{}, Value{}, fmt.Errorf("decide %s: %w: %w", ManageDecision, ErrEvaluation, err)
	}
	var held topdown.EvaluatedRuleTracker
	result, err := g.eval(ctx, g.queries[ManageDecision], input, &held, Watch{})
	if err != nil {
		return authz.Decision{}, Value{input}, fmt.Errorf("decide %s: %w", ManageDecision, err)
	}
	d, err := g.keys.decision(result)
	if err != nil {
		return authz.Decision{}, Value{input}, fmt.Errorf("decide %s: %w", ManageDecision, err)
	}
	d.Rules = ruleIDs(held.Labels)
	return d, Value{input}, nil
}

// Query asks any of Entrypoints about an input, which may be nil. The errors are
// those of Decide; the result may be any value.
func (g *Generation) Query(ctx context.Context, entrypoint string, input ast.Value) (Value, error) {
	q, ok := g.queries[entrypoint]
	if !ok {
		return Value{}, fmt.Errorf("entrypoint %s: this policy has none of that name: %w", entrypoint, authz.ErrNotFound)
	}
	result, err := g.eval(ctx, q, input, nil, Watch{})
	if err == nil && result == nil {
		err = ErrUndefined
	}
	if err != nil {
		return Value{}, fmt.Errorf("query %s: %w", entrypoint, err)
	}
	return Value{result}, nil
}

// eval evaluates a query. An undefined answer is nil.
func (g *Generation) eval(ctx context.Context, q query, input ast.Value, held *topdown.EvaluatedRuleTracker, w Watch) (result ast.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("%w: panic: %v", ErrEvaluation, p)
		}
	}()
	t := topdown.NewQuery(q.body).
		WithQueryCompiler(q.compiler).
		WithCompiler(g.compiler).
		WithStore(g.store).
		WithTransaction(g.txn).
		WithMetrics(metrics.NoOp()).
		WithStrictBuiltinErrors(true).
		WithTime(g.now()).
		WithCancel(ended{ctx}).
		WithEvaluatedRuleTracker(held)
	if input != nil {
		t = t.WithInput(ast.NewTerm(input))
	}
	defer w.on(t)()
	err = t.Iter(ctx, func(r topdown.QueryResult) error {
		result = r[answer].Value
		return nil
	})
	return result, kindOf(ctx, err)
}

// kindOf tells an evaluation that was ended from one that failed.
func kindOf(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case topdown.IsCancel(err) && ctx.Err() != nil:
		return fmt.Errorf("the evaluation was ended: %w: %w", authz.ErrUnavailable, context.Cause(ctx))
	}
	return fmt.Errorf("%w: %w", ErrEvaluation, err)
}

// ended is a context as topdown looks at it: one atomic load between expressions
// instead of a goroutine per evaluation.
type ended struct{ context.Context }

func (e ended) Cancel()         {}
func (e ended) Cancelled() bool { return e.Err() != nil }

// decision reads what the policy says. Anything but an object with a boolean
// decision is an error and never a denial.
func (k inputKeys) decision(result ast.Value) (authz.Decision, error) {
	if result == nil {
		return authz.Decision{}, fmt.Errorf("the policy has no answer to this: %w", ErrUndefined)
	}
	object, ok := result.(ast.Object)
	if !ok {
		return authz.Decision{}, fmt.Errorf(`the answer is %s, want an object with "decision": %w`, ast.ValueName(result), ErrMalformed)
	}
	allow := object.Get(k.decisionKey)
	if allow == nil {
		return authz.Decision{}, fmt.Errorf(`the answer has no "decision": %w`, ErrUndefined)
	}
	boolean, ok := allow.Value.(ast.Boolean)
	if !ok {
		return authz.Decision{}, fmt.Errorf(`"decision" is %s, want a boolean: %w`, ast.ValueName(allow.Value), ErrMalformed)
	}
	d := authz.Decision{Allow: bool(boolean)}
	if said := object.Get(k.context); said != nil {
		about, ok := said.Value.(ast.Object)
		if !ok {
			return authz.Decision{}, fmt.Errorf(`"context" is %s, want an object: %w`, ast.ValueName(said.Value), ErrMalformed)
		}
		d.Context = appendObject(make([]byte, 0, 256), about)
		d.Reasons = k.reasonsOf(about)
	}
	return d, nil
}

// reasonsOf reads the reasons that have a rule; the others say nothing that
// could be counted.
func (k inputKeys) reasonsOf(about ast.Object) (reasons []authz.Reason) {
	each := func(t *ast.Term) {
		reason, ok := t.Value.(ast.Object)
		if !ok {
			return
		}
		if rule := text(reason.Get(k.rule)); rule != "" {
			reasons = append(reasons, authz.Reason{Rule: rule, Role: text(reason.Get(k.role)), Scope: authz.Scope(text(reason.Get(k.scope)))})
		}
	}
	said := about.Get(k.reasons)
	if said == nil {
		return nil
	}
	switch v := said.Value.(type) {
	case *ast.Array:
		v.Foreach(each)
	case ast.Set:
		v.Foreach(each)
	}
	return reasons
}

func text(t *ast.Term) string {
	if t == nil {
		return ""
	}
	s, _ := t.Value.(ast.String)
	return string(s)
}

// ruleIDs are the ids among the labels of the rules that held.
func ruleIDs(labels []map[string]any) []string {
	ids := make([]string, 0, len(labels))
	for _, l := range labels {
		if id, ok := l["rule"].(string); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
