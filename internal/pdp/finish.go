package pdp

import (
	"encoding/json"
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
		o := w.outcome(i, it)
		w.remember(i, it, o)
		if w.decides() {
			w.series.count(w.query.API, w.query.Items[i].Request.Action.Name, o)
		} else {
			w.series.countFound(w.query.API, o.Err)
		}
		if failed != nil {
			continue
		}
		w.result.Outcomes = append(w.result.Outcomes, o)
		if w.query.Semantic.stops(o.Decision.Allow) {
			break
		}
	}
	w.metrics.observe(w.query, w.now().Sub(w.start), w.trace)
	return w.result, failed
}

func (w *work) outcome(i int, it item) Outcome {
	o := Outcome{ID: w.result.ID, Decision: it.decision, Err: it.err, Found: it.found, Explanation: it.explained}
	if w.batch() {
		o.ID = w.newID()
	}
	if o.Err != nil {
		o.Decision, o.Found = authz.Decision{}, policy.Value{}
	} else if w.stale && w.factual(i) {
		o.Stale, o.Decision.Context = true, marked(o.Decision.Context)
		w.metrics.stale.Inc()
	}
	return o
}

// marked is the context of a decision that rests on stale facts: "stale" is
// true there, whatever the policy says beside it.
func marked(context json.RawMessage) json.RawMessage {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(context, &members); err != nil || members == nil {
		members = map[string]json.RawMessage{}
	}
	members["stale"] = json.RawMessage("true")
	with, err := json.Marshal(members)
	if err != nil { // the policy's own context cannot be written either
		return json.RawMessage(`{"stale":true}`)
	}
	return with
}

// batch says whether the items have ids of their own beside the query's.
func (w *work) batch() bool {
	return w.query.API == APIEvaluations || w.query.API == APIBatch || len(w.query.Items) > 1
}

func (w *work) remember(i int, it item, o Outcome) {
	if w.log == nil {
		return
	}
	e := decisionlog.Event{
		ID: o.ID, RequestID: w.query.RequestID, Trace: w.trace, Caller: w.query.Caller.ID, API: w.query.API,
		Path: policy.AccessDecision, Policy: w.result.Policy, Data: w.result.Data, Stale: w.stale,
		Time: it.at, Elapsed: it.elapsed, Input: it.input, Decision: o.Decision, Err: o.Err,
	}
	if w.batch() {
		e.BatchID = w.result.ID
	}
	if !w.decides() {
		e.Path, e.Found = w.query.Path, o.Found
	}
	e.Size = w.weigh(i, it)
	w.log.Record(e)
}

// weigh is what remembering an item takes, in bytes, about.
func (w *work) weigh(i int, it item) int {
	size := 0
	if it.found.AST() != nil {
		size = len(it.found.AppendJSON(nil)) * 4
	}
	switch {
	case it.input == nil:
		return size
	case w.query.Items[i].Bare:
		return size + weightOf(w.query.Items[i].Input)
	}
	return size + weight(w.query.Items[i].Request)
}

// weight is what a request takes as the input of a policy, in bytes, about.
func weight(r authz.Request) int {
	return len(r.Subject.ID) + len(r.Action.Name) + len(r.Resource.ID) +
		weightOf(r.Subject.Properties) + weightOf(r.Action.Properties) + weightOf(r.Resource.Properties) + weightOf(r.Context)
}

func weightOf(value any) int {
	n := 128 // a term, and its place in an array or an object
	switch v := value.(type) {
	case string:
		n += len(v)
	case []any:
		for _, element := range v {
			n += weightOf(element)
		}
	case authz.Properties:
		for name, member := range v {
			n += len(name) + 128 + weightOf(member)
		}
	}
	return n
}
