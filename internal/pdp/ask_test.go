package pdp

import (
	"context"
	"errors"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/policy"
)

// lists is a policy with other paths than the decision's.
const lists = door + `
# METADATA
# entrypoint: true
known := object.keys(input)

# METADATA
# compile: {unknowns: [input.doors]}
# entrypoint: true
doors if input.doors.owner == input.facts.name

loud contains i if some i in numbers.range(1, 7000)
`

// held is what a test knows of any subject.
type held struct {
	stale bool
	asked []authz.Subject
}

func (h *held) Held(_ context.Context, s authz.Subject, _ authz.Revision) (ast.Value, authz.AsOf, error) {
	h.asked = append(h.asked, s)
	facts := ast.NewObject([2]*ast.Term{ast.StringTerm("name"), ast.StringTerm("rosa")})
	return facts, authz.AsOf{Revision: 7, Stale: h.stale}, nil
}

func openAll(tb testing.TB) (house, *held) {
	h, known := open(tb, engine(tb, lists)), &held{}
	h.holdings, h.open = known, []string{"postern"}
	return h, known
}

func data(path string, items ...Item) Query { return Query{API: APIData, Path: path, Items: items} }

func translation() Translation {
	return Translation{
		Translation: policy.Translation{Path: "postern/access/doors", Targets: []policy.Target{{Kind: "sql", Dialect: "postgresql"}}},
		Known:       map[string]any{}, Subject: &authz.Subject{Type: "user", ID: "u1"},
	}
}

func TestWhoMayManageIsServedUnderNoName(t *testing.T) {
	h, _ := openAll(t)
	for _, path := range []string{"postern", "postern/manage", "postern/manage/decision", "postern/%6danage/decision"} {
		if _, err := h.Ask(t.Context(), data(path, at("open"))); !errors.Is(err, authz.ErrNotFound) {
			t.Errorf("%s: got %v, want it not found", path, err)
		}
		q := translation()
		q.MaskRule = path
		if _, err := h.Translate(t.Context(), q); !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("mask %s: got %v, want it refused", path, err)
		}
	}
	if r, err := h.Ask(t.Context(), data("postern/access", at("open"))); err != nil || r.Outcomes[0].Err != nil {
		t.Errorf("got %v %+v, want what is open beside it", err, r)
	}
}

// A key that may ask about some things only learns of no others.
func TestARestrictedCallerLearnsNothingMore(t *testing.T) {
	for _, caller := range []authz.Caller{{ID: "app", Organizations: []string{"acme"}}, {ID: "app", Actions: []string{"door."}}} {
		h, known := openAll(t)
		q := data(policy.AccessDecision, at("open"))
		q.Caller, q.Explain = caller, true
		if _, err := h.Ask(t.Context(), q); !errors.Is(err, authz.ErrForbidden) || len(h.facts.asked) > 0 {
			t.Errorf("an explanation: got %v, want it forbidden before the directory is asked", err)
		}
		tr := translation()
		tr.Caller = caller
		if _, err := h.Translate(t.Context(), tr); !errors.Is(err, authz.ErrForbidden) || len(known.asked) > 0 {
			t.Errorf("a filter: got %v, want it forbidden before the directory is asked", err)
		}
		for _, path := range []string{policy.AccessDecision, "postern/access/known"} {
			q := data(path, Item{Bare: true, Input: map[string]any{"n": 1}}, Item{Bare: true}, at("open"))
			q.Caller = caller
			r, err := h.Ask(t.Context(), q)
			if err != nil || !errors.Is(r.Outcomes[0].Err, authz.ErrForbidden) || !errors.Is(r.Outcomes[1].Err, authz.ErrForbidden) || r.Outcomes[2].Err != nil {
				t.Errorf("%s: got %v %+v, want what is no request forbidden", path, err, r.Outcomes)
			}
		}
	}
}

// Nothing in a value or a filter could say that it rests on stale facts.
func TestOnlyDecisionsAreMadeOnStaleFacts(t *testing.T) {
	h, known := openAll(t)
	h.facts.stale, known.stale = true, true
	r, err := h.Ask(t.Context(), data(policy.AccessDecision, at("open")))
	if err != nil || !r.Outcomes[0].Decision.Allow {
		t.Errorf("got %v %+v, want a decision", err, r)
	}
	if r, err := h.Ask(t.Context(), data("postern/access/known", at("open"), Item{Bare: true})); !errors.Is(err, authz.ErrUnavailable) {
		t.Errorf("got %v %+v, want it unavailable", err, r)
	}
	if r, err := h.Ask(t.Context(), data("postern/access/known", Item{Bare: true})); err != nil || r.Outcomes[0].Err != nil {
		t.Errorf("got %v %+v, want what needs no facts", err, r)
	}
	if out, err := h.Translate(t.Context(), translation()); !errors.Is(err, authz.ErrUnavailable) || out.Filters != nil {
		t.Errorf("got %v, want no filter", err)
	}
	q := translation()
	q.Subject = nil
	if _, err := h.Translate(t.Context(), q); err != nil {
		t.Errorf("got %v, want a filter without facts", err)
	}
}

// The events of all items together are bounded, or a batch holds a thousand times
// what one question may.
func TestTheExplanationsOfABatchShareTheirRoom(t *testing.T) {
	h, _ := openAll(t)
	items := make([]Item, 4)
	for i := range items {
		items[i] = at("open")
	}
	q := data("postern/access/loud", items...)
	q.Explain = true
	r, err := h.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for i, o := range r.Outcomes {
		n := len(o.Explanation.Events())
		if all += n; n == 0 {
			t.Errorf("item %d says nothing, not even that it was cut", i)
		}
	}
	if all > 20_100 {
		t.Errorf("got %d events, want 20,000 and a note for each item", all)
	}
}

func TestWhatCannotBeTranslatedIsTheCallersFault(t *testing.T) {
	h, _ := openAll(t)
	for name, change := range map[string]func(*Translation){
		"rules that are none":     func(q *Translation) { q.Whole = []string{"%%%"} },
		"rules that are Rego":     func(q *Translation) { q.Whole = []string{"data.x[y] := 1"} },
		"an unknown without name": func(q *Translation) { q.Unknowns = []string{"input."} },
		"a gap in an unknown":     func(q *Translation) { q.Unknowns = []string{"input..facts"} },
		"facts that are unknown":  func(q *Translation) { q.Unknowns = []string{"input.doors", "input.facts.name"} },
		"data that are unknown":   func(q *Translation) { q.Unknowns = []string{"data.catalog"} },
		"all that is unknown":     func(q *Translation) { q.Unknowns = []string{"input"} },
	} {
		q := translation()
		change(&q)
		if out, err := h.Translate(t.Context(), q); !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("%s: got %v %v, want it refused", name, err, out.Filters)
		}
	}
	if _, err := h.Translate(t.Context(), translation()); err != nil {
		t.Errorf("got %v, want a filter", err)
	}
}
