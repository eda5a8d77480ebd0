package managementapi

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/store"
)

// TestEveryOperationAnswersAsTheFileSays does everything once, as somebody who
// may. Each answer is checked against the OpenAPI file, and none is left out.
func TestEveryOperationAnswersAsTheFileSays(t *testing.T) {
	l := listen(t, Options{})
	done := map[string]bool{}
	do := func(status int, who, method, path, body string, header ...string) answer {
		t.Helper()
		got := l.as(who, method, path, body, header...).wants(status, "")
		if op, ok := operationAt(method, got.Request.URL.Path); ok {
			done[op.id] = true
		}
		return got
	}
	const password = "correct horse battery"
	patch := []string{"Content-Type", mediaPatch}

	do(200, "", "GET", "/openapi.json", "")
	do(200, "", "GET", "/problems", "")
	do(200, "", "GET", "/problems/rank", "")

	do(201, "operator", "POST", "/v1/organizations", `{"id":"initech","kind":"customer","name":"Initech","settings":{"invitation":{"ttl":"48h"}}}`)
	do(200, "operator", "GET", "/v1/organizations", "")
	do(200, "operator", "GET", "/v1/organizations/initech", "")
	do(200, "operator", "PATCH", "/v1/organizations/initech", `{"seat_limit":7}`)
	do(200, "sync", "PUT", acme+"/companies/acme-two", `{"name":"ACME Two"}`)
	do(200, "sync", "PUT", acme+"/accounts/a-3", `{"company":"acme-two","kind":"service","name":"Narva"}`)
	do(200, "sync", "PUT", acme+"/accounts/batch", `{"accounts":[{"id":"a-4","company":"acme-two","kind":"billing","name":"Invoices"},{"id":"a-5","company":"nowhere","kind":"service","name":"Nowhere"}]}`)
	do(200, "paula", "GET", acme+"/companies", "")
	do(200, "paula", "GET", acme+"/companies/acme-two", "")
	do(200, "paula", "GET", acme+"/accounts?kind=service", "")
	do(200, "paula", "GET", acme+"/accounts/a-1", "")
	do(200, "sync", "DELETE", acme+"/accounts/a-4", "")
	do(200, "sync", "DELETE", acme+"/accounts/a-3", "")
	do(200, "sync", "DELETE", acme+"/companies/acme-two", "")
	group := acme + "/account-groups/" + do(201, "paula", "POST", acme+"/account-groups", `{"kind":"service_group","name":"Sites","accounts":["a-1"]}`).text("id")
	do(200, "paula", "GET", acme+"/account-groups", "")
	do(200, "paula", "GET", group, "")
	do(200, "paula", "PATCH", group, `{"name":"All sites"}`)
	do(200, "paula", "PUT", group+"/accounts", `{"accounts":["a-1","a-2"]}`)
	do(200, "paula", "DELETE", group, "")

	do(200, "operator", "PUT", "/v1/tools/vpn_view", `{"name":"VPN View","recommended_for":["mpls"]}`)
	do(200, "operator", "GET", "/v1/tools?recommended_for=mpls", "")
	do(200, "paula", "GET", acme+"/tools?grantable=true", "")
	do(200, "operator", "PUT", "/v1/roles/regular", `{"name":"Regular User"}`)
	do(200, "operator", "GET", "/v1/roles", "")
	do(200, "paula", "GET", acme+"/roles", "")
	do(409, "operator", "DELETE", "/v1/roles/regular", "") // only an overlay's roles go

	made := do(201, "paula", "POST", acme+"/members", `{"username":"mona","password":"`+password+`","email":"mona@acme.example","given_name":"Mona","family_name":"Moor","phone":"+371 20000000","country":"LV","role":"regular","grants":{"companies":[{"id":"acme-one"}],"accounts":[{"id":"a-1","expires_at":"2027-01-01T00:00:00Z"}],"tools":[{"id":"wan_analysis","accounts":["a-1"]}]}}`)
	mona := acme + "/members/" + made.text("id")
	do(200, "paula", "GET", acme+"/members?q=mona&mfa=false", "")
	do(200, "paula", "POST", acme+"/members/check", `{"email":"mona@acme.example"}`)
	do(200, "paula", "GET", mona, "")
	do(200, "paula", "PATCH", mona, `{"given_name":"Mona Lisa","address":{"city":"Riga"}}`)
	do(200, "paula", "PUT", mona+"/role", `{"role":"read_only"}`)
	do(200, "operator", "PUT", mona+"/cpni", `{"authorized":true}`)
	do(200, "identity", "PUT", mona+"/mfa", `{"enrolled":true}`)
	tag := do(200, "paula", "GET", mona+"/grants", "").Header.Get("ETag")
	do(200, "paula", "PUT", mona+"/grants", `{"companies":[{"id":"acme-one","all_accounts":true}]}`, "If-Match", tag)
	do(200, "paula", "PATCH", mona+"/grants", `{"add":{"accounts":[{"id":"a-2"}]},"remove":{"accounts":[{"id":"a-1"}]}}`)
	do(200, "paula", "PUT", mona+"/tools/vpn_view", `{}`)
	do(200, "paula", "PUT", mona+"/tools/vpn_view/accounts", `{"accounts":["a-2"]}`)
	do(200, "paula", "GET", mona+"/access", "")
	do(200, "paula", "DELETE", mona+"/tools/vpn_view", "")
	do(200, "paula", "PATCH", mona+"/preferences", `{"language":"lv"}`, patch...)
	do(200, "paula", "GET", mona+"/preferences", "")
	do(200, "mona", "GET", "/v1/me", "")
	do(200, "mona", "GET", "/v1/me/access?organization=acme&page_size=1", "")
	do(200, "mona", "PATCH", "/v1/me/preferences", `{"language":null,"theme":"dark"}`, patch...)
	do(200, "mona", "GET", "/v1/me/preferences", "")
	do(200, "identity", "POST", "/v1/credentials/verify", `{"username":"mona","password":"`+password+`"}`)
	do(200, "mona", "POST", "/v1/me/password", `{"old_password":"`+password+`","new_password":"staple correct horse"}`)
	do(202, "mona", "POST", "/v1/me/email-change", `{"email":"mona.moor@acme.example"}`)
	do(202, "paula", "POST", mona+"/password-reset", "")
	do(202, "", "POST", "/v1/password-resets", `{"login":"mona"}`)
	user := made.text("user")
	do(200, "", "POST", "/v1/password-resets/confirm", `{"token":"`+l.Links.Make("password_reset", user, 2)+`","password":"battery staple correct"}`)
	do(200, "", "POST", "/v1/email-changes/confirm", `{"token":"`+l.Links.Make("email_change", user, 1)+`"}`)
	do(200, "paula", "POST", mona+"/suspend", "")
	do(200, "operator", "POST", mona+"/reactivate", "")
	do(201, "paula", "POST", mona+"/clone", `{"email":"twin@acme.example","given_name":"Twin","ttl":"24h","deliver":"return_link"}`)

	inv := do(201, "paula", "POST", acme+"/invitations", `{"email":"dana@acme.example","role":"regular","ttl":"24h"}`)
	one := acme + "/invitations/" + inv.text("invitation", "id")
	do(200, "paula", "POST", acme+"/invitations/batch", `{"invitations":[{"email":"ed@acme.example","role":"regular"},{"email":"no address","role":"regular"}]}`)
	do(200, "paula", "GET", acme+"/invitations?state=pending&email=Dana@acme.example", "")
	do(200, "paula", "GET", one, "")
	do(200, "paula", "PATCH", one, `{"role":"read_only"}`)
	l.wait(2 * time.Minute)
	do(200, "paula", "POST", one+"/resend", "")
	do(200, "paula", "POST", one+"/revoke", "")
	token := l.invite("lee@acme.example")
	do(200, "", "POST", "/v1/invitations/preview", `{"token":"`+token+`"}`)
	do(200, "", "POST", "/v1/invitations/accept", `{"token":"`+token+`","username":"lee","password":"`+password+`"}`)

	do(200, "paula", "DELETE", mona, "")
	do(200, "operator", "POST", mona+"/restore", `{"role":"regular"}`)
	do(200, "paula", "DELETE", mona, "")
	do(200, "operator", "POST", mona+"/purge", "")
	do(200, "operator", "PATCH", acme, `{"settings":{"primary_contact":{"mode":"transferable"}}}`)
	do(200, "paula", "POST", l.member("acme", "adam")+"/transfer", "")

	for _, base := range []string{acme, "/v1"} {
		hook := base + "/webhooks/" + do(201, "operator", "POST", base+"/webhooks", `{"url":"https://acme.example/hook","events":["organization.*"]}`).text("id")
		do(200, "operator", "GET", base+"/webhooks", "")
		do(200, "operator", "GET", hook, "")
		do(200, "operator", "PATCH", acme, `{"name":"ACME of `+base+`"}`)
		do(200, "operator", "PATCH", hook, `{"events":["organization.updated"]}`)
		do(200, "operator", "POST", hook+"/rotate-secret", "")
		got := do(200, "operator", "GET", hook+"/deliveries?state=waiting", "")
		delivery, _ := got.get("items").([]any)[0].(map[string]any)["id"].(string)
		do(200, "operator", "POST", hook+"/deliveries/"+delivery+"/redeliver", "")
		do(200, "operator", "DELETE", hook, "")
		do(200, "operator", "GET", base+"/audit-events?page_size=3&since=2026-01-01T00:00:00Z", "")
		do(200, "operator", "GET", base+"/audit-events", "", "Accept", mediaLines)
		do(200, "operator", "GET", base+"/audit-events/verify", "")
	}
	made = do(201, "operator", "POST", "/v1/service-tokens", `{"name":"portal","scopes":["act"],"organizations":["acme"],"expires_at":"2026-09-01T00:00:00Z"}`)
	do(200, "operator", "GET", "/v1/service-tokens", "")
	do(200, "operator", "DELETE", "/v1/service-tokens/"+made.text("id"), "")

	if err := l.store.PutAppKey(t.Context(), store.AppKey{ID: "shop", Name: "Shop", Hash: make([]byte, 32), Actions: []string{"invoice."}}); err != nil {
		t.Fatal(err)
	}
	do(200, "replicate", "GET", "/v1/feed", "")
	do(200, "replicate", "GET", "/v1/feed/changes?after=0-0&wait=0", "")
	do(200, "replicate", "POST", "/v1/feed/documents", `{"keys":[{"kind":"login","id":"regina"},{"kind":"user","id":"nobody"},{"kind":"account","id":"a-1"}]}`)
	do(200, "replicate", "GET", "/v1/feed/app-keys/shop", "")

	for _, op := range operations() {
		if !done[op.id] {
			t.Errorf("%s was not asked for", op.id)
		}
	}
}

// operationAt is the operation that a path belongs to.
func operationAt(method, path string) (operation, bool) {
	for _, op := range operations() {
		shape := "^" + regexp.MustCompile(`{\w+}`).ReplaceAllString(strings.ReplaceAll(op.path, ".", `\.`), "[^/]+") + "$"
		if op.method == method && regexp.MustCompile(shape).MatchString(path) {
			return op, true
		}
	}
	return operation{}, false
}
