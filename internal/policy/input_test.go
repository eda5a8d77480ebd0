package policy

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
)

// The items of a batch share their defaults: what is large is converted once,
// and every item still has the input it would have alone.
func TestABatchConvertsWhatItsItemsShareOnce(t *testing.T) {
	g := own(t, core(decisionOf+`{"decision": true}`)).Live()
	shared, other := authz.Properties{"list": []any{"a", true}}, authz.Properties{"list": []any{"b"}}
	requests := []authz.Request{ask("u1", "a", "r"), ask("u2", "a", "r"), ask("u3", "a", "r"), ask("u4", "a", "r")}
	requests[0].Context, requests[1].Context, requests[3].Context = shared, other, shared
	requests[0].Subject.Properties, requests[3].Resource.Properties = other, other

	b := g.Batch(len(requests))
	contexts := make([]*ast.Term, len(requests))
	for i, req := range requests {
		_, got, err := b.Decide(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, want, err := g.Decide(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(got.AppendJSON(nil)), string(want.AppendJSON(nil)); got != want {
			t.Errorf("item %d: got input %s, want %s", i, got, want)
		}
		object, _ := got.AST().(ast.Object)
		contexts[i] = object.Get(ast.StringTerm("context"))
	}
	if contexts[0] != contexts[3] || contexts[2] != nil {
		t.Errorf("got contexts %p, %p and %v, want one term for the one that is shared and none where none was sent",
			contexts[0], contexts[3], contexts[2])
	}
}
