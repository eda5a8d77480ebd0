package pdp

import (
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/decisionlog"
	"github.com/postern-authz/postern/internal/policy"
)

// finish turns what became of the items into outcomes, remembers and counts them.
func (w *work) finish(failed error) (Result, error) {
	n := w.decided.load()
	for i := range w.items {
		var it item
		switch {
		case failed != nil:
			it = item{at: w.start, err: failed}
		case i < n:
			it = w.items[i]
		default:
			it = item{at: w.start, err: fmt.Errorf("decide: time ran out before this item: %w", authz.ErrUnavailable)}
		}
		o := w.outcome(it)
		w.remember(it, o)
		w.series.count(w.query, i, o)
		if failed != nil {
			continue
		}
		w.result.Outcomes = append(w.result.Outcomes, o)
		if w.query.Semantic.stops(o.Decision.Allow) {
			break
		}
	}
	w.metrics.observe(w.query, w.now().Sub(w.start))
	return w.result, failed
}

func (w *work) outcome(it item) Outcome {
	o := Outcome{ID: w.result.ID, Decision: it.decision, Err: it.err}
	if w.batch() {
		o.ID = w.newID()
	}
	if o.Err != nil {
		o.Decision = authz.Decision{}
	}
	return o
}

// batch says whether the items have ids of their own beside the query's.
func (w *work) batch() bool { return w.query.API == APIEvaluations || len(w.query.Items) > 1 }

func (w *work) remember(it item, o Outcome) {
	e := decisionlog.Event{
		ID: o.ID, RequestID: w.query.RequestID, Caller: w.query.Caller.ID, API: w.query.API,
		Path: policy.AccessDecision, Policy: w.result.Policy, Data: w.result.Data,
		Time: it.at, Elapsed: it.elapsed, Input: it.input, Decision: o.Decision, Err: o.Err,
	}
	if w.batch() {
		e.BatchID = w.result.ID
	}
	w.log.Record(e)
}
