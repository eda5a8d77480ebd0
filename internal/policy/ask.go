package policy

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/authz"
)

// A Watch is what an evaluation tells beside its answer. The zero Watch is
// nothing.
type Watch struct {
	Rules      bool            // which rules held
	Explain    *Explanation    // what was evaluated; nil: not
	Metrics    metrics.Metrics // how long it took, under OPA's names; nil: not
	Instrument bool            // and each part of it, into Metrics
}

// on makes a query tell, and returns what to call when it has been asked.
func (w Watch) on(q *topdown.Query) (done func()) {
	if w.Explain != nil {
		q.WithQueryTracer(w.Explain)
	}
	if w.Metrics == nil {
		return func() {}
	}
	q.WithMetrics(w.Metrics)
	if w.Instrument {
		q.WithInstrumentation(topdown.NewInstrumentation(w.Metrics))
	}
	w.Metrics.Timer(metrics.RegoQueryEval).Start()
	return func() { w.Metrics.Timer(metrics.RegoQueryEval).Stop() }
}

// Ask gives the value at a path of data, of rules or not, as entrypoints are
// written: "custom/lists/services", each segment escaped as in a URL. The zero
// Value is an undefined one. The errors are those of Decide, and of kind
// authz.ErrNotFound for a path that nothing can be asked by, such as that of a
// function.
func (g *Generation) Ask(ctx context.Context, path string, input Value, w Watch) (Value, []string, error) {
	q, err := g.queryOf(path)
	if err != nil {
		return Value{}, nil, fmt.Errorf("ask %s: %w", path, err)
	}
	var held *topdown.EvaluatedRuleTracker
	if w.Rules {
		held = &topdown.EvaluatedRuleTracker{}
	}
	result, err := g.eval(ctx, q, input.term, held, w)
	if err != nil {
		return Value{}, nil, fmt.Errorf("ask %s: %w", path, err)
	}
	if held == nil {
		return Value{result}, nil, nil
	}
	return Value{result}, ruleIDs(held.Labels), nil
}

func (g *Generation) queryOf(path string) (query, error) {
	if q, ok := g.queries[path]; ok {
		return q, nil
	}
	q, err := g.others.of(path, g.query)
	if err != nil {
		return query{}, fmt.Errorf("nothing can be asked by this path: %w: %w", authz.ErrNotFound, err)
	}
	return q, nil
}

// maxOthers bounds the queries that are kept beside the entrypoints'. Callers
// make up paths, so when there are more all are forgotten: to compile one again
// takes some ten microseconds.
const maxOthers = 256

// others are queries of paths that are no entrypoints, as they come.
type others struct {
	mu     sync.Mutex
	byPath map[string]query // guarded by mu
}

func (o *others) of(path string, compile func(string) (query, error)) (query, error) {
	o.mu.Lock()
	q, ok := o.byPath[path]
	o.mu.Unlock()
	if ok {
		return q, nil
	}
	q, err := compile(path)
	if err != nil {
		return query{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.byPath) >= maxOthers || o.byPath == nil {
		o.byPath = make(map[string]query, maxOthers)
	}
	o.byPath[path] = q
	return q, nil
}

// refOf is a path as a reference. Each segment is a string in it, whatever it is
// made of: a path is never read as Rego (CVE-2025-46569).
func refOf(path string) (ast.Ref, error) {
	ref := ast.Ref{ast.DefaultRootDocument}
	for segment := range strings.SplitSeq(path, "/") {
		name, err := url.PathUnescape(segment)
		if err != nil {
			return nil, fmt.Errorf("the segment %.60q is not escaped as in a URL: %w", segment, authz.ErrInvalid)
		}
		ref = append(ref, ast.StringTerm(name))
	}
	return ref, nil
}
