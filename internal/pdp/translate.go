package pdp

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego/compile"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/decisionlog"
	"github.com/postern-authz/postern/internal/policy"
)

// Holdings is what the directory knows of a subject by itself.
type Holdings interface {
	// Held returns the facts on a subject: user and grants, absent if the
	// directory does not know it. One of too many grants is an error of kind
	// authz.ErrInvalid.
	Held(ctx context.Context, subject authz.Subject, atLeast authz.Revision) (ast.Value, authz.AsOf, error)
}

// A Translation asks for a rule as filters of a database, see policy.Translation.
type Translation struct {
	policy.Translation                // without its Input
	RequestID          string         // as in a Query
	Caller             authz.Caller   // as in a Query
	AtLeast            authz.Revision // as in a Query
	// Known is the input so far, of JSON values. The facts on Subject are added.
	Known   map[string]any
	Subject *authz.Subject // nil: no facts
}

// A Translated is the answer to a Translation.
type Translated struct {
	ID      string
	Policy  string // revision of the generation
	Data    authz.Revision
	Filters *compile.Filters
}

// Translate gives the filters of a rule by the policy in force, with the facts on
// the subject as known. It is remembered and counted as what is no decision.
//
// The errors are those of Ask and of policy.Generation.Translate. A caller that
// may ask about some things only is refused: nobody can tell what a filter is about.
func (p *PDP) Translate(ctx context.Context, q Translation) (Translated, error) {
	w := p.begin(ctx, Query{API: APICompile, RequestID: q.RequestID, Caller: q.Caller, AtLeast: q.AtLeast, Path: q.Path})
	out := Translated{ID: w.result.ID, Policy: w.result.Policy}
	if err := w.mayTranslate(q); err != nil {
		return out, err
	}
	err := w.known(ctx, &q)
	if out.Data = w.result.Data; err == nil {
		out.Filters, err = w.translate(ctx, q.Translation)
	}
	w.translated(q, out.Filters, err)
	return out, err
}

func (w *work) mayTranslate(q Translation) error {
	switch {
	case w.generation == nil:
		return fmt.Errorf("decide: no policy is in force: %w", authz.ErrUnavailable)
	case restricted(q.Caller):
		return fmt.Errorf("caller %s may ask about some organizations or actions only, and a filter is about all there is: %w", q.Caller.ID, authz.ErrForbidden)
	case q.MaskRule != "" && !w.serves(q.MaskRule):
		return fmt.Errorf("the maskRule is not served: %w", authz.ErrInvalid)
	}
	return w.mayAskSo()
}

// known completes the input with the facts on the subject.
func (w *work) known(ctx context.Context, q *Translation) error {
	input, err := bareInput(q.Known)
	if err != nil {
		return err
	}
	q.Input = input
	if q.Subject == nil || w.holdings == nil {
		return nil
	}
	facts, asOf, err := w.holdings.Held(ctx, *q.Subject, q.AtLeast)
	w.metrics.facts.Observe(w.now().Sub(w.start).Seconds())
	if err != nil {
		return unavailable(err)
	}
	if w.result.Data, w.stale = asOf.Revision, asOf.Stale; w.stale {
		return w.tooStale()
	}
	input.AST().(ast.Object).Insert(ast.InternedTerm("facts"), ast.NewTerm(facts))
	return nil
}

func (w *work) translate(ctx context.Context, t policy.Translation) (*compile.Filters, error) {
	type answer struct {
		filters *compile.Filters
		err     error
	}
	said := make(chan answer, 1)
	begun := w.now()
	err := w.policies.Run(ctx, func(ctx context.Context) {
		filters, err := w.generation.Translate(ctx, t)
		said <- answer{filters, err}
	})
	w.metrics.eval.Observe(w.now().Sub(begun).Seconds())
	if err != nil {
		return nil, err
	}
	got := <-said
	return got.filters, got.err
}

// translated remembers and counts a translation.
func (w *work) translated(q Translation, filters *compile.Filters, err error) {
	elapsed := w.now().Sub(w.start)
	w.series.countFound(APICompile, err)
	w.metrics.took(APICompile, elapsed, w.trace)
	if w.log != nil {
		w.log.Record(w.eventOf(q, filtersOf(q, filters), elapsed, err))
	}
}

// A text is JSON that is written already.
type text []byte

// AppendJSON implements decisionlog.JSON.
func (t text) AppendJSON(b []byte) []byte { return append(b, t...) }

// filtersOf are the filters as the decision log has them, by target.
func filtersOf(q Translation, filters *compile.Filters) text {
	queries := map[string]any{}
	for _, t := range q.Targets {
		if filters != nil {
			queries[t.Kind+"+"+t.Dialect] = filters.For(t.Kind, t.Dialect).Query
		}
	}
	b, err := json.Marshal(queries)
	if err != nil { // what it is made of came from JSON
		return text("null")
	}
	return b
}

func (w *work) eventOf(q Translation, found text, elapsed time.Duration, err error) decisionlog.Event {
	return decisionlog.Event{
		ID: w.result.ID, RequestID: q.RequestID, Trace: w.trace, Caller: q.Caller.ID, API: APICompile, Path: q.Path,
		Policy: w.result.Policy, Data: w.result.Data, Stale: w.stale, Time: w.start, Elapsed: elapsed,
		Input: logged(q.Input), Size: weightOf(q.Known) + len(found), Found: found, Err: err,
	}
}
