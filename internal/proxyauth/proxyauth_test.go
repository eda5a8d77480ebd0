package proxyauth

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pdp"
)

// portal is a listener that believes a proxy on this machine.
func portal(t *testing.T) *caller {
	t.Helper()
	return listen(t, Options{Trusted: trust(t, "127.0.0.0/8"), SubjectHeader: "Remote-User", Tokens: tokens{}, Headers: []string{"X-Tenant"}})
}

func TestAProxyGetsTheDecision(t *testing.T) {
	c := portal(t)
	for _, tt := range []struct {
		name, method, uri string
		headers           []string
		status            int
		said              string
	}{
		{"allowed", "GET", "/accounts/a-1001/services", []string{"Remote-User: rosa"}, 200, ""},
		{"denied", "GET", "/accounts/a-1001/services", []string{"Remote-User: eve"}, 403, `"reasons":[{"rule":"access.out_of_scope","text":"No role counts"}]`},
		{"a user by token", "GET", "/accounts/a-1001", []string{"Authorization: Bearer jwt-rosa"}, 200, ""},
		{"a user by id", "GET", "/accounts/a-1001", []string{"authorization: bearer jwt-usr_rosa"}, 200, ""},
		{"the same user twice", "GET", "/accounts/a-1001", []string{"Authorization: Bearer jwt-rosa", "Remote-User: rosa"}, 200, ""},
		{"two users", "GET", "/accounts/a-1001", []string{"Authorization: Bearer jwt-rosa", "Remote-User: eve"}, 403, "different users"},
		{"a user by id and by name", "GET", "/accounts/a-1001", []string{"Authorization: Bearer jwt-usr_rosa", "Remote-User: usr_rosa"}, 403, "different users"},
		{"nobody", "GET", "/accounts/a-1001", nil, 401, "signed in"},
		{"nobody, where there is nothing", "GET", "/nothing", nil, 401, "signed in"},
		{"a user, where there is nothing", "GET", "/nothing", []string{"Remote-User: rosa"}, 403, "No rule of data.custom.proxy.request"},
		{"a token that is not good", "GET", "/accounts/a-1001", []string{"Authorization: Bearer forged"}, 401, ""},
		{"a token that is not good beside a name", "GET", "/accounts/a-1001", []string{"Authorization: Bearer forged", "Remote-User: rosa"}, 401, ""},
		{"a token that cannot be verified now", "GET", "/accounts/a-1001", []string{"Authorization: Bearer later"}, 503, ""},
		{"a token of a name with a line in it", "GET", "/accounts/a-1001", []string{"Authorization: Bearer jwt-ro\tsa"}, 401, ""},
		{"a credential of the application's", "GET", "/accounts/a-1001", []string{"Authorization: Basic cm9zYTpyb3Nh", "Remote-User: rosa"}, 200, ""},
		{"what is public", "GET", "/health", nil, 200, ""},
		{"what is public, with an old token", "GET", "/health", []string{"Authorization: Bearer forged"}, 200, ""},
		{"what is public, while keys cannot be read", "GET", "/health", []string{"Authorization: Bearer later"}, 200, ""},
		{"the name twice", "GET", "/health", []string{"Remote-User: rosa", "Remote-User: eve"}, 403, "Remote-User comes 2 times"},
		{"a name that is too long", "GET", "/health", []string{"Remote-User: " + strings.Repeat("r", maxSubject+1)}, 403, "no name of a user"},
		{"a name of another header", "GET", "/accounts/a-1001", []string{"Remote_User: rosa"}, 401, ""},
		{"an empty name", "GET", "/accounts/a-1001", []string{"Remote-User: "}, 401, ""},
		{"a header of the policy's twice", "GET", "/health", []string{"X-Tenant: a", "X-Tenant: b"}, 403, "X-Tenant comes 2 times"},
		{"no answer", "GET", "/accounts/broken", []string{"Remote-User: rosa"}, 503, "cannot be known"},
		{"no facts", "GET", "/accounts/away", []string{"Remote-User: rosa"}, 503, "cannot be known"},
		{"what the proxy's key is not for", "GET", "/accounts/foreign", []string{"Remote-User: rosa"}, 403, "may not ask"},
		{"an obligation that is kept", "GET", "/accounts/dutiful", []string{"Remote-User: rosa"}, 200, ""},
		{"an obligation that is not kept", "GET", "/accounts/recorded", []string{"Remote-User: rosa"}, 403, `obligation \"record\"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.forward(t, tt.method, tt.uri, tt.headers...).wants(t, tt.status, tt.said)
		})
	}
}

func TestAnAllowSaysWhoItIs(t *testing.T) {
	c := portal(t)
	for _, tt := range []struct{ uri, user, subject, role, id, obligations, stale string }{
		{"/accounts/a-1001", "rosa", "rosa", "regular", "dec-1", "", ""},
		{"/accounts/old", "rosa", "rosa", "regular", "dec-1", "", "true"},
		{"/health", "rosa", "rosa", "", "", "", ""},
		{"/health", "", "", "", "", "", ""},
		{"/accounts/dutiful", "eve", "eve", "", "dec-1", `[{"id":"redact","what":"Geld f\u00fcr \u20ac"}]`, ""},
	} {
		got := c.forward(t, "GET", tt.uri, "Remote-User: "+tt.user).wants(t, 200, "")
		for name, want := range map[string]string{
			HeaderSubject: tt.subject, HeaderRole: tt.role, HeaderDecisionID: tt.id, HeaderObligations: tt.obligations, HeaderStale: tt.stale,
			"Cache-Control": "no-store", "Content-Length": "0",
		} {
			if said := got.Header.Values(name); len(said) != 1 || said[0] != want {
				t.Errorf("%s as %s: got %s %q, want %q once", tt.uri, tt.user, name, said, want)
			}
		}
	}
}

func TestTheDecisionIsOnWhatWasAsked(t *testing.T) {
	c := portal(t)
	want := authz.Request{
		Subject: authz.Subject{Type: "login", ID: "rosa"}, Action: authz.Action{Name: "service.view"},
		Resource: authz.Resource{Type: "service", ID: "s 1", Properties: authz.Properties{"account": "a-1001"}},
	}
	const uri = "/accounts/a-1001/services/s%201?x=1"
	for _, tt := range []struct {
		api  string
		sent []string
	}{
		{pdp.APIForwardAuth, []string{"POST " + PathForwardAuth + " HTTP/1.1", "Host: p", "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: h", "X-Forwarded-Uri: " + uri}},
		{pdp.APIAuthRequest, []string{"GET " + PathAuthRequest + " HTTP/1.1", "Host: p", "X-Original-Method: GET", "X-Original-URL: http://h:81" + uri}},
		{pdp.APIExtAuthz, []string{"GET " + PathExtAuthz + uri + " HTTP/1.1", "Host: h"}},
		{pdp.APIExtAuthz, []string{"HEAD " + PathExtAuthz + uri + " HTTP/1.1", "Host: h", "X-Forwarded-Proto: https"}},
	} {
		got := c.send(t, append(tt.sent, "Remote-User: rosa", "X-Request-ID: r-1")...)
		got.wants(t, 200, "")
		q, _ := c.decider.last()
		if r := q.Items[0].Request; r.Subject.ID != want.Subject.ID || r.Action.Name != want.Action.Name || r.Resource.ID != want.Resource.ID ||
			r.Resource.Properties["account"] != "a-1001" || q.API != tt.api || q.RequestID != "r-1" || q.Generation == nil {
			t.Errorf("got %+v of %s, want %+v of %s", q.Items[0].Request, q.API, want, tt.api)
		}
	}
}

// TestWhoIsNotTrustedIsNotBelieved has T15: no header says who somebody is but
// from a proxy that is named.
func TestWhoIsNotTrustedIsNotBelieved(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	for _, tt := range []struct {
		name, address string
		trusted       []string
		status        int
	}{
		{"nobody is", "127.0.0.1:0", nil, 403},
		{"another network is", "127.0.0.1:0", []string{"10.0.0.0/8", "unix", "::1/128"}, 403},
		{"this one is", "127.0.0.1:0", []string{"10.0.0.0/8", "127.0.0.1/32"}, 200},
		{"one of another family is", "[::1]:0", []string{"127.0.0.0/8", "::/96"}, 200},
		{"sockets are not", "unix://" + socket, []string{"127.0.0.0/8", "0.0.0.0/1"}, 403},
		{"sockets are", "unix://" + socket + "2", []string{"unix"}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := listenOn(t, tt.address, Options{Trusted: trust(t, tt.trusted...), SubjectHeader: "Remote-User"})
			said := ""
			if tt.status == 403 {
				said = "POSTERN_TRUSTED_PROXIES"
			}
			c.forward(t, "GET", "/accounts/a-1001", "Remote-User: rosa").wants(t, tt.status, said)
			c.send(t, "GET "+PathExtAuthz+"/health HTTP/1.1", "Host: h").wants(t, tt.status, said)
			c.send(t, "GET "+PathAuthRequest+" HTTP/1.1", "Host: h", "X-Original-Method: GET", "X-Original-URL: http://h/health").wants(t, tt.status, said)
			if tt.status == 403 && !strings.Contains(c.log.String(), "POSTERN_TRUSTED_PROXIES") {
				t.Errorf("got the log %q, want the setting in it", c.log)
			}
			if _, asked := c.decider.last(); asked != (tt.status == 200) {
				t.Errorf("decided: %v, with %d", asked, tt.status)
			}
		})
	}
}

func TestAPolicyWithoutTheEntrypointSaysWhatToAdd(t *testing.T) {
	core, err := load()
	if err != nil {
		t.Fatal(err)
	}
	c := listen(t, Options{Policies: core, Trusted: trust(t, "127.0.0.0/8"), SubjectHeader: "Remote-User"})
	c.forward(t, "GET", "/health", "Remote-User: rosa").wants(t, 503, "data.custom.proxy.request")
}
