package main

import (
	"strings"
	"testing"
)

func TestTablesShowWhatIsThereAndMoveNoCursor(t *testing.T) {
	columns := []column{{"ID", "id"}, {"NAME", "name"}, {"MFA", "mfa.enrolled"}, {"COMPANIES", "grants.companies"}, {"TOOLS", "grants.tools"}}
	row, err := decoded([]byte(`{"id":"mem_1","name":"Eve\u001b[2J\nRoot","mfa":{"enrolled":true},"grants":{
		"companies":[{"id":"south","all_accounts":true},{"id":"east","all_accounts":false}],
		"tools":[{"id":"wan","accounts":["a-1","a-2"],"expires_at":"2027-01-01T00:00:00Z"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	var table, fields strings.Builder
	if err := printTable(&table, columns, []any{row, map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	if err := printFields(&fields, columns, row); err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{table.String(), fields.String()} {
		for _, want := range []string{"mem_1", "Eve?[2J?Root", "yes", "south (all accounts), east", "wan (a-1, a-2) until 2027-01-01T00:00:00Z"} {
			if !strings.Contains(got, want) {
				t.Errorf("got no %q in\n%s", want, got)
			}
		}
	}
	if got, want := strings.Count(table.String(), "\n"), 3; got != want {
		t.Errorf("got %d lines, want %d:\n%s", got, want, table.String())
	}
}

func TestAProblemIsASentenceWithWhatIsWrongAndTheIds(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"one of Postern's", `{"detail":"two members are wrong","reason":"validation","request_id":"r-1","decision_id":"d-1","errors":[{"pointer":"/email","detail":"send one"},{"pointer":"/role","detail":"two members are wrong"}]}`, 422,
			"two members are wrong\n  /email: send one\n  reason validation\n  decision d-1\n  request r-1"},
		{"a proxy's page", `<html>`, 502, "the server answers Bad Gateway, and not as Postern does: is this its management listener?"},
	} {
		if got := problemOf(tt.status, []byte(tt.body)).Error(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
