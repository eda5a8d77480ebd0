package managementapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestV34AnotherShapeIsRefusedAndNotGuessed: clients that provision users send
// "True" for true, members in another case, patches without a path. Postern reads
// none of it as something else: it says what is wrong, and nothing has changed.
func TestV34AnotherShapeIsRefusedAndNotGuessed(t *testing.T) {
	l := listen(t, Options{})
	regina := l.member("acme", "regina")
	before := l.as("paula", "GET", regina, "").wants(200, "").body
	for name, tt := range map[string]struct{ who, method, path, body, pointer string }{
		"True for true":              {"identity", "PUT", regina + "/mfa", `{"enrolled":"True"}`, "/enrolled"},
		"False for false":            {"operator", "PUT", regina + "/cpni", `{"authorized":"False"}`, "/authorized"},
		"1 for true":                 {"identity", "PUT", regina + "/mfa", `{"enrolled":1}`, "/enrolled"},
		"null for false":             {"identity", "PUT", regina + "/mfa", `{"enrolled":null}`, "/enrolled"},
		"all accounts as a string":   {"paula", "PATCH", regina + "/grants", `{"add":{"companies":[{"id":"acme-one","all_accounts":"true"}]}}`, "/add/companies/0/all_accounts"},
		"a member in another case":   {"paula", "PATCH", regina + "/grants", `{"Add":{"accounts":[{"id":"a-2"}]}}`, "/Add"},
		"a nested one too":           {"paula", "PATCH", regina + "/grants", `{"add":{"Accounts":[{"id":"a-2"}]}}`, "/add/Accounts"},
		"a list of operations":       {"paula", "PATCH", regina, `[{"op":"Replace","value":{"family_name":"Mine"}}]`, ""},
		"operations of SCIM":         {"paula", "PATCH", regina, `{"Operations":[{"op":"Replace","value":{"active":"False"}}]}`, "/Operations"},
		"a replacement with no path": {"paula", "PATCH", regina, `{"op":"replace","value":{"family_name":"Mine"}}`, "/op"},
		"a member nobody sets":       {"paula", "PATCH", regina, `{"state":"suspended"}`, "/state"},
		"a list for one role":        {"paula", "PUT", regina + "/role", `{"role":["read_only"]}`, "/role"},
		"ids without objects":        {"paula", "PATCH", regina + "/grants", `{"add":{"accounts":["a-2"]}}`, "/add/accounts/0"},
		"a string for a list":        {"paula", "PATCH", regina + "/grants", `{"remove":{"accounts":"a-1"}}`, "/remove/accounts"},
	} {
		t.Run(name, func(t *testing.T) {
			got := l.as(tt.who, tt.method, tt.path, tt.body).wants(422, "validation")
			var p struct {
				Errors []struct{ Pointer, Detail string }
			}
			if err := json.Unmarshal([]byte(got.body), &p); err != nil || len(p.Errors) == 0 {
				t.Fatalf("got %s, %v, want what is wrong", got.body, err)
			}
			if p.Errors[0].Pointer != tt.pointer || strings.TrimSpace(p.Errors[0].Detail) == "" {
				t.Errorf("got %+v, want it said of %q", p.Errors[0], tt.pointer)
			}
		})
	}
	if after := l.as("paula", "GET", regina, "").wants(200, "").body; after != before {
		t.Errorf("regina was %s and is %s", before, after)
	}
}
