package managementapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/pap"
)

const acme = "/v1/organizations/acme"

func TestStrangersLearnNothing(t *testing.T) {
	l := listen(t, Options{})
	for _, op := range operations() {
		path := strings.NewReplacer("{organization}", "acme", "{member}", "mem_1", "{invitation}", "inv_1", "{reason}", "rank").Replace(op.path)
		switch got := l.as("", op.method, path, ""); {
		case op.static != nil:
			got.wants(200, "")
		case op.public:
			got.wants(415, "unsupported-media-type")
		default:
			if got.wants(401, "unauthenticated"); got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: got no WWW-Authenticate", op.id)
			}
			if strings.Contains(got.body, "app key") || !strings.Contains(got.body, "service token") {
				t.Errorf("%s: got %s, want the credentials of this listener", op.id, got.body)
			}
		}
	}
	for _, path := range []string{"/v1/nothing", "/v1/organizations/acme/nothing", "/v1"} {
		l.as("", "GET", path, "").wants(401, "unauthenticated")
		l.as("operator", "GET", path, "").wants(404, "not-found")
	}
	l.as("wrong", "POST", "/v1/invitations/preview", `{"token":"x"}`).wants(401, "unauthenticated")
	l.as("operator", "GET", "/nothing", "").wants(404, "not-found")
}

func TestListsThatAreEmptyAreShownSo(t *testing.T) {
	l := listen(t, Options{})
	ends := time.Now().Add(time.Hour).Format(time.RFC3339)
	for path, body := range map[string]string{
		"/v1/service-tokens": `{"name":"Everywhere","scopes":["sync"],"expires_at":"` + ends + `"}`,
		acme + "/webhooks":   `{"url":"https://acme.example/hook"}`,
	} {
		if got := l.as("operator", "POST", path, body).wants(201, ""); strings.Contains(got.body, "null") {
			t.Errorf("%s: got %s, want no null", path, got.body)
		}
	}
}

func TestBodiesAreReadStrictly(t *testing.T) {
	l := listen(t, Options{})
	for name, tt := range map[string]struct {
		body, media string
		status      int
		reason      string
		pointer     string // of the first error
	}{
		"a typing error":             {`{"emial":"a@acme.example","role":"regular"}`, "application/json", 422, "validation", "/emial"},
		"a nested typing error":      {`{"email":"a@acme.example","role":"regular","grants":{"account":[]}}`, "application/json", 422, "validation", "/grants/account"},
		"another type":               {`{"email":"a@acme.example","role":7}`, "application/json", 422, "validation", "/role"},
		"V25 an array of addresses":  {`{"email":["a@acme.example","b@evil.example"],"role":"regular"}`, "application/json", 422, "validation", "/email"},
		"V25 two addresses":          {`{"email":"a@acme.example,b@evil.example","role":"regular"}`, "application/json", 422, "validation", "/email"},
		"V25 a line break":           {`{"email":"a@acme.example\r\nBcc: b@evil.example","role":"regular"}`, "application/json", 422, "validation", "/email"},
		"V25 a member twice":         {`{"email":"a@acme.example","role":"regular","email":"b@evil.example"}`, "application/json", 400, "malformed-json", ""},
		"V25 a member in two cases":  {`{"email":"a@acme.example","role":"regular","Email":"b@evil.example"}`, "application/json", 422, "validation", "/Email"},
		"half a body":                {`{"email":`, "application/json", 400, "malformed-json", ""},
		"no object":                  {`[]`, "application/json", 422, "validation", ""},
		"a form":                     {`email=a@acme.example`, "application/x-www-form-urlencoded", 415, "unsupported-media-type", ""},
		"a merge patch":              {`{}`, "application/merge-patch+json", 415, "unsupported-media-type", ""},
		"no media type":              {`{}`, "", 415, "unsupported-media-type", ""},
		"more than a mebibyte":       {`{"email":"` + strings.Repeat("a", MaxBody) + `"}`, "application/json", 413, "request-entity-too-large", ""},
		"more than is ever answered": {`{` + manyMembers(100) + `}`, "application/json", 422, "validation", "/x0"},
	} {
		t.Run(name, func(t *testing.T) {
			got := l.as("paula", "POST", acme+"/invitations", tt.body, "Content-Type", tt.media).wants(tt.status, tt.reason)
			var p struct {
				Errors []struct{ Pointer, Code, Detail string }
			}
			if err := json.Unmarshal([]byte(got.body), &p); err != nil {
				t.Fatal(err)
			}
			if tt.pointer != "" && (len(p.Errors) == 0 || len(p.Errors) > maxFaults || p.Errors[0].Pointer != tt.pointer) {
				t.Errorf("got %s, want an error at %s", got.body, tt.pointer)
			}
		})
	}
	l.as("paula", "GET", acme+"/invitations", "").wants(200, "")
	l.as("paula", "POST", l.member("acme", "regina")+"/suspend", `{"until":"tomorrow"}`).wants(400, "invalid-request")
	l.as("paula", "PATCH", l.member("acme", "regina")+"/preferences", `{}`).wants(415, "unsupported-media-type")
}

func manyMembers(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"x%d":1`, i))
	}
	return strings.Join(all, ",")
}

func TestParametersAreReadStrictly(t *testing.T) {
	l := listen(t, Options{})
	for query, status := range map[string]int{
		"":                          200,
		"?page_size=1":              200,
		"?page_size=0":              200,
		"?page_size=100000":         200,
		"?page_size=-1":             400,
		"?page_size=many":           400,
		"?page_sise=1":              400,
		"?page_token=nonsense":      400,
		"?mfa=true&show_removed=no": 400,
		"?mfa=maybe":                400,
		"?q=a&q=b":                  400,
		"?validate_only=true":       400,
	} {
		l.as("paula", "GET", acme+"/members"+query, "").wants(status, "")
	}
	l.as("paula", "POST", l.member("acme", "regina")+"/suspend?validate_onyl=true", "").wants(400, "invalid-request")
	l.as("paula", "GET", l.member("acme", "regina"), "").wants(200, "")
}

func TestPagesHoldTogether(t *testing.T) {
	l := listen(t, Options{})
	seen := map[string]bool{}
	path, token := acme+"/members?page_size=1", ""
	for range 10 {
		got := l.as("paula", "GET", path+token, "").wants(200, "")
		var p page[pap.Member]
		if err := json.Unmarshal([]byte(got.body), &p); err != nil || len(p.Items) > 1 {
			t.Fatalf("got %s, %v", got.body, err)
		}
		for _, m := range p.Items {
			if seen[m.ID] {
				t.Errorf("%s comes twice", m.ID)
			}
			seen[m.ID] = true
		}
		if p.Next == "" {
			break
		}
		token = "&page_token=" + p.Next
		l.as("paula", "GET", acme+"/members?page_size=1&role=regular"+token, "").wants(400, "invalid-request")
		l.as("adam", "GET", path+token, "").wants(400, "invalid-request")
		l.as("operator", "GET", "/v1/organizations/globex/members?page_size=1"+token, "").wants(400, "invalid-request")
	}
	if len(seen) != 3 {
		t.Errorf("got %d members in pages, want 3", len(seen))
	}
	l.wait(pageLasts)
	if token != "" {
		l.as("paula", "GET", path+token, "").wants(400, "invalid-request")
	}
}

func TestETagsGuardChanges(t *testing.T) {
	l := listen(t, Options{})
	regina := l.member("acme", "regina")
	first := l.as("paula", "GET", regina, "").wants(200, "").Header.Get("ETag")
	if !strings.HasPrefix(first, `"`) {
		t.Fatalf("got the ETag %s, want a strong one", first)
	}
	if got := l.as("paula", "GET", regina, "", "If-None-Match", first).wants(304, ""); got.body != "" {
		t.Errorf("got %s, want nothing", got.body)
	}
	changed := l.as("paula", "PUT", regina+"/role", `{"role":"read_only"}`, "If-Match", first).wants(200, "")
	if changed.Header.Get("ETag") == first {
		t.Error("the ETag stayed")
	}
	l.as("paula", "GET", regina, "", "If-None-Match", first).wants(200, "")
	l.as("paula", "PUT", regina+"/role", `{"role":"regular"}`, "If-Match", first).wants(412, "etag-mismatch")
	l.as("paula", "PUT", regina+"/grants", `{}`).wants(428, "precondition-required")
	l.as("paula", "PUT", regina+"/grants", `{}`, "If-Match", first).wants(412, "etag-mismatch")
	for _, bad := range []string{"12", `W/"12"`, `"x"`, `"1", "2"`} {
		l.as("paula", "PUT", regina+"/grants", `{}`, "If-Match", bad).wants(400, "invalid-request")
	}
	tag := l.as("paula", "GET", regina+"/grants", "").wants(200, "").Header.Get("ETag")
	l.as("paula", "PUT", regina+"/grants", `{"companies":[{"id":"acme-one"}]}`, "If-Match", tag).wants(200, "")
	l.as("paula", "PUT", regina+"/grants", `{}`, "If-Match", "*").wants(200, "")
}

func TestARequestWithAKeyIsDoneOnce(t *testing.T) {
	l := listen(t, Options{})
	body := `{"email":"dana@acme.example","role":"regular","grants":{"companies":[{"id":"acme-one"}],"accounts":[{"id":"a-1"}]}}`
	first := l.as("paula", "POST", acme+"/invitations", body, "Idempotency-Key", "key-1").wants(201, "")
	again := l.as("paula", "POST", acme+"/invitations", body, "Idempotency-Key", "key-1").wants(201, "")
	if first.text("invitation", "id") != again.text("invitation", "id") || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("got %s and %s, want one invitation", first.body, again.body)
	}
	if again.Header.Get("Postern-Consistency-Token") == "" {
		t.Error("the second answer has no consistency token")
	}
	l.as("paula", "POST", acme+"/invitations", strings.Replace(body, "dana", "dora", 1), "Idempotency-Key", "key-1").wants(422, "idempotency-key-reused")
	other := l.as("operator", "POST", acme+"/invitations", body, "Idempotency-Key", "key-1")
	if other.Header.Get("Idempotent-Replayed") != "" {
		t.Error("somebody else's key was taken")
	}
	for _, bad := range []string{"a key", "ключ", strings.Repeat("k", 256)} {
		l.as("paula", "POST", acme+"/invitations", body, "Idempotency-Key", bad).wants(400, "invalid-request")
	}
	regina := l.member("acme", "regina")
	l.as("paula", "POST", regina+"/suspend", "", "Idempotency-Key", "key-2").wants(200, "")
	l.as("paula", "POST", l.member("acme", "adam")+"/suspend", "", "Idempotency-Key", "key-2").wants(422, "idempotency-key-reused")
}

func TestValidateOnlyKeepsNothing(t *testing.T) {
	l := listen(t, Options{})
	body := `{"email":"dana@acme.example","role":"regular"}`
	got := l.as("paula", "POST", acme+"/invitations?validate_only=true", body).wants(200, "")
	if got.Header.Get("Postern-Consistency-Token") != "" || got.get("consistency_token") != nil || got.Header.Get("Postern-Decision-Id") == "" {
		t.Errorf("got %v %s, want a decision and no token", got.Header, got.body)
	}
	if got := l.as("paula", "GET", acme+"/invitations", "").wants(200, ""); len(got.get("items").([]any)) != 0 {
		t.Errorf("got %s, want no invitation", got.body)
	}
	l.as("regina", "POST", acme+"/invitations?validate_only=true", body).wants(403, "not-permitted")
}

func TestEveryChangeHasATokenAndADecision(t *testing.T) {
	l := listen(t, Options{})
	regina := l.member("acme", "regina")
	for _, change := range [][3]string{
		{"PUT", regina + "/role", `{"role":"read_only"}`},
		{"POST", regina + "/suspend", ""},
		{"POST", regina + "/reactivate", ""},
		{"PUT", regina + "/tools/wan_analysis", `{}`},
		{"PUT", regina + "/tools/wan_analysis/accounts", `{"accounts":["a-1"]}`},
		{"DELETE", regina + "/tools/wan_analysis", ""},
		{"PATCH", regina + "/grants", `{"add":{"accounts":[{"id":"a-2"}]}}`},
		{"POST", acme + "/account-groups", `{"kind":"service_group","name":"Sites","accounts":["a-1"]}`},
		{"POST", acme + "/invitations", `{"email":"dana@acme.example","role":"regular"}`},
	} {
		got := l.as("paula", change[0], change[1], change[2])
		if got.StatusCode > 299 {
			t.Fatalf("%v: got %d %s", change, got.StatusCode, got.body)
		}
		token := got.Header.Get("Postern-Consistency-Token")
		if token == "" || got.text("consistency_token") != token || got.Header.Get("Postern-Decision-Id") == "" {
			t.Errorf("%v: got %v %s, want a token and a decision", change, got.Header, got.body)
		}
	}
	denied := l.as("regina", "PUT", regina+"/role", `{"role":"administrator"}`)
	if denied.wants(403, ""); denied.text("decision_id") == "" {
		t.Errorf("got %s, want the decision that forbade it", denied.body)
	}
}

func TestC14StrangersAreLimitedByAddress(t *testing.T) {
	l := listen(t, Options{Limits: Limits{StrangerPerMinute: 10}})
	ask := func(name string, header ...string) answer {
		return l.as(name, "POST", "/v1/invitations/preview", `{"token":"x"}`, header...)
	}
	for i := range 10 {
		ask("", "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i)).wants(404, "link-invalid")
	}
	got := ask("", "X-Forwarded-For", "192.0.2.99").wants(429, "rate-limited")
	if got.Header.Get("Retry-After") == "" {
		t.Error("got no Retry-After")
	}
	l.as("", "POST", "/v1/invitations/accept", `{"token":"x"}`).wants(429, "rate-limited")
	ask("act").wants(404, "link-invalid")
	l.wait(time.Minute)
	ask("").wants(404, "link-invalid")
}

func TestC14CredentialsAreLimited(t *testing.T) {
	registry := prometheus.NewRegistry()
	l := listen(t, Options{Limits: Limits{CredentialPerSecond: 1, CredentialBurst: 3}, Registerer: registry})
	for range 3 {
		l.as("paula", "GET", "/v1/me", "").wants(200, "")
	}
	l.as("paula", "GET", "/v1/me", "").wants(429, "rate-limited")
	l.as("adam", "GET", "/v1/me", "").wants(200, "")
	l.wait(time.Second)
	l.as("paula", "GET", "/v1/me", "").wants(200, "")
	const want = `
# HELP postern_rate_limited_requests_total Requests of the management listener that were refused because there were too many, by the limit: of an address, of a credential, or on mails.
# TYPE postern_rate_limited_requests_total counter
postern_rate_limited_requests_total{limit="address"} 0
postern_rate_limited_requests_total{limit="credential"} 1
postern_rate_limited_requests_total{limit="mails"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "postern_rate_limited_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestEveryProblemHasItsPage(t *testing.T) {
	l := listen(t, Options{})
	for reason := range problems {
		got := l.as("", "GET", "/problems/"+reason, "").wants(200, "")
		if got.text("type") != "urn:postern:problem:"+reason || got.text("remedy") == "" {
			t.Errorf("got %s", got.body)
		}
	}
	l.as("", "GET", "/problems/nothing", "").wants(404, "not-found")
	if got := l.as("", "GET", "/openapi.json", "").wants(200, ""); got.body != string(Document) {
		t.Error("got another OpenAPI file")
	}
}

// TestThereIsNoCrossOriginAccess sends what a browser sends for a page of
// somebody else.
func TestThereIsNoCrossOriginAccess(t *testing.T) {
	l := listen(t, Options{})
	got := l.as("", http.MethodOptions, acme+"/members", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	if got.StatusCode < 400 || got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %d %v, want a refusal", got.StatusCode, got.Header)
	}
}

// T19: a whole key in place of its id is found nowhere, and so neither the answer
// nor the decision log has it.
func TestAWholeKeyIsNoID(t *testing.T) {
	l := listen(t, Options{})
	key := "ok_2lb2tqqzp5nl44sc_" + strings.Repeat("a", 42) + "8"
	for _, path := range []string{"/v1/service-tokens/" + key, "/v1/organizations/" + key, acme + "/members/" + key} {
		method := http.MethodGet
		if strings.Contains(path, "tokens") {
			method = http.MethodDelete
		}
		if got := l.as("operator", method, path, "").wants(http.StatusNotFound, "not-found"); strings.Contains(got.body, key) {
			t.Errorf("%s: got %s, want it without the key", path, got.body)
		}
	}
}
