package managementapi

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// invite invites somebody as paula and returns the link's token.
func (l *listener) invite(email string) string {
	l.t.Helper()
	body := `{"email":"` + email + `","role":"regular","grants":{"companies":[{"id":"acme-one"}],"accounts":[{"id":"a-1"}]},"deliver":"return_link"}`
	_, token, found := strings.Cut(l.as("paula", "POST", acme+"/invitations", body).wants(201, "").text("link"), "#token=")
	if !found {
		l.t.Fatal("the link has no token")
	}
	return token
}

const accepts = `{"token":"%","username":"dana","password":"correct horse battery"}`

func TestV13LookingAtALinkLeavesItAsItIs(t *testing.T) {
	l := listen(t, Options{})
	token := l.invite("dana@acme.example")
	for range 3 {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			for _, path := range []string{"/v1/invitations/accept", "/v1/invitations/preview", "/v1/password-resets/confirm", "/v1/email-changes/confirm"} {
				if got := l.as("", method, path+"?token="+token, ""); got.StatusCode < 400 {
					t.Errorf("%s %s: got %d, want a refusal", method, path, got.StatusCode)
				}
			}
		}
		l.as("", "POST", "/v1/invitations/preview", `{"token":"`+token+`"}`).wants(200, "")
		l.as("", "POST", "/v1/invitations/accept?validate_only=true", strings.Replace(accepts, "%", token, 1)).wants(200, "")
	}
	got := l.as("", "POST", "/v1/invitations/accept", strings.Replace(accepts, "%", token, 1)).wants(200, "")
	if got.text("member", "username") != "dana" {
		t.Errorf("got %s", got.body)
	}
	l.as("", "POST", "/v1/invitations/accept", strings.Replace(accepts, "%", token, 1)).wants(404, "link-invalid")
}

func TestV14WhatIsNoLinkOpensNothing(t *testing.T) {
	l := listen(t, Options{})
	token := l.invite("dana@acme.example")
	var generic string
	for _, path := range []string{"/v1/invitations/preview", "/v1/invitations/accept", "/v1/password-resets/confirm", "/v1/email-changes/confirm"} {
		rest := ""
		if strings.HasPrefix(path, "/v1/password") {
			rest = `,"password":"correct horse battery"`
		}
		for name, value := range map[string]string{
			"empty": `""`, "null": `null`, "missing": "", "an array": `[]`, "an array of it": `["` + token + `"]`, "an object": `{}`, "a number": `7`,
			"very long": `"pst_inv_` + strings.Repeat("x", 100_000) + `"`, "unicode": `"pst_inv_ż.1.ß"`, "cut": `"` + token[:len(token)-1] + `"`,
			"of another generation": `"` + strings.Replace(token, ".1.", ".2.", 1) + `"`, "with a space": `" ` + token + `"`,
		} {
			body := `{"token":` + value + rest + `}`
			if value == "" {
				body = "{" + strings.TrimPrefix(rest, ",") + "}"
			}
			got := l.as("", "POST", path, body).wants(404, "link-invalid")
			detail := got.text("detail")
			if generic == "" {
				generic = detail
			}
			if detail != generic || got.get("errors") != nil {
				t.Errorf("%s %s: got %s, want nothing but %q", path, name, got.body, generic)
			}
		}
	}
	l.as("", "POST", "/v1/invitations/accept", strings.Replace(accepts, "%", token, 1)).wants(200, "")
}

// TestV16IdsCountInTheirOwnOrganization asks for everything of globex through
// acme's paths, with every operation there is.
func TestV16IdsCountInTheirOwnOrganization(t *testing.T) {
	l := listen(t, Options{})
	invited := l.as("gustav", "POST", "/v1/organizations/globex/invitations", `{"email":"new@globex.example","role":"regular"}`).wants(201, "")
	hook := l.as("operator", "POST", "/v1/organizations/globex/webhooks", `{"url":"https://globex.example/hook"}`).wants(201, "")
	gustav := l.member("globex", "gustav")
	nobody := strings.NewReplacer("{organization}", "acme", "{member}", "mem_0190f5a6-7c1e-7b1a-9f63-2f1f6f3c9d10", "{account}", "none", "{company}", "none",
		"{account_group}", "none", "{invitation}", "inv_0190f5a6-7c1e-7b1a-9f63-2f1f6f3c9d10", "{webhook}", "whk_0190f5a6-7c1e-7b1a-9f63-2f1f6f3c9d10", "{delivery}", "msg_1", "{tool}", "wan_analysis")
	ids := strings.NewReplacer("{organization}", "acme", "{member}", gustav[strings.LastIndex(gustav, "/")+1:], "{account}", "g-1", "{company}", "globex-one",
		"{account_group}", "globex-sites", "{invitation}", invited.text("invitation", "id"), "{webhook}", hook.text("id"), "{delivery}", "msg_1", "{tool}", "wan_analysis")
	state := func() (all string) {
		for _, what := range []string{"members", "invitations", "accounts", "account-groups", "companies", "webhooks"} {
			all += l.as("operator", "GET", "/v1/organizations/globex/"+what, "").wants(200, "").body
		}
		return all
	}
	before, asked := state(), 0
	doc := checker(t).Document()
	for _, op := range operations() {
		if !strings.Contains(op.path, "{organization}/") || strings.Count(op.path, "{") < 2 {
			continue
		}
		asked++
		body := example(t, doc, op)
		for _, who := range []string{"operator", "olga", "paula"} {
			got := l.as(who, op.method, ids.Replace(op.path), body, "If-Match", "*", "Content-Type", op.body)
			if claims := op.id == "putCompany" || op.id == "putAccount"; claims { // of an id that is another's
				got.wants(map[string]int{"paula": 403, "operator": 409, "olga": 409}[who], "")
				continue
			}
			none := l.as(who, op.method, nobody.Replace(op.path), body, "If-Match", "*", "Content-Type", op.body)
			if got.StatusCode != 404 && got.StatusCode != 403 || got.StatusCode != none.StatusCode || got.text("reason") != none.text("reason") {
				t.Errorf("%s as %s: got %d %s, want what is said of nobody: %s", op.id, who, got.StatusCode, got.body, none.body)
			}
			if strings.Contains(got.body, "Gill") || strings.Contains(got.body, "Oslo") {
				t.Errorf("%s as %s tells of globex: %s", op.id, who, got.body)
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("globex changed:\n%s\n%s", before, after)
	}
	if asked < 30 {
		t.Errorf("asked %d operations, want 30 or more", asked)
	}
}

// example is the body that the OpenAPI file shows for an operation.
func example(t *testing.T, doc *openapi3.T, op operation) string {
	t.Helper()
	if op.body == "" {
		return ""
	}
	schema := doc.Paths.Value(op.path).GetOperation(op.method).RequestBody.Value.Content[op.body].Schema.Value
	if len(schema.Examples) == 0 {
		t.Fatalf("the file has no example of the body of %s", op.id)
	}
	text, err := json.Marshal(schema.Examples[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestV26LinksComeFromConfigurationAlone(t *testing.T) {
	l := listen(t, Options{})
	hostile := []string{
		"Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-Forwarded-Prefix", "/evil",
		"Forwarded", "host=evil.example;proto=http", "Origin", "https://evil.example", "Referer", "https://evil.example/", "X-Original-URL", "https://evil.example/",
	}
	made := l.as("paula", "POST", acme+"/invitations", `{"email":"dana@acme.example","role":"regular","deliver":"return_link"}`, hostile...).wants(201, "")
	l.wait(2 * 60e9)
	again := l.as("paula", "POST", acme+"/invitations/"+made.text("invitation", "id")+"/resend", "", hostile...).wants(200, "")
	for _, got := range []answer{made, again} {
		if link := got.text("link"); !strings.HasPrefix(link, "https://portal.example/invitation#token=pst_inv_") {
			t.Errorf("got the link %s, want one to the portal", link)
		}
	}
	l.as("", "POST", "/v1/password-resets", `{"login":"paula"}`, hostile...).wants(202, "")
	for _, body := range l.bodies {
		if strings.Contains(body, "evil.example") {
			t.Errorf("got %s, want nothing of the hostile header", body)
		}
	}
}

// TestV29NoAnswerHoldsALink walks through invitations and looks at every answer.
func TestV29NoAnswerHoldsALink(t *testing.T) {
	l := listen(t, Options{})
	token := l.invite("dana@acme.example")
	secret := regexp.MustCompile(`pst_(inv|pwd|eml)_[^."]+\.[0-9]+\.[\w-]{43}`)
	l.mu.Lock()
	if last := l.bodies[len(l.bodies)-1]; !secret.MatchString(last) {
		t.Fatalf("the pattern does not know a link: %s", last)
	}
	l.bodies = nil
	l.mu.Unlock()
	made := l.as("paula", "POST", acme+"/invitations", `{"email":"lee@acme.example","role":"regular"}`, "Idempotency-Key", "k").wants(201, "")
	l.as("paula", "POST", acme+"/invitations", `{"email":"lee@acme.example","role":"regular"}`, "Idempotency-Key", "k").wants(201, "")
	l.as("", "POST", "/v1/invitations/preview", `{"token":"`+token+`"}`).wants(200, "")
	l.as("", "POST", "/v1/invitations/accept", `{"token":"`+token+`","username":"dana","password":"short"}`).wants(422, "validation")
	l.as("", "POST", "/v1/invitations/accept", strings.Replace(accepts, "%", token, 1)).wants(200, "")
	l.as("", "POST", "/v1/invitations/accept", strings.Replace(accepts, "%", token, 1)).wants(404, "link-invalid")
	l.as("", "POST", "/v1/invitations/accept", `{"token":"`+token+`","`+token+`":1}`).wants(422, "validation")
	l.as("", "POST", "/v1/invitations/accept", `{"`+token+`":1,"`+token+`":1}`).wants(400, "malformed-json")
	for _, path := range []string{"/invitations", "/invitations/" + made.text("invitation", "id"), "/members", "/audit-events"} {
		l.as("paula", "GET", acme+path, "").wants(200, "")
	}
	l.as("operator", "GET", acme+"/audit-events", "", "Accept", mediaLines).wants(200, "")
	l.as("", "POST", "/v1/password-resets", `{"login":"dana"}`).wants(202, "")
	for _, body := range l.bodies {
		if secret.MatchString(body) {
			t.Errorf("got %s, want no link", body)
		}
	}
}
