package pdp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/decisionlog"
	"github.com/postern-authz/postern/internal/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door decides by the resource's id, so that a test chooses what happens.
const door = `package postern.access

import rego.v2

decision := {"decision": true, "context": {"reasons": [{"rule": "door.open", "role": "guest"}], "facts": input.facts}} if input.resource.id == "open"

decision := {"decision": true, "context": {"reasons": [{"rule": "door.open", "role": "ghost"}]}} if input.resource.id == "haunted"

decision := {"decision": false, "context": {"reasons": [{"rule": "door.shut"}, {"rule": "door.bolted"}]}} if input.resource.id == "shut"

decision := {"decision": false} if input.resource.id == "silent"

decision := {"decision": "yes"} if input.resource.id == "malformed"

decision := {"decision": to_number(input.resource.id) > 0} if input.resource.id == "failing"

# METADATA
# labels: {rule: door.shut}
shut if false
`

func engine(tb testing.TB, rego string) *policy.Engine {
	tb.Helper()
	dir := tb.TempDir()
	data := "actions: {door.try: {}, door.open: {}}\nroles: {guest: {}}\n"
	for name, content := range map[string]string{"access.rego": rego, "catalog/data.yaml": data} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	e, err := policy.New(policy.Options{Core: policy.CoreAt(dir)})
	if err != nil {
		tb.Fatal(err)
	}
	if err := e.Load(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return e
}

type memory struct {
	mu     sync.Mutex
	events []decisionlog.Event
}

func (m *memory) Record(e decisionlog.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
}

// directory is facts that a test chooses: a place per resource.
type directory struct {
	places  map[string]string // organization by resource id
	err     error
	stale   bool
	asked   [][]authz.Request
	atLeast authz.Revision
}

func (d *directory) Gather(_ context.Context, requests []authz.Request, atLeast authz.Revision) ([]ast.Value, authz.AsOf, error) {
	d.asked, d.atLeast = append(d.asked, requests), atLeast
	if d.err != nil {
		return nil, authz.AsOf{}, d.err
	}
	facts := make([]ast.Value, len(requests))
	for i, r := range requests {
		place := ast.NewArray()
		if org := d.places[r.Resource.ID]; org != "" {
			place = ast.NewArray(ast.StringTerm("account:a1"), ast.StringTerm("organization:"+org), ast.StringTerm("realm:customer"))
		}
		facts[i] = ast.NewObject([2]*ast.Term{ast.StringTerm("place"), ast.NewTerm(place)})
	}
	return facts, authz.AsOf{Revision: 7, Stale: d.stale}, nil
}

// house is a PDP with all that it is given.
type house struct {
	*PDP
	facts    *directory
	log      *memory
	registry *prometheus.Registry
}

func open(tb testing.TB, p Policies) house {
	h := house{facts: &directory{places: map[string]string{"open": "acme", "shut": "acme"}}, log: &memory{}, registry: prometheus.NewRegistry()}
	n := 0
	h.PDP = New(Options{
		Policies: p, Facts: h.facts, Log: h.log, Registerer: h.registry,
		NewID: func() string { n++; return fmt.Sprintf("id%d", n) },
	})
	return h
}

func at(id string) Item {
	return Item{Request: authz.Request{
		Subject: authz.Subject{Type: "user", ID: "u1"}, Action: authz.Action{Name: "door.try"},
		Resource: authz.Resource{Type: "door", ID: id},
	}}
}

func invalid() Item { return Item{Err: fmt.Errorf("item: %w", authz.ErrInvalid)} }

func query(items ...Item) Query { return Query{API: APIEvaluations, Items: items} }

func TestOneRequest(t *testing.T) {
	h := open(t, engine(t, door))
	q := Query{API: APIEvaluation, RequestID: "r-1", Caller: authz.Caller{ID: "app"}, Items: []Item{at("open")}, AtLeast: 5}
	r, err := h.Evaluate(t.Context(), q)
	if err != nil || len(r.Outcomes) != 1 {
		t.Fatalf("got %+v, %v, want one outcome", r, err)
	}
	o := r.Outcomes[0]
	if !o.Decision.Allow || o.Err != nil || o.ID != "id1" || r.ID != "id1" || r.Data != 7 || !strings.HasPrefix(r.Policy, "core@") || h.facts.atLeast != 5 {
		t.Errorf("got %+v at least %v, want an allow of id1 at data 7", r, h.facts.atLeast)
	}
	if len(h.log.events) != 1 {
		t.Fatalf("got %d events, want 1", len(h.log.events))
	}
	e := h.log.events[0]
	if e.ID != "id1" || e.BatchID != "" || e.RequestID != "r-1" || e.Caller != "app" || e.API != "evaluation" ||
		e.Path != "postern/access/decision" || e.Policy != r.Policy || e.Data != 7 || !e.Decision.Allow || e.Err != nil || e.Time.IsZero() {
		t.Errorf("got %+v, want all of the decision", e)
	}
	if input := string(e.Input.AppendJSON(nil)); !strings.Contains(input, `"facts":{"place":["account:a1"`) {
		t.Errorf("got input %s, want the facts in it", input)
	}
}

// What waits for the decision log is bounded by what events say they keep.
func TestAnEventSaysWhatItKeeps(t *testing.T) {
	h := open(t, engine(t, door))
	large := at("open")
	large.Request.Context = authz.Properties{"list": make([]any, 1000), "text": strings.Repeat("x", 50_000)}
	if _, err := h.Evaluate(t.Context(), query(at("open"), large, invalid())); err != nil {
		t.Fatal(err)
	}
	small, size, none := h.log.events[0].Size, h.log.events[1].Size, h.log.events[2].Size
	if small > 2000 || size < 100_000 || size > 300_000 || none != 0 {
		t.Errorf("got sizes %d, %d and %d, want one that is small, about 180,000, and 0 without an input", small, size, none)
	}
}

// A failure of one item is its own (AuthZEN §7.1.3, A11).
func TestAnItemFailsAlone(t *testing.T) {
	h := open(t, engine(t, door))
	r, err := h.Evaluate(t.Context(), query(at("open"), at("undefined"), invalid(), at("failing"), at("malformed"), at("shut")))
	if err != nil || len(r.Outcomes) != 6 {
		t.Fatalf("got %+v, %v, want six outcomes", r, err)
	}
	want := []error{nil, policy.ErrUndefined, authz.ErrInvalid, policy.ErrEvaluation, policy.ErrMalformed, nil}
	for i, o := range r.Outcomes {
		if !errors.Is(o.Err, want[i]) || o.Decision.Allow != (i == 0) || o.ID != fmt.Sprintf("id%d", i+2) {
			t.Errorf("item %d: got %+v, want error %v", i, o, want[i])
		}
	}
	if len(h.log.events) != 6 || h.log.events[3].BatchID != "id1" || !errors.Is(h.log.events[3].Err, policy.ErrEvaluation) || h.log.events[2].Input != nil {
		t.Errorf("got %+v, want an event for each item", h.log.events)
	}
	if len(h.facts.asked) != 1 || len(h.facts.asked[0]) != 5 {
		t.Errorf("facts were asked %d times, want once for the five valid items", len(h.facts.asked))
	}
}

func TestACallerAsksWithinItsScope(t *testing.T) {
	tests := []struct {
		name   string
		caller authz.Caller
		id     string
		want   error
	}{
		{"an unrestricted caller asks anything", authz.Caller{ID: "app"}, "silent", nil},
		{"the organization is one of its own", authz.Caller{Organizations: []string{"globex", "acme"}}, "open", nil},
		{"the organization is another's", authz.Caller{Organizations: []string{"globex"}}, "open", authz.ErrForbidden},
		{"there is no place", authz.Caller{Organizations: []string{"acme"}}, "silent", authz.ErrForbidden},
		{"the action has a prefix of its own", authz.Caller{Actions: []string{"invoice.", "door."}}, "open", nil},
		{"the action has none", authz.Caller{Actions: []string{"invoice."}}, "open", authz.ErrForbidden},
		{"an organization does not match in part", authz.Caller{Organizations: []string{"acm", "acme2"}}, "open", authz.ErrForbidden},
	}
	h := open(t, engine(t, door))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := Query{API: APIEvaluation, Caller: tt.caller, Items: []Item{at(tt.id)}}
			r, err := h.Evaluate(t.Context(), q)
			if err != nil || len(r.Outcomes) != 1 || !errors.Is(r.Outcomes[0].Err, tt.want) {
				t.Fatalf("got %+v, %v, want %v", r, err, tt.want)
			}
			if tt.want != nil && r.Outcomes[0].Decision.Allow {
				t.Error("got allow beside the error")
			}
		})
	}
	h.facts.asked = nil
	q := query(at("open"))
	q.Caller.Actions = []string{"invoice."}
	if _, err := h.Evaluate(t.Context(), q); err != nil || h.facts.asked != nil {
		t.Errorf("facts were gathered for an action the caller may not ask about (%v)", err)
	}
}

func TestUnknownFactsAreAnErrorOfTheQuery(t *testing.T) {
	h := open(t, engine(t, door))
	for _, tt := range []struct{ err, want error }{
		{fmt.Errorf("too old: %w", authz.ErrUnavailable), authz.ErrUnavailable},
		{errors.New("disk on fire"), authz.ErrUnavailable},
		{fmt.Errorf("revision of another directory: %w", authz.ErrInvalid), authz.ErrInvalid},
	} {
		h.facts.err, h.log.events = tt.err, nil
		r, err := h.Evaluate(t.Context(), query(at("open"), at("shut")))
		if !errors.Is(err, tt.want) || !errors.Is(err, tt.err) || len(r.Outcomes) != 0 || r.ID == "" || r.Policy == "" {
			t.Errorf("got %+v, %v, want no outcome and %v", r, err, tt.want)
		}
		if len(h.log.events) != 2 || h.log.events[1].Err == nil || h.log.events[0].Decision.Allow {
			t.Errorf("got events %+v, want the error of each item", h.log.events)
		}
	}
}

type nothing struct{ Policies }

func (nothing) Live() *policy.Generation { return nil }

func TestNoPolicyIsAnError(t *testing.T) {
	h := open(t, nothing{})
	if r, err := h.Evaluate(t.Context(), query(at("open"))); !errors.Is(err, authz.ErrUnavailable) || len(r.Outcomes) != 0 {
		t.Errorf("got %+v, %v, want %v", r, err, authz.ErrUnavailable)
	}
}

// stuck is an engine whose n-th evaluation does not come back before its time
// is up.
type stuck struct {
	*policy.Engine
	after   int
	release chan struct{}
}

func (s stuck) Run(ctx context.Context, fn func(context.Context)) error {
	ctx, stop := context.WithCancel(ctx)
	return s.Engine.Run(ctx, func(ctx context.Context) { fn(&clock{Context: ctx, left: s.after, stop: stop, release: s.release}) })
}

// clock is a context that ends, and holds whoever looks at it, in the evaluation
// of the item after the last that has time left.
type clock struct {
	context.Context
	left    int
	stop    func()
	release chan struct{}
	once    sync.Once
}

func (c *clock) Value(key any) any { return c.Context.Value(key) }

// Err is looked at within evaluations only; items is how many have begun.
func (c *clock) Err() error {
	if c.left > 0 {
		c.left--
		return nil
	}
	c.once.Do(func() { c.stop(); <-c.release })
	return c.Context.Err()
}

func TestAStuckItemDoesNotHoldTheAnswer(t *testing.T) {
	e := engine(t, door)
	for _, tt := range []struct {
		semantic Semantic
		items    []Item
	}{
		{ExecuteAll, []Item{invalid(), at("open"), at("open")}},
		{DenyOnFirstDeny, []Item{invalid(), at("open")}},
		{PermitOnFirstPermit, []Item{invalid(), at("open"), at("open")}},
	} {
		release := make(chan struct{})
		h := open(t, stuck{Engine: e, release: release})
		q := query(tt.items...)
		q.Semantic = tt.semantic
		r, err := h.Evaluate(t.Context(), q)
		close(release)
		want := len(tt.items)
		if tt.semantic == DenyOnFirstDeny {
			want = 1
		}
		if err != nil || len(r.Outcomes) != want {
			t.Fatalf("got %+v, %v, want %d outcomes", r, err, want)
		}
		for i, o := range r.Outcomes[1:] {
			if !errors.Is(o.Err, authz.ErrUnavailable) || o.Decision.Allow {
				t.Errorf("item %d: got %+v, want %v", i+1, o, authz.ErrUnavailable)
			}
		}
	}
	release := make(chan struct{})
	h := open(t, stuck{Engine: e, release: release})
	r, err := h.Evaluate(t.Context(), query(at("open"), at("open")))
	close(release)
	if !errors.Is(err, authz.ErrUnavailable) || len(r.Outcomes) != 0 {
		t.Errorf("got %+v, %v, want %v when nothing was decided", r, err, authz.ErrUnavailable)
	}
}

func TestADeadlineBoundsTheQuery(t *testing.T) {
	h := open(t, engine(t, door))
	ctx, stop := context.WithTimeout(t.Context(), time.Nanosecond)
	defer stop()
	if r, err := h.Evaluate(ctx, query(at("open"))); !errors.Is(err, authz.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || len(r.Outcomes) != 0 {
		t.Errorf("got %+v, %v, want %v", r, err, authz.ErrUnavailable)
	}
}

// late is an engine that is only reached when the time is up.
type late struct{ *policy.Engine }

func (late) Run(ctx context.Context, fn func(context.Context)) error {
	ctx, stop := context.WithCancel(ctx)
	stop()
	fn(ctx)
	return fmt.Errorf("late: %w", authz.ErrUnavailable)
}

func TestWhatNobodyWaitsForIsNotBegun(t *testing.T) {
	h := open(t, late{engine(t, door)})
	if r, err := h.Evaluate(t.Context(), query(at("open"), at("open"))); !errors.Is(err, authz.ErrUnavailable) || len(r.Outcomes) != 0 {
		t.Errorf("got %+v, %v, want %v", r, err, authz.ErrUnavailable)
	}
	for _, e := range h.log.events {
		if e.Input != nil {
			t.Errorf("got the input %s, want none of an item that was not begun", e.Input.AppendJSON(nil))
		}
	}
}

func TestWithoutADirectoryThePolicyDecides(t *testing.T) {
	p := New(Options{Policies: engine(t, door)})
	r, err := p.Evaluate(t.Context(), Query{API: APIEvaluation, Items: []Item{at("haunted")}})
	if err != nil || !r.Outcomes[0].Decision.Allow || len(r.ID) != 36 || r.ID[14] != '7' || r.Data != 0 {
		t.Errorf("got %+v, %v, want an allow by a UUID version 7", r, err)
	}
}

func TestMetricsCountDecisions(t *testing.T) {
	h := open(t, engine(t, door))
	strange := at("shut")
	strange.Request.Action.Name = "who.knows"
	for _, q := range []Query{
		query(at("open"), at("haunted"), at("silent"), strange, invalid()),
		{API: APIEvaluation, Items: []Item{at("undefined")}},
	} {
		if _, err := h.Evaluate(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	const want = `
# HELP postern_decision_actions_total Decisions by action and outcome; actions that the policy does not declare are other.
# TYPE postern_decision_actions_total counter
postern_decision_actions_total{action="door.open",decision="allow"} 0
postern_decision_actions_total{action="door.open",decision="deny"} 0
postern_decision_actions_total{action="door.open",decision="error"} 0
postern_decision_actions_total{action="door.try",decision="allow"} 2
postern_decision_actions_total{action="door.try",decision="deny"} 1
postern_decision_actions_total{action="door.try",decision="error"} 1
postern_decision_actions_total{action="other",decision="allow"} 0
postern_decision_actions_total{action="other",decision="deny"} 1
postern_decision_actions_total{action="other",decision="error"} 1
# HELP postern_decisions_total Decisions by API, outcome, and the role that permitted; none is an answer of the Data API that is no decision.
# TYPE postern_decisions_total counter
postern_decisions_total{api="evaluation",decision="allow",role="guest"} 0
postern_decisions_total{api="evaluation",decision="allow",role="none"} 0
postern_decisions_total{api="evaluation",decision="allow",role="other"} 0
postern_decisions_total{api="evaluation",decision="deny",role="none"} 0
postern_decisions_total{api="evaluation",decision="error",role="none"} 1
postern_decisions_total{api="evaluations",decision="allow",role="guest"} 1
postern_decisions_total{api="evaluations",decision="allow",role="none"} 0
postern_decisions_total{api="evaluations",decision="allow",role="other"} 1
postern_decisions_total{api="evaluations",decision="deny",role="none"} 2
postern_decisions_total{api="evaluations",decision="error",role="none"} 1
# HELP postern_denials_total Reasons of denials by rule; a denial may have several.
# TYPE postern_denials_total counter
postern_denials_total{reason="door.shut"} 1
postern_denials_total{reason="none"} 1
postern_denials_total{reason="other"} 1
`
	for _, api := range []string{APIManagement, APIData, APIBatch, APICompile, APIForwardAuth, APIAuthRequest, APIExtAuthz} {
		h.metrics.decisions.DeletePartialMatch(prometheus.Labels{"api": api}) // nobody asked so
	}
	if err := testutil.GatherAndCompare(h.registry, strings.NewReader(want), "postern_decisions_total", "postern_decision_actions_total", "postern_denials_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(h.registry); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v, want no problems", problems, err)
	}
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch f.GetName() {
		case "postern_decision_batch_size":
			if n := f.Metric[0].Histogram.GetSampleCount(); n != 1 {
				t.Errorf("got %d batches, want 1", n)
			}
		case "postern_decision_duration_seconds", "postern_decision_stage_duration_seconds":
			var observed uint64
			for _, m := range f.Metric {
				observed += m.Histogram.GetSampleCount()
			}
			if observed == 0 {
				t.Errorf("nothing was observed in %s", f.GetName())
			}
		}
	}
}

func TestADecisionOnStaleFactsSaysSo(t *testing.T) {
	h := open(t, engine(t, door))
	h.facts.stale = true
	r, err := h.Evaluate(t.Context(), query(at("open"), at("shut"), at("silent"), at("malformed"), invalid()))
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range r.Outcomes {
		var context struct{ Stale bool }
		if o.Err == nil && (json.Unmarshal(o.Decision.Context, &context) != nil || !context.Stale) {
			t.Errorf("outcome %d: got context %s, want it marked", i, o.Decision.Context)
		}
		if o.Stale != (o.Err == nil) {
			t.Errorf("outcome %d: got stale %v with the error %v, want every decision marked", i, o.Stale, o.Err)
		}
		if e := h.log.events[i]; !e.Stale {
			t.Errorf("outcome %d: got an event that is not marked", i)
		}
	}
	if o := r.Outcomes[0]; !o.Decision.Allow {
		t.Errorf("got %+v, want it allowed", o)
	}
	if n := testutil.ToFloat64(h.metrics.stale); n != 3 {
		t.Errorf("got %v counted, want the three decisions", n)
	}
}

func TestTheMarkOfStaleFactsIsNotThePolicys(t *testing.T) {
	for context, want := range map[string]string{
		"":                                     `{"stale":true}`,
		"null":                                 `{"stale":true}`,
		`{"stale":false,"stale_for":7}`:        `{"stale":true,"stale_for":7}`,
		`{"reasons":[{"rule":"a"}],"n":1e400}`: `{"n":1e400,"reasons":[{"rule":"a"}],"stale":true}`,
	} {
		if got := string(marked(json.RawMessage(context))); got != want {
			t.Errorf("%q: got %s, want %s", context, got, want)
		}
	}
}
