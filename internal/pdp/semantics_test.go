package pdp

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
)

// The three semantics against their words (AuthZEN 1.0 §7.1.2): every outcome up
// to the stop is what the item alone comes to, and the stop is the first denial
// or failure, the first permit, or the end.
func TestSemanticsStopWhereTheyShould(t *testing.T) {
	h := open(t, engine(t, door))
	ids := []string{"open", "haunted", "shut", "silent", "undefined", "failing", "malformed", "invalid", "forbidden"}
	permitted := map[string]bool{"open": true, "haunted": true}
	decided := map[string]bool{"open": true, "haunted": true, "shut": true, "silent": true}
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOfN(rapid.SampledFrom(ids), 1, 8).Draw(t, "items")
		semantic := rapid.SampledFrom([]Semantic{ExecuteAll, DenyOnFirstDeny, PermitOnFirstPermit}).Draw(t, "semantic")
		want := len(drawn)
		for i, id := range drawn {
			if semantic == DenyOnFirstDeny && !permitted[id] || semantic == PermitOnFirstPermit && permitted[id] {
				want = i + 1
				break
			}
		}
		q := Query{API: APIEvaluations, Semantic: semantic, Caller: authz.Caller{Actions: []string{"door."}}}
		for _, id := range drawn {
			it := at(id)
			switch id {
			case "invalid":
				it = invalid()
			case "forbidden":
				it.Request.Action.Name = "window.try"
			}
			q.Items = append(q.Items, it)
		}
		r, err := h.Evaluate(t.Context(), q)
		if err != nil || len(r.Outcomes) != want {
			t.Fatalf("%v: got %d outcomes, %v, want %d", drawn, len(r.Outcomes), err, want)
		}
		for i, o := range r.Outcomes {
			if o.Decision.Allow != permitted[drawn[i]] || (o.Err == nil) != decided[drawn[i]] {
				t.Errorf("item %d is %s: got %+v", i, drawn[i], o)
			}
		}
	})
}
