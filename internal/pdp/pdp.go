// Package pdp is the policy decision point: it answers authorization requests
// by asking the policy in force about what the caller said and what the
// directory knows. It fails closed: whatever goes wrong, the answer is an error
// and never an allow.
package pdp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/decisionlog"
	"github.com/postern-authz/postern/internal/histogram"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/trace"
)

// Who asks: AuthZEN 1.0 with one request (§6) or a batch (§7); OPA's Data API
// with one input, a batch, or to have rules translated; a proxy, in one of the
// three ways that proxies ask; or the management listener, see Manage.
const (
	APIEvaluation  = "evaluation"
	APIEvaluations = "evaluations"
	APIData        = "data"
	APIBatch       = "batch"
	APICompile     = "compile"
	APIForwardAuth = "forward_auth"
	APIAuthRequest = "auth_request"
	APIExtAuthz    = "ext_authz"
	APIManagement  = "management"
)

// apis are all of them, so that every series is there from the start.
func apis() []string {
	return []string{
		APIEvaluation, APIEvaluations, APIData, APIBatch, APICompile,
		APIForwardAuth, APIAuthRequest, APIExtAuthz, APIManagement,
	}
}

// Policies keeps a policy in force; policy.Engine does.
type Policies interface {
	// Live is the generation in force, or nil.
	Live() *policy.Generation
	// Run calls fn, or returns an error of kind authz.ErrUnavailable when ctx
	// ends before fn does; fn may then go on.
	Run(ctx context.Context, fn func(context.Context)) error
}

// Facts is what the directory knows that bears on requests.
type Facts interface {
	// Gather returns the facts on each request, all as of one revision that is
	// atLeast or later. A nil value is no facts. What is decided on stale ones
	// says so.
	Gather(ctx context.Context, requests []authz.Request, atLeast authz.Revision) ([]ast.Value, authz.AsOf, error)
}

// Log remembers decisions. It never blocks.
type Log interface{ Record(decisionlog.Event) }

// Options are what a PDP works with. Policies is required.
type Options struct {
	Policies   Policies
	Facts      Facts                 // nil: the policy decides without a directory
	Holdings   Holdings              // nil: translations are made without a directory
	Log        Log                   // nil: decisions are not remembered
	Open       []string              // what Ask may be asked for beside the policy's entrypoints: paths and whatever lies below them
	Now        func() time.Time      // default: time.Now
	NewID      func() string         // default: UUID version 7
	Registerer prometheus.Registerer // default: none
	Histograms histogram.Native
}

// A PDP answers queries. Any number of goroutines may ask at once.
type PDP struct {
	policies Policies
	facts    Facts
	holdings Holdings // nil: none
	log      Log      // nil: decisions are not remembered
	open     []string
	now      func() time.Time
	newID    func() string
	metrics  *meters
}

// New makes a PDP.
func New(o Options) *PDP {
	p := &PDP{policies: o.Policies, facts: o.Facts, holdings: o.Holdings, log: o.Log, open: o.Open, now: o.Now, newID: o.NewID}
	if p.facts == nil {
		p.facts = noFacts{}
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.newID == nil {
		p.newID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	p.metrics = newMeters(o.Registerer, o.Histograms)
	return p
}

type noFacts struct{}

func (noFacts) Gather(_ context.Context, requests []authz.Request, _ authz.Revision) ([]ast.Value, authz.AsOf, error) {
	return make([]ast.Value, len(requests)), authz.AsOf{}, nil
}

// Evaluate answers a query by one generation of the policy on one revision of
// the directory. It takes no longer than ctx lasts, and is a part of the trace
// that ctx has.
//
// An error means that no item has an answer: no policy is in force, the facts
// cannot be known, or time ran out before the first item was decided. It is of
// kind authz.ErrUnavailable, or of the kind the facts' source gave it. The
// Result then still has its ID and the policy's revision, and no outcomes.
//
// What befalls one item alone is the Err of its Outcome, in a query of one item
// too: its own Err, authz.ErrForbidden if the caller may not ask this, a kind of
// package policy if the policy has no decision on it, authz.ErrUnavailable if
// time ran out. It is never a denial (ruling A11).
func (p *PDP) Evaluate(ctx context.Context, q Query) (Result, error) {
	w := p.begin(ctx, q)
	err := w.gather(ctx)
	if err == nil {
		err = w.evaluate(ctx)
	}
	return w.finish(err)
}

// work is one query on its way.
type work struct {
	*PDP
	query      Query
	trace      *trace.Span // that the query is asked in, or nil
	generation *policy.Generation
	decider    *policy.Batch // the generation, for this query
	result     Result
	stale      bool // the facts are
	start      time.Time
	series     *series
	items      []item
	told       int // events of the explanations so far; of evaluate's goroutine
	// decided counts the items that have been looked at; evaluate's goroutine
	// writes items beyond it, everybody else reads those below it.
	decided counter
}

// item is what becomes of one Item of the query.
type item struct {
	facts     ast.Value
	err       error
	input     decisionlog.JSON
	decision  authz.Decision
	found     policy.Value
	explained *policy.Explanation
	at        time.Time
	elapsed   time.Duration
}

func (p *PDP) begin(ctx context.Context, q Query) *work {
	w := &work{PDP: p, query: q, trace: trace.From(ctx), generation: q.Generation, start: p.now(), items: make([]item, len(q.Items))}
	if w.generation == nil {
		w.generation = p.policies.Live()
	}
	w.result.ID = p.newID()
	if w.generation != nil {
		w.result.Policy, w.decider = w.generation.Revision(), w.generation.Batch(len(q.Items))
	}
	w.series = p.metrics.of(w.generation)
	for i, it := range q.Items {
		w.items[i].at = w.start
		if w.items[i].err = it.Err; it.Err == nil {
			w.items[i].err = mayAsk(q.Caller, it)
		}
	}
	return w
}

// gather brings the facts for the items that may be asked, all at once.
func (w *work) gather(ctx context.Context) error {
	if w.generation == nil {
		return fmt.Errorf("decide: no policy is in force: %w", authz.ErrUnavailable)
	}
	requests := make([]authz.Request, 0, len(w.items))
	for i := range w.items {
		if w.factual(i) {
			requests = append(requests, w.query.Items[i].Request)
		}
	}
	if len(requests) == 0 {
		return nil
	}
	facts, asOf, err := w.facts.Gather(ctx, requests, w.query.AtLeast)
	w.metrics.facts.Observe(w.now().Sub(w.start).Seconds())
	if err != nil {
		return fmt.Errorf("decide: facts: %w", unavailable(err))
	}
	if len(facts) != len(requests) {
		return fmt.Errorf("decide: there are facts on %d of %d requests: %w", len(facts), len(requests), authz.ErrUnavailable)
	}
	w.result.Data, w.stale = asOf.Revision, asOf.Stale
	w.place(facts)
	return w.tooStale()
}

// factual says whether facts are gathered for an item.
func (w *work) factual(i int) bool { return w.items[i].err == nil && !w.query.Items[i].Bare }

// place gives each item its facts, and keeps callers to their organizations.
func (w *work) place(facts []ast.Value) {
	next := 0
	for i := range w.items {
		it := &w.items[i]
		if !w.factual(i) {
			continue
		}
		it.facts = facts[next]
		it.err = mayAskOf(w.query.Caller, it.facts)
		next++
	}
}

// unavailable gives an error a kind, if it has none: facts that cannot be known
// are no fault of the policy.
func unavailable(err error) error {
	for _, kind := range []error{authz.ErrUnavailable, authz.ErrInvalid, authz.ErrConflict, authz.ErrNotFound, authz.ErrForbidden} {
		if errors.Is(err, kind) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", authz.ErrUnavailable, err)
}

// evaluate asks the policy about one item after the other, on one goroutine that
// is left behind if it outlives ctx. Items it never came to are unavailable.
func (w *work) evaluate(ctx context.Context) error {
	if !slices.ContainsFunc(w.items, func(it item) bool { return it.err == nil }) {
		w.decideAll(ctx) // there is nothing to decide, and nothing to be left behind
		return nil
	}
	begun := w.now()
	err := w.policies.Run(ctx, w.decideAll)
	w.metrics.eval.Observe(w.now().Sub(begun).Seconds())
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", authz.ErrUnavailable, context.Cause(ctx))
	}
	if err != nil && w.decided.load() == 0 {
		return fmt.Errorf("decide: %w", err)
	}
	return nil
}

// decideAll ends with ctx: nobody waits for the items that are left, and making
// the input of each costs as much as the caller likes.
func (w *work) decideAll(ctx context.Context) {
	for i := range w.items {
		it := &w.items[i]
		if it.err == nil {
			if ctx.Err() != nil {
				return
			}
			w.answer(ctx, i)
		}
		w.decided.store(i + 1)
		if w.query.Semantic.stops(it.err == nil && it.decision.Allow) {
			return
		}
	}
}

// answer asks the policy about one item.
func (w *work) answer(ctx context.Context, i int) {
	it := &w.items[i]
	it.at = w.now()
	input, err := w.input(i)
	if err == nil {
		it.input = logged(input)
		err = w.evaluateItem(ctx, it, input)
	}
	it.err = err
	it.elapsed = w.now().Sub(it.at)
}

// input is what the policy sees of an item.
func (w *work) input(i int) (policy.Value, error) {
	q := &w.query.Items[i]
	if q.Bare {
		return bareInput(q.Input)
	}
	return w.decider.Input(q.Request, w.items[i].facts)
}

// logged is an input as the decision log keeps it.
func logged(input policy.Value) decisionlog.JSON {
	if input.AST() == nil {
		return nil
	}
	return input
}

func (w *work) evaluateItem(ctx context.Context, it *item, input policy.Value) (err error) {
	watch := policy.Watch{Rules: w.log != nil, Metrics: w.query.Metrics, Instrument: w.query.Instrument} // somebody remembers which rules held
	if w.query.Explain {
		it.explained = &policy.Explanation{Told: w.told}
		watch.Explain = it.explained
		defer func() { w.told += len(it.explained.Events()) }()
	}
	if w.decides() {
		it.decision, err = w.generation.DecideOn(ctx, input, watch)
		return err
	}
	it.found, it.decision.Rules, err = w.generation.Ask(ctx, w.query.Path, input, watch)
	return err
}

// stops says whether a batch is done with this item (AuthZEN 1.0 §7.1.2). A
// failure is a denial for the one and no permit for the other.
func (s Semantic) stops(allow bool) bool {
	return s == DenyOnFirstDeny && !allow || s == PermitOnFirstPermit && allow
}
