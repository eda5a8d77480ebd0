package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/policies"
)

func TestTheEmbeddedCoreIsFit(t *testing.T) {
	e := loaded(t, Options{Core: Embedded(policies.FS)})
	g := e.Live()
	if !strings.HasPrefix(g.Revision(), "core@") {
		t.Errorf("got revision %s", g.Revision())
	}
	for _, path := range []string{AccessDecision, ManageDecision, MatrixTable} {
		if !slices.Contains(g.Entrypoints(), path) {
			t.Errorf("entrypoint %s is not there: %v", path, g.Entrypoints())
		}
	}
	if _, err := g.Query(t.Context(), MatrixTable, nil); err != nil {
		t.Errorf("matrix: %v", err)
	}
	for name, declared := range map[string][]string{"service.view": g.Actions(), "primary_contact": g.Roles(), "access.role": g.Rules()} {
		if !slices.Contains(declared, name) {
			t.Errorf("%s is not among %v", name, declared)
		}
	}
	if _, _, err := g.Decide(t.Context(), ask("nobody", "nothing", "nowhere"), ast.NewObject()); err != nil {
		t.Errorf("an unknown subject, action and resource: %v", err)
	}
}

func TestAnOverlayLiesOnTheEmbeddedCore(t *testing.T) {
	frozen := custom(`forbids contains {"rule": "custom.freeze", "text": "Change freeze"} if input.context.frozen`)
	e := loaded(t, Options{Core: Embedded(policies.FS), Overlays: []Source{OverlayAt(frozen.dir(t, "freeze"))}})
	req, facts := regular(), parse(t, regularFacts)
	d, _, err := e.Live().DecideTraced(t.Context(), req, facts)
	if err != nil || !d.Allow {
		t.Fatalf("got %+v, %v, want allow", d, err)
	}
	if len(d.Reasons) != 1 || d.Reasons[0] != (authz.Reason{Rule: "access.role", Role: "regular", Scope: "company:acme-south"}) || !slices.Contains(d.Rules, "access.role") {
		t.Errorf("got reasons %v, rules %v, want the role that permitted", d.Reasons, d.Rules)
	}
	req.Context = authz.Properties{"frozen": true}
	if d, _, err = e.Live().Decide(t.Context(), req, facts); err != nil || d.Allow || !strings.Contains(string(d.Context), "custom.freeze") {
		t.Errorf("got %+v, %v, want the overlay to forbid", d, err)
	}
	err = e.Offer(t.Context(), OverlayAt(tree{"x.rego": "package postern.access\n\npermits contains \"all\"\n"}.dir(t, "freeze")))
	if err == nil || e.Live() == nil {
		t.Errorf("got %v, want the overlay kept out of the core", err)
	}
}

func regular() authz.Request {
	return authz.Request{
		Subject: authz.Subject{Type: "user", ID: "u1"}, Action: authz.Action{Name: "service.view"},
		Resource: authz.Resource{Type: "service", ID: "a1"},
	}
}

const regularFacts = `{
	"user": {"id": "u1", "kind": "personal", "status": "active", "realm": "customer", "role": "regular", "organization": "acme",
		"affiliation": "customer", "cpni": false, "mfa": false, "tools": {}},
	"grants": [{"role": "regular", "scope": "company:acme-south"}],
	"place": ["account:a1", "account_group:east", "company:acme-south", "organization:acme", "realm:customer"],
	"account": {"id": "a1", "kind": "service"}}`

// Folding changes no answer, whatever is asked.
func TestFoldingAgreesWithThePolicyAsWritten(t *testing.T) {
	l := layerOf(t, Embedded(policies.FS))
	folded, plain := built(t, false, l), built(t, true, l)
	if !isFolded(folded, "data.postern.roles") || isFolded(plain, "data.postern.roles") {
		t.Fatal("the roles are to be folded in the one and not in the other")
	}
	actions := append(folded.Actions(), "no.such", "")
	rapid.Check(t, func(t *rapid.T) {
		req, facts := drawRequest(t, actions), drawFacts(t, folded.Roles())
		a, _, err1 := folded.DecideTraced(t.Context(), req, facts)
		b, _, err2 := plain.DecideTraced(t.Context(), req, facts)
		if (err1 == nil) != (err2 == nil) || a.Allow != b.Allow || string(a.Context) != string(b.Context) || !slices.Equal(a.Rules, b.Rules) {
			t.Fatalf("%v with %v: got %v %s %v %v, want %v %s %v %v", req, facts, a.Allow, a.Context, a.Rules, err1, b.Allow, b.Context, b.Rules, err2)
		}
	})
}

func drawRequest(t *rapid.T, actions []string) authz.Request {
	req := authz.Request{
		Subject:  authz.Subject{Type: "user", ID: "u1"},
		Action:   authz.Action{Name: rapid.SampledFrom(actions).Draw(t, "action")},
		Resource: authz.Resource{Type: rapid.SampledFrom([]string{"service", "invoice", "tool", "user"}).Draw(t, "type"), ID: "wan_analysis"},
	}
	if rapid.Bool().Draw(t, "context") {
		req.Context = authz.Properties{
			"portal": rapid.SampledFrom([]any{"enterprise", "partner", nil, 1}).Draw(t, "portal"),
			"tool":   rapid.SampledFrom([]any{"wan_analysis", "none"}).Draw(t, "tool"),
		}
	}
	return req
}

// drawFacts draws facts with each of their members there or not.
func drawFacts(t *rapid.T, roles []string) ast.Value {
	scopes := []any{"account:a1", "company:acme", "organization:acme", "realm:customer", "tool:wan_analysis"}
	facts := map[string]any{}
	set := func(to map[string]any, key string, v any) {
		if rapid.IntRange(0, 9).Draw(t, "has "+key) > 0 {
			to[key] = v
		}
	}
	user := map[string]any{}
	set(user, "id", "u1")
	set(user, "status", rapid.SampledFrom([]any{"active", "suspended", "removed"}).Draw(t, "status"))
	set(user, "realm", rapid.SampledFrom([]any{"customer", "operator"}).Draw(t, "realm"))
	set(user, "role", rapid.SampledFrom(roles).Draw(t, "role"))
	set(user, "cpni", rapid.Bool().Draw(t, "cpni"))
	set(user, "tools", map[string]any{"wan_analysis": rapid.IntRange(0, 2).Draw(t, "accounts")})
	set(facts, "user", user)
	var grants []any
	for range rapid.IntRange(0, 3).Draw(t, "grants") {
		scope := rapid.SampledFrom(scopes).Draw(t, "scope")
		if rapid.Bool().Draw(t, "of a tool") {
			grants = append(grants, map[string]any{"tool": "wan_analysis", "scope": scope})
			continue
		}
		grants = append(grants, map[string]any{"role": rapid.SampledFrom(roles).Draw(t, "granted"), "scope": scope})
	}
	set(facts, "grants", grants)
	set(facts, "place", scopes)
	set(facts, "account", map[string]any{"id": "a1", "kind": rapid.SampledFrom([]any{"service", "billing"}).Draw(t, "kind")})
	set(facts, "tool", map[string]any{"id": "wan_analysis", "restricted": rapid.Bool().Draw(t, "restricted")})
	return ast.MustInterfaceToValue(facts)
}
