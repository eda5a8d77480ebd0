package policy

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
)

func TestACoreOfOnesOwnDecidesFromItsData(t *testing.T) {
	e := own(t, house())
	tests := []struct {
		name, subject, resource string
		allow                   bool
		reason                  authz.Reason
		rules                   string
	}{
		{"a key opens", "ann", "attic", true, authz.Reason{Rule: "house.key", Role: "holder"}, "house.key"},
		{"another key does not", "bob", "attic", false, authz.Reason{Rule: "house.no_key"}, ""},
		{"a stranger has none", "eve", "cellar", false, authz.Reason{Rule: "house.no_key"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := decide(t, e, ask(tt.subject, "enter", tt.resource))
			if d.Allow != tt.allow || len(d.Reasons) != 1 || d.Reasons[0] != tt.reason || strings.Join(d.Rules, " ") != tt.rules {
				t.Errorf("got %v %v %v, want %v %v %v", d.Allow, d.Reasons, d.Rules, tt.allow, tt.reason, tt.rules)
			}
			if !json.Valid(d.Context) {
				t.Errorf("got context %s, want JSON", d.Context)
			}
		})
	}
}

func TestTheInputIsWhatWasAskedAndTheFacts(t *testing.T) {
	e := own(t, core(decisionOf+`{"decision": true, "context": {"input": input}}`))
	req := authz.Request{
		Subject:  authz.Subject{Type: "user", ID: "u1", Properties: authz.Properties{"role": "admin"}},
		Action:   authz.Action{Name: "service.view", Properties: authz.Properties{"n": json.Number("1.50")}},
		Resource: authz.Resource{Type: "service", ID: "s1"},
		Context:  authz.Properties{"portal": nil, "list": []any{true, "x"}},
	}
	d, input, err := e.Live().Decide(t.Context(), req, parse(t, `{"user": {"id": "u1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"action":{"name":"service.view","properties":{"n":1.50}},"context":{"list":[true,"x"],"portal":null},` +
		`"facts":{"user":{"id":"u1"}},"resource":{"id":"s1","type":"service"},"subject":{"id":"u1","properties":{"role":"admin"},"type":"user"}}`
	if got := string(input.AppendJSON(nil)); got != want {
		t.Errorf("got input %s, want %s", got, want)
	}
	if got := string(d.Context); got != `{"input":`+want+`}` {
		t.Errorf("got context %s, want the input in it", got)
	}
	d, _, err = e.Live().Decide(t.Context(), ask("u1", "a", "r"), nil)
	if err != nil || strings.Contains(string(d.Context), "facts") || strings.Contains(string(d.Context), "properties") {
		t.Errorf("got %s, %v, want neither facts nor properties where there are none", d.Context, err)
	}
}

// A decision that cannot be made is an error and never a denial (A11, D5, F21).
func TestAnythingButADecisionIsAnError(t *testing.T) {
	tests := []struct {
		name, rego string
		want       error
	}{
		{"undefined", decisionOf + `{"decision": true} if input.nowhere`, ErrUndefined},
		{"without a decision", decisionOf + `{"allow": true}`, ErrUndefined},
		{"a bare boolean", decisionOf + `true`, ErrMalformed},
		{"a string for a boolean", decisionOf + `{"decision": "true"}`, ErrMalformed},
		{"a number for a boolean", decisionOf + `{"decision": 1}`, ErrMalformed},
		{"a context that is no object", decisionOf + `{"decision": true, "context": ["x"]}`, ErrMalformed},
		{"a builtin that fails", decisionOf + `{"decision": true} if not to_number(input.subject.id) > 5`, ErrEvaluation},
		{"rules in conflict", decisionOf + `{"decision": true} if input.subject` + "\n\ndecision := {\"decision\": false} if input.action", ErrEvaluation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, input, err := own(t, core(tt.rego)).Live().Decide(t.Context(), ask("high", "a", "r"), nil)
			if !errors.Is(err, tt.want) || d.Allow || input.AST() == nil {
				t.Errorf("got allow %v, input %v, error %v, want no allow, the input, and %v", d.Allow, input.AST(), err, tt.want)
			}
			if errors.Is(err, authz.ErrUnavailable) || errors.Is(err, authz.ErrInvalid) {
				t.Errorf("got %v, want an error of no kind the caller acts on", err)
			}
		})
	}
}

func TestAMissingAttributeDoesNotFailOpen(t *testing.T) {
	e := own(t, core(decisionOf+`{"decision": allow}
allow := true if not input.context.risk > 5
default allow := false`))
	d := decide(t, e, ask("u", "a", "r"))
	if !d.Allow {
		t.Fatal("the policy of this test permits what has no risk")
	}
	req := ask("u", "a", "r")
	req.Context = authz.Properties{"risk": json.Number("6")}
	if decide(t, e, req).Allow {
		t.Error("got allow, want deny at risk 6")
	}
}

func TestReasonsAreReadFromArraysAndSets(t *testing.T) {
	e := own(t, core(decisionOf+`{"decision": false, "context": {"reasons": {{"rule": "b", "role": "r"}, {"rule": "a"}, {"text": "no rule"}, "x"}}}`))
	d := decide(t, e, ask("u", "a", "r"))
	if len(d.Reasons) != 2 || d.Reasons[0] != (authz.Reason{Rule: "b", Role: "r"}) && d.Reasons[1] != (authz.Reason{Rule: "b", Role: "r"}) {
		t.Errorf("got %v, want a and b", d.Reasons)
	}
	if !json.Valid(d.Context) || !strings.Contains(string(d.Context), `"reasons":["x",`) {
		t.Errorf("got %s, want the set as a sorted array", d.Context)
	}
}

func TestAnEndedContextIsUnavailableAndNoDenial(t *testing.T) {
	e := own(t, core(decisionOf+`{"decision": true} if { some i in numbers.range(1, 1000000); i == input.subject.id }`))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, _, err := e.Live().Decide(ctx, ask("u", "a", "r"), nil)
	if !errors.Is(err, authz.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v by cancellation", err, authz.ErrUnavailable)
	}
}

func TestQueryAsksAnyEntrypoint(t *testing.T) {
	e := own(t, house().with("house/door.rego", `package house.door

import rego.v2

# METADATA
# entrypoint: true
open contains who if some who, _ in data.house.keys
`))
	g := e.Live()
	if got := strings.Join(g.Entrypoints(), " "); got != "house/door/open postern/access/decision" {
		t.Errorf("got entrypoints %s", got)
	}
	v, err := g.Query(t.Context(), "house/door/open", nil)
	if got := string(v.AppendJSON(nil)); err != nil || got != `["ann","bob"]` {
		t.Errorf("got %s, %v, want ann and bob", got, err)
	}
	if _, err := g.Query(t.Context(), "house/door", nil); !errors.Is(err, authz.ErrNotFound) {
		t.Errorf("got %v, want %v", err, authz.ErrNotFound)
	}
}
