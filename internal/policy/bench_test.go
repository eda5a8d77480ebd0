package policy

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/policies"
)

// BenchmarkDecide measures one decision of the embedded policy, in process:
//
//	rego      plain rego: the policy as written, a prepared query, the input as a
//	          Go map, the result as a Go map
//	prepared  rego.PreparedEvalQuery at its best: folded, input and facts as AST,
//	          transaction, cancel and metrics given, the result left as AST
//	decide    Generation.Decide: folded, topdown direct, rule labels, reasons, and
//	          the context as JSON
//	run       the same within Engine.Run, as a query of one request does it
//
// Each first has to give the answer that is expected. The ratios of processor
// time, side by side in one run, come last.
func BenchmarkDecide(b *testing.B) {
	e := loaded(b, Options{Core: Embedded(policies.FS)})
	l := layerOf(b, Embedded(policies.FS))
	folded, plain := e.Live(), built(b, true, l)
	facts := parse(b, regularFacts)
	for _, c := range []struct {
		name, action string
		allow        bool
	}{{"allow", "service.view", true}, {"deny", "member.create", false}} {
		req := regular()
		req.Action.Name = c.action
		contenders := []contender{
			{"rego", asRego(b, plain, c.action, facts)},
			{"prepared", asPrepared(b, folded, req, facts)},
			{"decide", func() (bool, error) {
				d, _, err := folded.Decide(context.Background(), req, facts)
				return d.Allow, err
			}},
			{"run", asRun(e, req, facts)},
		}
		spent := map[string]float64{}
		for _, who := range contenders {
			b.Run(c.name+"/"+who.name, func(b *testing.B) { spent[who.name] = who.measure(b, c.allow) })
		}
		b.Run(c.name+"/ratio", func(b *testing.B) {
			for b.Loop() {
			}
			b.ReportMetric(spent["rego"]/spent["decide"], "rego/decide")
			b.ReportMetric(spent["rego"]/spent["run"], "rego/run")
			b.ReportMetric(spent["prepared"]/spent["decide"], "prepared/decide")
		})
	}
}

type contender struct {
	name string
	ask  func() (bool, error)
}

// measure gives the processor time of one answer, garbage collection included:
// on a shared machine it moves far less than the clock does.
func (c contender) measure(b *testing.B, want bool) float64 {
	if got, err := c.ask(); err != nil || got != want {
		b.Fatalf("%s: got %v, %v, want %v", c.name, got, err, want)
	}
	b.ReportAllocs()
	begun := processorTime()
	for b.Loop() {
		if _, err := c.ask(); err != nil {
			b.Fatal(err)
		}
	}
	each := float64(processorTime()-begun) / float64(b.N)
	b.ReportMetric(each, "cpu-ns/op")
	return each
}

func processorTime() int64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

// asRego is what an application does that embeds OPA by its documentation.
func asRego(b *testing.B, g *Generation, action string, facts ast.Value) func() (bool, error) {
	about, err := ast.ValueToInterface(facts, nil)
	if err != nil {
		b.Fatal(err)
	}
	input := map[string]any{
		"subject":  map[string]any{"type": "user", "id": "u1"},
		"action":   map[string]any{"name": action},
		"resource": map[string]any{"type": "service", "id": "a1"},
		"facts":    about,
	}
	q, err := rego.New(rego.Query("data.postern.access.decision"), rego.Compiler(g.compiler), rego.Store(g.store)).PrepareForEval(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return func() (bool, error) {
		rs, err := q.Eval(context.Background(), rego.EvalInput(input))
		if err != nil || len(rs) != 1 {
			return false, fmt.Errorf("%d results: %w", len(rs), err)
		}
		said, _ := rs[0].Expressions[0].Value.(map[string]any)
		allow, _ := said["decision"].(bool)
		return allow, nil
	}
}

func asPrepared(b *testing.B, g *Generation, req authz.Request, facts ast.Value) func() (bool, error) {
	q, err := rego.New(rego.Query("data.postern.access.decision"), rego.Compiler(g.compiler), rego.Store(g.store),
		rego.Transaction(g.txn), rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil })).PrepareForEval(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return func() (bool, error) {
		input, err := (&input{inputKeys: g.keys}).of(req, facts)
		if err != nil {
			return false, err
		}
		var held topdown.EvaluatedRuleTracker
		rs, err := q.Eval(context.Background(), rego.EvalParsedInput(input), rego.EvalTransaction(g.txn), rego.EvalMetrics(metrics.NoOp()),
			rego.EvalExternalCancel(topdown.NewCancel()), rego.EvalSortSets(false), rego.EvalEvaluatedRuleTracker(&held))
		if err != nil || len(rs) != 1 {
			return false, fmt.Errorf("%d results: %w", len(rs), err)
		}
		said, _ := rs[0].Expressions[0].Value.(ast.Value)
		d, err := g.keys.decision(said)
		d.Rules = ruleIDs(held.Labels)
		return d.Allow, err
	}
}

func asRun(e *Engine, req authz.Request, facts ast.Value) func() (bool, error) {
	return func() (bool, error) {
		ctx, stop := context.WithTimeout(context.Background(), e.options.Limit)
		defer stop()
		var d authz.Decision
		var failed error
		if err := e.Run(ctx, func(ctx context.Context) { d, _, failed = e.Live().Decide(ctx, req, facts) }); err != nil {
			return false, err
		}
		return d.Allow, failed
	}
}
