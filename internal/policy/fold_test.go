package policy

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// tables are packages that can and cannot be folded, all read by one decision.
func tables() tree {
	return tree{
		"access.rego": `package postern.access

import rego.v2

import data.clock
import data.failing
import data.house
import data.roles
import data.roles_by_input

decision := {"decision": input.action.name in roles.guest, "context": {
	"all": roles,
	"ordered": roles_by_input.first,
	"clock": clock.known,
	"size": house.size,
	"deep": data.deep.a.b,
	"fails": fails,
}}

fails if {
	input.context.fail
	failing.number > 0
}

default fails := false
`,
		"roles/roles.rego": `package roles

import rego.v2

guest contains action if {
	some action, does in data.actions
	not does.secret
}

host contains action if some action, _ in data.actions

guest_size := count(guest)

nothing := 1 if count(guest) > 100

names[role] := {"may": actions} if {
	some role, actions in {"guest": guest, "host": host}
}
`,
		"input/input.rego":     "package roles_by_input\n\nimport rego.v2\n\nfirst := data.roles.guest if input.subject\n",
		"clock/clock.rego":     "package clock\n\nimport rego.v2\n\nknown := time.now_ns() > 0\n",
		"failing/failing.rego": "package failing\n\nimport rego.v2\n\nnumber := to_number(data.words.no_number)\n",
		"house/house.rego":     "package house\n\nimport rego.v2\n\nsize := data.house.rooms.n\n",
		"rooms/rooms.rego":     "package house.rooms\n\nimport rego.v2\n\nn := 3\n",
		"deep/deep.rego":       "package deep\n\nimport rego.v2\n\na.b := 1\n\na.c := {2}\n",
		"data.yaml":            "actions: {enter: {}, knock: {}, snoop: {secret: true}}\nwords: {no_number: x}\n",
	}
}

func built(tb testing.TB, plain bool, layers ...*layer) *Generation {
	tb.Helper()
	e := engine(tb, Options{Core: Embedded(house().fs())})
	e.gate.plain = plain
	g, err := e.gate.build(tb.Context(), layers)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func layerOf(tb testing.TB, s Source) *layer {
	tb.Helper()
	c, err := capabilities(nil)
	if err != nil {
		tb.Fatal(err)
	}
	found, err := s.read(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	l, err := found.parse(c, true)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestOnlyWhatFollowsFromDataIsFolded(t *testing.T) {
	l := layerOf(t, CoreAt(tables().dir(t, "core")))
	g := built(t, false, l)
	for name, want := range map[string]bool{
		"roles": true, "deep": true, "house.rooms": true, // the last has nothing below it
		"roles_by_input": false, "clock": false, "failing": false, "house": false, "postern.access": false,
	} {
		if got := isFolded(g, "data."+name); got != want {
			t.Errorf("package %s: got folded %v, want %v", name, got, want)
		}
	}
	plain := built(t, true, l)
	for _, action := range []string{"enter", "snoop"} {
		for _, fail := range []bool{false, true} {
			req := ask("u", action, "r")
			req.Context = map[string]any{"fail": fail}
			a, _, err1 := g.Decide(t.Context(), req, nil)
			b, _, err2 := plain.Decide(t.Context(), req, nil)
			if a.Allow != b.Allow || string(a.Context) != string(b.Context) || (err1 == nil) != (err2 == nil) || (err1 != nil) != fail {
				t.Errorf("%s, fail %v: got %v %s %v, want as unfolded %v %s %v", action, fail, a.Allow, a.Context, err1, b.Allow, b.Context, err2)
			}
		}
	}
}

// isFolded reports whether every rule of a package is a constant.
func isFolded(g *Generation, pkg string) bool {
	for _, m := range g.compiler.Modules {
		if m.Package.Path.String() != pkg {
			continue
		}
		for _, r := range m.Rules {
			if len(r.Body) != 1 || !r.Body[0].Equal(ast.NewExpr(ast.BooleanTerm(true))) || !ast.IsConstant(r.Head.Value.Value) {
				return false
			}
		}
		return true
	}
	return false
}
