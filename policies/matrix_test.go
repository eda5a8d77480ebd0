package policies_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"
)

var update = flag.Bool("update", false, "write matrix.golden.md anew")

const golden = "matrix.golden.md"

// order is that of the roles in the table; what is not here comes after. The
// last two are of machines.
var order = []string{"primary_contact", "administrator", "regular", "read_only", "support", "sales", "operator", "sync", "identity", "replicate"}

// TestTheMatrixIsTheReviewedOne keeps the table of what each role may do in the
// repository, so that whoever changes a role sees and shows the cells that move.
func TestTheMatrixIsTheReviewedOne(t *testing.T) {
	got := layers(t)[0].matrix(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the matrix is not that of %s; if it should be, run go test ./policies -update\n%s", golden, changes(string(want), got))
	}
}

// TestAnOverlayShowsTenRoles is R9: seven roles and an overlay's make ten or more.
func TestAnOverlayShowsTenRoles(t *testing.T) {
	for _, l := range layers(t)[1:] {
		if l.name != "example" {
			continue
		}
		head, _, _ := strings.Cut(l.matrix(t), "\n")
		if got := strings.Count(head, "|") - 4; got < 10 {
			t.Errorf("got %d roles of members in %s, want 10 or more", got, head)
		}
		return
	}
	t.Error("there is no example overlay")
}

// matrix is what the policy's own table and roles say, as Markdown.
func (l *layer) matrix(tb testing.TB) string {
	tb.Helper()
	var about struct {
		Table map[string][]string
		Roles map[string]string
	}
	l.ask(tb, "data.postern.matrix", &about)
	roles := slices.Concat(order, slices.DeleteFunc(slices.Sorted(maps.Keys(about.Roles)), func(role string) bool {
		return slices.Contains(order, role)
	}))
	var b strings.Builder
	fmt.Fprintf(&b, "| action | %s |\n|---|%s\n", strings.Join(roles, " | "), strings.Repeat(":-:|", len(roles)))
	for _, action := range slices.Sorted(maps.Keys(about.Table)) {
		b.WriteString("| " + action + " |")
		for _, role := range roles {
			cell := "   |"
			if slices.Contains(about.Table[action], role) {
				cell = " x |"
			}
			b.WriteString(cell)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// ask evaluates a query that needs no input.
func (l *layer) ask(tb testing.TB, query string, into any) {
	tb.Helper()
	results, err := rego.New(rego.Query(query), rego.Compiler(l.compiled(tb)), rego.Store(l.store())).Eval(context.Background())
	if err != nil || len(results) != 1 {
		tb.Fatalf("%s: got %v, %v", query, results, err)
	}
	raw, err := json.Marshal(results[0].Expressions[0].Value)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		tb.Fatal(err)
	}
}

// changes are the lines that only one of two tables has.
func changes(want, got string) string {
	var b strings.Builder
	for line := range strings.Lines(want) {
		if !strings.Contains(got, line) {
			b.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(got) {
		if !strings.Contains(want, line) {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}
