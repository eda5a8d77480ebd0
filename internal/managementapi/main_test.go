package managementapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/feed"
	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/link"
	"github.com/postern-authz/postern/internal/openapitest"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/pdp"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
	"github.com/postern-authz/postern/internal/webhook"
	"github.com/postern-authz/postern/policies"
)

// core is the embedded policy in force, made once for all tests.
var core = sync.OnceValues(func() (*policy.Engine, error) {
	e, err := policy.New(policy.Options{Core: policy.Embedded(policies.FS)})
	if err != nil {
		return nil, err
	}
	return e, e.Load(context.Background())
})

// portal is what every listener begins with: harbour, the operator's, with olga;
// acme with paula, Primary Contact, adam, administrator of a-1, and regina,
// regular; globex with gustav, Primary Contact.
const portal = `
{"type":"organization","id":"harbour","kind":"operator","name":"Harbour Networks"}
{"type":"organization","id":"acme","kind":"customer","name":"ACME"}
{"type":"organization","id":"globex","kind":"customer","name":"GLOBEX"}
{"type":"company","id":"acme-one","organization":"acme","name":"ACME One"}
{"type":"company","id":"globex-one","organization":"globex","name":"Globex One"}
{"type":"account","id":"a-1","company":"acme-one","kind":"service","name":"Riga"}
{"type":"account","id":"a-2","company":"acme-one","kind":"service","name":"Tartu"}
{"type":"account","id":"g-1","company":"globex-one","kind":"service","name":"Oslo"}
{"type":"account_group","id":"globex-sites","organization":"globex","kind":"service_group","name":"Sites","accounts":["g-1"]}
{"type":"tool","id":"wan_analysis","name":"WAN Analysis"}
{"type":"user","username":"olga","email":"olga@harbour.example","given_name":"Olga","family_name":"Ott"}
{"type":"user","username":"paula","email":"paula@acme.example","given_name":"Paula","family_name":"Price"}
{"type":"user","username":"adam","email":"adam@acme.example","given_name":"Adam","family_name":"Abel"}
{"type":"user","username":"regina","email":"regina@acme.example","given_name":"Regina","family_name":"Roth"}
{"type":"user","username":"gustav","email":"gustav@globex.example","given_name":"Gustav","family_name":"Gill"}
{"type":"membership","organization":"harbour","user":"olga","role":"operator","assigned_by":"operator"}
{"type":"membership","organization":"acme","user":"paula","role":"primary_contact","assigned_by":"operator"}
{"type":"membership","organization":"acme","user":"adam","role":"administrator","assigned_by":"user"}
{"type":"membership","organization":"acme","user":"regina","role":"regular","assigned_by":"user"}
{"type":"membership","organization":"globex","user":"gustav","role":"primary_contact","assigned_by":"operator"}
{"type":"grant","organization":"acme","user":"adam","company":"acme-one","granted_by":"user"}
{"type":"grant","organization":"acme","user":"adam","account":"a-1","granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","company":"acme-one","granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","account":"a-1","granted_by":"user"}
`

// A listener is a management listener over real TCP, with a real store and the
// real policy. Its clock moves only when a test moves it.
type listener struct {
	*pap.PAP
	t      testing.TB
	store  *store.Store
	base   string
	client *http.Client

	mu     sync.Mutex
	now    time.Time // guarded by mu
	bodies []string  // guarded by mu; of every answer
}

func listen(t testing.TB, o Options) *listener {
	t.Helper()
	engine, err := core()
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, store: storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "directory.db")), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	l.put(portal)
	pip := grant.New(grant.Options{Source: l.store, PollInterval: time.Hour, MaxStaleness: 1 << 60, Now: l.clock})
	secret := []byte(strings.Repeat("s", 32))
	links, err := link.New(secret, "directory-1")
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := webhook.NewSecrets(secret, "directory-1")
	if err != nil {
		t.Fatal(err)
	}
	l.PAP = pap.New(pap.Options{
		Store: l.store, Judge: pdp.New(pdp.Options{Policies: engine, Facts: pip}), Links: links, Secrets: secrets, Passwords: passwords{},
		PortalURLs: []string{"https://portal.example"}, Now: l.clock,
	})
	o.Feed = &feed.Publisher{
		ID: "0123456789abcdef0123456789abcdef", Directory: l.store, Past: l.follow().Past, Token: plainTokens{}.Issue, Now: time.Now,
		AppKeys: func(ctx context.Context, id string) (feed.AppKey, error) {
			k, err := l.store.AppKey(ctx, id)
			return feed.AppKey{ID: k.ID, Hash: k.Hash, Organizations: k.Organizations, Actions: k.Actions}, err
		},
	}
	o.PAP, o.Tokens, o.Secret, o.Authenticate = l.PAP, plainTokens{}, secret, l.authenticate
	if o.Limits.StrangerPerMinute == 0 {
		o.Limits.StrangerPerMinute = 1000
	}
	l.serve(o)
	return l
}

// follow follows the change log until the test ends.
func (l *listener) follow() *grant.PIP {
	pip := grant.New(grant.Options{Source: l.store, PollInterval: 20 * time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- pip.Follow(ctx) }()
	l.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
	return pip
}

func (l *listener) serve(o Options) {
	l.t.Helper()
	server := httpserver.New(httpserver.Options{Name: "management", MaxBody: MaxBody, Timeout: 20 * time.Second})
	if err := Register(server.App, o); err != nil {
		l.t.Fatal(err)
	}
	ln, err := httpserver.Listen(l.t.Context(), "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.base = "http://" + ln.Addr().String()
	transport := &http.Transport{}
	fail := func(err error) { l.t.Error(err) }
	l.client = &http.Client{Timeout: 20 * time.Second, Transport: &openapitest.Transport{Checker: checker(l.t), Next: transport, Fail: fail}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, ln) }()
	l.t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			l.t.Error(err)
		}
	})
}

// authenticate takes the name of a user for its JWT, and that of a scope for a
// service token with it.
// tokenEnd is when every service token of these tests ends.
func tokenEnd() time.Time { return time.Date(2100, 1, 2, 3, 4, 5, 6e6, time.UTC) }

func (l *listener) authenticate(c *fiber.Ctx) (pap.Principal, error) {
	name, ok := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
	name = strings.Clone(name)
	actor := strings.Clone(c.Get("Postern-Actor"))
	switch name {
	case "operator", "act", "act.read", "sync", "identity", "replicate":
		return pap.Principal{Kind: pap.ServiceToken, ID: "token-" + name, Scopes: []pap.Scope{pap.Scope(name)}, Actor: actor, Expires: tokenEnd()}, nil
	}
	documents, _, err := l.store.Read(c.UserContext(), []authz.Key{authz.LoginKey(name)})
	if !ok || err != nil || documents[0].Login == "" {
		return pap.Principal{}, authz.ErrUnauthenticated
	}
	return pap.Principal{Kind: pap.JWT, ID: "https://idp.example " + name, Actor: documents[0].Login}, nil
}

func (l *listener) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *listener) wait(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

func (l *listener) put(ndjson string) {
	l.t.Helper()
	read := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(strings.TrimSpace(ndjson))), nil }
	report, err := directory.Import(l.t.Context(), l.store, directory.ImportOptions{Sources: []directory.Source{{Name: "portal.ndjson", Open: read}}})
	if err != nil {
		l.t.Fatalf("import: %v: %v", err, report.Errors)
	}
}

// member is the path of the member with that username.
func (l *listener) member(organization, name string) string {
	l.t.Helper()
	got := l.as("operator", "GET", "/v1/organizations/"+organization+"/members?q="+name, "").wants(200, "")
	var p page[pap.Member]
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || len(p.Items) != 1 {
		l.t.Fatalf("got %s, %v, want one member", got.body, err)
	}
	return "/v1/organizations/" + organization + "/members/" + p.Items[0].ID
}

// An answer is what came back, with its body read.
type answer struct {
	*http.Response
	t    testing.TB
	body string
}

// as sends a request with somebody's credential; an empty name: with none. The
// header comes in pairs; a body is JSON unless the pairs say otherwise.
func (l *listener) as(name, method, path, body string, header ...string) answer {
	l.t.Helper()
	req, err := http.NewRequest(method, l.base+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if name != "" {
		req.Header.Set("Authorization", "Bearer "+name)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := l.client.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies = append(l.bodies, string(got))
	return answer{resp, l.t, string(got)}
}

// wants fails the test unless the answer has a status and, where it is an error,
// a reason, and has the manners that all have.
func (a answer) wants(status int, reason string) answer {
	a.t.Helper()
	var p struct{ Type, Reason string }
	_ = json.Unmarshal([]byte(a.body), &p)
	if a.StatusCode != status || reason != "" && p.Reason != reason {
		a.t.Fatalf("%s %s: got %d %s, want %d %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.body, status, reason)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": ""} {
		if got := a.Header.Get(name); got != want {
			a.t.Errorf("%s %s: got %s %q, want %q", a.Request.Method, a.Request.URL.Path, name, got, want)
		}
	}
	if status >= 400 && p.Type != "urn:postern:problem:"+p.Reason {
		a.t.Errorf("got the type %s, want one that is named after the reason %s", p.Type, p.Reason)
	}
	return a
}

// get is a member of the body, at a path of names.
func (a answer) get(path ...string) any {
	a.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%s: %v", a.body, err)
	}
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

func (a answer) text(path ...string) string {
	a.t.Helper()
	text, ok := a.get(path...).(string)
	if !ok {
		a.t.Fatalf("%s has no text at %v", a.body, path)
	}
	return text
}

// plainTokens are readable, which real ones are not.
type plainTokens struct{}

func (plainTokens) Issue(r authz.Revision) string { return fmt.Sprintf("token-%d", r) }

// passwords are quick and safe for tests alone.
type passwords struct{}

func (passwords) Hash(_ context.Context, password string) (string, error) {
	if len(password) < 8 {
		return "", fmt.Errorf("a password has 8 characters or more: %w", authz.ErrInvalid)
	}
	return "hash of " + password, nil
}

func (passwords) Check(_ context.Context, hash, password string) (bool, error) {
	return hash == "hash of "+password, nil
}

func (passwords) Outdated(string) bool { return false }

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}
